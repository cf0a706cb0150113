"""The reports folder: each file appears whole or not at all."""

from __future__ import annotations

import json as stdlib_json
import os
import tempfile
from pathlib import Path

from harness.errors import ReportError
from harness.report import json, markdown
from harness.report.contract import Report


def require_writable(folder: Path) -> None:
    """Raise ReportError where `folder` cannot be made or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ReportError(f"the reports cannot be written to {folder}: {error}; name another folder with --reports") from None


def write(report: Report, folder: Path) -> list[Path]:
    """Write matrix.md, matrix.json and its schema; returns the first two."""
    texts = {
        "matrix.md": markdown.render(report),
        "matrix.json": json.dumps(report),
        "matrix.schema.json": stdlib_json.dumps(json.schema(), indent=1) + "\n",
    }
    try:
        for name, text in texts.items():
            _replace(folder / name, text)
    except OSError as error:
        raise ReportError(f"the reports cannot be written to {folder}: {error}; the results are kept in the store") from None
    return [folder / "matrix.md", folder / "matrix.json"]


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(temporary).chmod(0o644)
    Path(temporary).replace(path)
