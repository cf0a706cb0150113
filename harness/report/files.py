"""The reports folder: each file appears whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness import report_locations
from harness.errors import NothingObservedError, ReportError
from harness.report import published_logs
from harness.report.failures import nothing_observed
from harness.report.formats import FORMATS, format_named
from harness.report.page import Page
from harness.verdicts import report_file
from harness.verdicts.report_schema import OBSERVED, Report, schema

_PLAIN, _COMPRESSED = report_locations.REPORT_FILES
_LARGE = 2_000_000
"""Bytes of a matrix.json that is not put into a repository as it is."""


def require_writable(folder: Path) -> None:
    """Raise ReportError where `folder` cannot be made or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ReportError(f"the reports cannot be written to {folder}: {error}; name another folder with --reports") from None


def observed(folder: Path) -> bool:
    """Whether the report in `folder` has a variant that was seen to work or to fail; False where there is no report."""
    try:
        path = report_locations.report_in(folder)
        report = json.loads(report_file.content(path)) if path else {"cells": []}
        return any(variant["status"] in OBSERVED for cell in report["cells"] for variant in cell["variants"])
    except (ReportError, OSError, RuntimeError, ValueError, TypeError, KeyError):
        return False


def write(page: Page[Report], folder: Path, logs: Mapping[str, str] | None = None) -> list[Path]:
    """Write the report in each format that has a file, and the schema of matrix.json; returns the files but the schema.

    `logs` are files that a published report names: path in `folder` → text. They replace those of an earlier report, and a
    large matrix.json is compressed then.

    Raises:
        NothingObservedError: the report observes nothing, and the one in `folder` does: that one stays.
        ReportError: it cannot be written.
    """
    if (why := nothing_observed(page.source)) and observed(folder):
        raise NothingObservedError(f"{why}. {folder} keeps the report of an earlier run")
    formats = list(map(format_named, FORMATS))
    contents = {f"matrix.{chosen.suffix}": _encoded(chosen.render(page)) for chosen in formats if chosen.suffix}
    if logs is not None and len(contents[_PLAIN]) > _LARGE:
        contents[_COMPRESSED] = report_file.compressed(contents.pop(_PLAIN))
    written = [folder / name for name in contents]
    contents |= {name: _encoded(text) for name, text in (logs or {}).items()}
    contents["matrix.schema.json"] = _encoded(json.dumps(schema(), indent=1) + "\n")
    try:
        if logs is not None:
            published_logs.clear(folder)
        for name, content in contents.items():
            _replace(folder / name, content)
        for name in set(report_locations.REPORT_FILES) - contents.keys():
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(f"the reports cannot be written to {folder}: {error}; the results are kept in the store") from None
    return written


def _encoded(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


def _replace(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
