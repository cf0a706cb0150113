"""The reports folder: each file appears whole or not at all."""

from __future__ import annotations

import json as stdlib_json
import os
import tempfile
from pathlib import Path

from harness import regular_files
from harness.errors import NothingObservedError, ReportError
from harness.report.failures import nothing_observed
from harness.report.formats import markdown, matrix_json
from harness.verdicts.report_model import FILE_LIMIT, OBSERVED, Report


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
        # Of what the user named, a link may be followed.
        report = stdlib_json.loads(regular_files.read((folder / "matrix.json").resolve(), limit=FILE_LIMIT))
        return any(variant["status"] in OBSERVED for cell in report["cells"] for variant in cell["variants"])
    except (OSError, RuntimeError, regular_files.RefusedFileError, ValueError, TypeError, KeyError):
        return False


def write(report: Report, folder: Path) -> list[Path]:
    """Write matrix.md, matrix.json and its schema; returns the first two.

    Raises:
        NothingObservedError: the report observes nothing, and the one in `folder` does: that one stays.
        ReportError: it cannot be written.
    """
    if (why := nothing_observed(report)) and observed(folder):
        raise NothingObservedError(f"{why}. {folder} keeps the report of an earlier run")
    texts = {
        "matrix.md": markdown.render(report),
        "matrix.json": matrix_json.dumps(report),
        "matrix.schema.json": stdlib_json.dumps(matrix_json.schema(), indent=1) + "\n",
    }
    try:
        for name, text in texts.items():
            _replace(folder / name, text)
    except OSError as error:
        raise ReportError(f"the reports cannot be written to {folder}: {error}; the results are kept in the store") from None
    return [folder / "matrix.md", folder / "matrix.json"]


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
