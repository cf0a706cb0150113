"""The file of a report: matrix.json, or matrix.json.gz where a large one is published."""

from __future__ import annotations

import gzip
from pathlib import Path

from pydantic import ValidationError

from harness import regular_files
from harness.errors import ReportError
from harness.verdicts.report_schema import ADAPTER, FILE_LIMIT, Report


def read(path: Path) -> Report:
    """The report in the file at `path`.

    Raises:
        ReportError: it cannot be read, or is no report of this version.
    """
    try:
        return ADAPTER.validate_json(content(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ReportError(f"{path} is no matrix.json of this version: {f'{place}: ' if place else ''}{first['msg']}") from None


def content(path: Path) -> bytes:
    """The JSON in the file at `path`, which is compressed if its name ends in `.gz`. Raises ReportError."""
    try:
        return regular_files.read_expanded(path, limit=FILE_LIMIT)
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error}") from None
    except regular_files.RefusedFileError as problem:
        raise ReportError(f"{path} {problem}") from None


def compressed(content: bytes) -> bytes:
    """The same in the gzip format; equal contents give equal files."""
    return gzip.compress(content, mtime=0)
