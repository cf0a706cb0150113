"""Reads a file of measurements that comes with the project."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from harness import regular_files
from harness.errors import ReportError

T = TypeVar("T")


def read(path: Path, adapter: TypeAdapter[T], *, kind: str, limit: int) -> T:
    """The content of the file at `path`, which has at most `limit` bytes; `kind` is its usual name.

    Raises:
        ReportError: it cannot be read, or is no such file of this version.
    """
    try:
        return adapter.validate_json(regular_files.read_named(path, limit=limit))
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error}") from None
    except regular_files.RefusedFileError as problem:
        raise ReportError(f"{path} {problem}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ReportError(f"{path} is no {kind} of this version: {place}: {first['msg']}") from None
