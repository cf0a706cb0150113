"""Whose fault an exception is: `fails` is a fact about the versions, `error` is a bug or a lack of ours."""

from __future__ import annotations

import errno
import importlib.util
import os
import traceback
from pathlib import Path
from typing import Any

from .messages import chain, owners, summary, without_colours

_OURS = [f"{Path(__file__).resolve().parent}{os.sep}"]
_MESSAGE_LIMIT = 4000
_TRACEBACK_LIMIT = 8000
_LACKING = {
    getattr(errno, name)
    for name in (
        *("ENOMEM", "ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "EIO"),
        *("ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH"),
    )
}
"""What a machine or its network lacks: no fact about versions."""
# How C++ code reports what Python calls MemoryError, ENOMEM, ENOSPC, EDQUOT and EMFILE.
_LACKING_TEXTS = (
    *("can't allocate memory", "Cannot allocate memory", "bad_alloc", "Failed to allocate memory"),
    *("No space left on device", "Disk quota exceeded", "Too many open files"),
)


class ProbeFailure(Exception):  # noqa: N818 - a finding, not an error
    """A finding about the versions that the probe itself makes, such as a pruned input or a parity mismatch.

    `original` is the package's own exception where one lies behind the finding: its type is the one reported, and
    its traceback the one shown.
    """

    def __init__(self, message: str, original: BaseException | None = None) -> None:
        super().__init__(message)
        self.original = original


class NotRun(Exception):  # noqa: N818 - neither is this one
    """The variant cannot exist in this environment; the message is the reason."""


class ProbeModuleError(Exception):
    """A probe module lacks something that it must have, or asks for what is not there: an `error`, in words."""


def own(folder: Path) -> None:
    """Count code in `folder` as the probe's: what goes wrong in there is no fact about the versions."""
    _OURS.append(f"{folder.resolve()}{os.sep}")


def status_of(exc: BaseException) -> tuple[str, str]:
    """Return (`fails` or `error`, `package` or `probe`): the verdict and where the exception comes from."""
    source = exc.original if isinstance(exc, ProbeFailure) and exc.original is not None else exc
    where = _innermost_owner(source)
    if any(map(_is_lack, chain(source))):
        return "error", where
    if where == "package" or isinstance(exc, ProbeFailure) or _is_foreign_import_error(exc):
        return "fails", "package"
    return "error", "probe"


def describe(exc: BaseException, where: str) -> dict[str, Any]:
    """Return the `error` object of an `end` event."""
    source = exc.original if isinstance(exc, ProbeFailure) and exc.original is not None else exc
    lines = traceback.format_exception(type(source), source, source.__traceback__)
    message = summary(source, None if source is exc else str(exc))
    if isinstance(exc, ModuleNotFoundError) and where == "probe":
        message += ": neither the environment nor the probe's files hold it ([probe] requires or files, or another axis, would)"
    return {
        "type": type(source).__name__,
        "message": _shorten(message, _MESSAGE_LIMIT),
        "traceback": _shorten(without_colours("".join(lines)), _TRACEBACK_LIMIT),
        "where": where,
    }


def _is_lack(exc: BaseException) -> bool:
    if isinstance(exc, MemoryError):
        return True
    # A name that is not resolved has numbers of its own, which depend on the C library.
    if isinstance(exc, OSError) and (exc.errno in _LACKING or type(exc).__name__ == "gaierror"):
        return True
    text = str(exc)
    return any(fragment in text for fragment in _LACKING_TEXTS)


def _is_foreign_import_error(exc: BaseException) -> bool:
    """Whether an import of somebody else's module failed.

    One of ours that is missing is our bug; a package that the probe asks for and the environment does not hold at all
    is missing from the matrix.
    """
    if not isinstance(exc, ImportError):
        return False
    package = (exc.name or "").partition(".")[0]
    if isinstance(exc, ModuleNotFoundError) and package:
        return package != (__package__ or "") and importlib.util.find_spec(package) is not None
    return package != (__package__ or "")


def _innermost_owner(exc: BaseException) -> str:
    """Return `probe` or `package` for the innermost frame that is not the standard library's."""
    frame = next(owners(exc), None)
    return "probe" if frame is None or frame.filename.startswith(tuple(_OURS)) else "package"


def _shorten(text: str, limit: int) -> str:
    """Cut the middle out of `text`: messages say what happened at their start, tracebacks at their end."""
    if len(text) <= limit:
        return text
    mark = "\n[…]\n"
    head = (limit - len(mark)) // 2
    return text[:head] + mark + text[-(limit - len(mark) - head) :]
