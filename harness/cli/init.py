"""The command init."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import tempfile
from pathlib import Path

from rich.console import Console

from harness import invocation
from harness.cli.console import show
from harness.decide import starting_matrix, version_files
from harness.decide.version_sets import Versions
from harness.errors import ReportError, VersionsError
from harness.matrix import load
from harness.packaging_values import exact_version
from harness.report.page import Page, items


def init(options: argparse.Namespace, out: Console, _err: Console) -> int:
    """Write a commented matrix.toml for the versions that somebody has."""
    path: Path = options.output
    if path.exists() and not options.force:
        raise VersionsError(f"{path} exists already; name another with --output, or replace it with --force")
    running = ".".join(platform.python_version_tuple()[:2])
    versions = (
        version_files.read(options.from_, options.python, None, with_extras=True) if options.from_ else _nothing(options.python)
    )
    runtimes = list(dict.fromkeys(map(_runtime, options.runtime)))
    _write(path, starting_matrix.text(versions, runtimes, versions.python or running))
    command = invocation.command("plan", f"--config {path}")
    unused = (*versions.ignored, *versions.missing)
    left_out = [f"not used: {reason}" for reason in unused]
    data = {"file": str(path), "not used": unused, "next": command}
    show(
        Page(title=f"wrote {path}", blocks=[items(*left_out, f"next: {command}")], data=data, source=None), options.format, out
    )
    return 0


def _nothing(python: str | None) -> Versions:
    return Versions(source="nothing: name your requirements with --from", python=python, exact={})


def _runtime(text: str) -> str:
    try:
        return exact_version(text)
    except ValueError as error:
        raise VersionsError(f"--runtime: {error}") from None


def _write(path: Path, content: str) -> None:
    """Write the matrix whole or not at all; it is read once more before anybody finds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}", suffix=".toml")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error}") from None
    try:
        load.load(Path(temporary))
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
