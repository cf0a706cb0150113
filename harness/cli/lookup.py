"""The command lookup."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from harness import published_reports, regular_files
from harness.cli.console import show
from harness.decide import known_messages, next_steps
from harness.decide.lookup import other_builds, recognised
from harness.decide.nearest import nearest
from harness.decide.refusals import Measurements, refusals
from harness.errors import MessageError
from harness.report.pages import lookup as pages

MEASUREMENTS = Measurements(
    limits=published_reports.runtime_limits,
    kernels=published_reports.runtime_kernels,
    exporters=published_reports.exporter_operators,
    names=published_reports.package_names,
    parameters=published_reports.package_parameters,
    numpys=published_reports.numpy_interfaces,
    misuse=published_reports.runtime_misuse,
)

LIMIT = 2**20
"""Bytes of the largest text that is read."""


def lookup(options: argparse.Namespace, out: Console, _err: Console) -> int:
    """Show what the published reports know about a message; 1 if that is nothing."""
    text = "" if options.list else _text(options.text)
    reports = list(published_reports.every())
    known, first = known_messages.known_messages(reports), known_messages.explained_in(reports)
    if options.list:
        show(pages.all_known(known, first), options.format, out)
        return 0
    found = recognised(text, known)
    refused = refusals(text, MEASUREMENTS, reports)
    if found or refused:
        show(pages.recognised(found, first, refused, other_builds(text)), options.format, out)
        return 0
    show(pages.unknown(nearest(text, known), next_steps.way(text)), options.format, out)
    return 1


def _text(words: list[str]) -> str:
    """The text that is meant: what stdin or a file has, or the words themselves.

    Raises:
        MessageError: there is none, or it cannot be read.
    """
    match words:
        case ["-"]:
            content = sys.stdin.buffer.read(LIMIT + 1)
            if len(content) > LIMIT:
                raise MessageError(f"stdin has more than the {LIMIT:,} bytes that are read: give its end, which has the error")
            text = content.decode(errors="replace")
        case [name] if _is_file(name):
            text = _content(Path(name))
        case [name] if len(name.split()) == 1 and Path(name).suffix in _FILES:
            raise MessageError(f"{name}: no such file")
        case _:
            text = " ".join(words)
    if not text.strip():
        raise MessageError("there is no message: give a text, a file or - for stdin; --list shows all that are known")
    if len(text) > LIMIT:
        raise MessageError(f"the text has more than the {LIMIT:,} characters that are read")
    return text


_FILES = {".log", ".txt", ".out", ".err"}
"""What a word that ends so must be."""


def _is_file(name: str) -> bool:
    try:
        return bool(name) and Path(name).exists()
    except (OSError, ValueError):  # too long for a name, or with a null
        return False


def _content(path: Path) -> str:
    try:
        return regular_files.read_named(path, limit=LIMIT).decode(errors="replace")
    except (OSError, regular_files.RefusedFileError) as problem:
        raise MessageError(f"{path} {problem}") from None
