"""The command line: options, commands, progress, exit codes. Nothing else prints."""
