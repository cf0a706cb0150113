"""The command line: options, commands, progress, exit codes. Nothing else prints."""

from harness.cli.main import main

__all__ = ["main"]
