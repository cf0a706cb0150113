"""What an exception means: `fails`, a fact about the versions, or `error`, a fault of the harness or of the machine."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import traceback
from pathlib import Path
from typing import Literal

from .confinement import SHARED
from .messages import chain, class_name, class_names, frames_outside_stdlib, summary, text_of, without_colours
from .wire import Confinement, Error

_PROBE_FOLDERS = [f"{Path(__file__).resolve().parent}{os.sep}"]
_MESSAGE_LIMIT = 4000
_TRACEBACK_LIMIT = 8000
_MACHINE_NAMES = (
    *("ENOMEM", "ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "EIO", "EAGAIN", "ESTALE", "ENOBUFS"),
    *("ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT"),
    *("ENETDOWN", "ENETUNREACH", "EHOSTDOWN", "EHOSTUNREACH", "EADDRNOTAVAIL", "EFBIG"),
)
"""Names of errors of a machine or its network: no fact about versions."""
_MACHINE_ERRORS = {getattr(errno, name) for name in _MACHINE_NAMES}
_REFUSALS = ("EACCES", "EPERM", "EROFS", "ESRCH", "ENETUNREACH", "EAFNOSUPPORT")
"""Names of the errors with which a confined process meets its limits: files, other processes, the network."""


def _texts(*texts: str, names: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern for one of these texts, in whatever case, or the name of an error as a word of its own."""
    return re.compile(rf"(?i:{'|'.join(map(re.escape, texts))})|\b(?:{'|'.join(names)})\b")


_REFUSAL_TEXTS = _texts(
    *("Permission denied", "Operation not permitted", "Read-only file system", "No such process"),
    *("Network is unreachable", "Temporary failure in name resolution", "Name or service not known"),
    names=(*_REFUSALS, "ENOTFOUND", "EAI_AGAIN"),
)
"""How C and C++ code, and a runner's language, report the same: Node.js writes names and small letters."""
_MACHINE_ERROR_CLASSES = {
    *("MemoryError", "ConnectionError", "TimeoutError", "timeout", "gaierror", "SSLError"),
    *("URLError", "RequestException", "HTTPException", "HTTPError", "TransportError"),
}
"""Names of classes, bases included, for the same without such a number."""
_MACHINE_ERROR_MODULES = {
    *("builtins", "asyncio", "concurrent", "http", "multiprocessing", "socket", "ssl", "urllib"),
    *("aiohttp", "httpcore", "httpx", "requests", "urllib3"),
}
"""Whose classes these are: Python's, and those of the libraries that speak HTTP. Others use such names for other things."""
_ABOUT_ARGUMENTS = (
    *(ValueError, TypeError, LookupError, AttributeError, NameError),
    *(SyntaxError, AssertionError, NotImplementedError),
)
"""Exceptions that may quote a text of a machine, and report none."""
# How C++ code, Python's threads and Node.js report what Python calls MemoryError, ENOMEM, ENOSPC, EDQUOT, EMFILE, EAGAIN, …
_MACHINE_ERROR_TEXTS = _texts(
    *("can't allocate memory", "Cannot allocate memory", "bad_alloc", "Failed to allocate memory", "not enough memory"),
    *("heap out of memory", "Array buffer allocation failed"),
    *("No space left on device", "Disk quota exceeded", "Too many open files", "file table overflow"),
    *("can't start new thread", "Resource temporarily unavailable", "pthread_create failed"),
    *("Connection refused", "Connection reset by peer", "Temporary failure in name resolution", "Network is unreachable"),
    *("Input/output error", "i/o error"),
    names=("File too large", *_MACHINE_NAMES, "EAI_AGAIN", "ENOTFOUND"),
)

_SIZE = re.compile(r"(?:size|allocate)\D{0,3}(?P<bytes>\d{13,})|\ballocate (?P<large>\d[\d.]* [TPE]i?B)\b")
"""A request for a terabyte or more: no machine has that, so it is a wrong size that a package has computed."""


class ProbeFailure(Exception):  # noqa: N818 - a finding, not an error
    """A finding about the versions that the probe itself makes, such as a pruned input or a parity mismatch.

    `original` is the exception of a package behind the finding, if there is one: its type and its traceback are reported.
    """

    def __init__(self, message: str, original: BaseException | None = None) -> None:
        super().__init__(message)
        self.original = original


class RunnerCrash(Exception):  # noqa: N818 - a finding about the runtime
    """A runtime has crashed in its runner. `said`: the last lines of the runner's stderr, which are no part of the message."""

    def __init__(self, message: str, said: str = "") -> None:
        super().__init__(message)
        self.said = said


class NotRun(Exception):  # noqa: N818 - not an error either
    """The variant cannot exist in this environment; the message is the reason."""


class ProbeModuleError(Exception):
    """A probe module lacks a required function, or uses what does not exist: an `error` with a message for its author."""


_refusals: set[int] = set()
_hidden: tuple[str, ...] = ()
"""Folders that are other ones in a view of its own."""
_shown: tuple[str, ...] = ()
"""What is in them all the same."""


def expect_refusals(confinement: Confinement) -> None:
    """From now on, what this process is refused is an error: it is confined, and elsewhere that may work."""
    global _hidden, _shown  # noqa: PLW0603 - of this process, which is confined once
    _refusals.update(getattr(errno, name) for name in _REFUSALS)
    _hidden = SHARED if "mount" in confinement["namespaces"] else ()
    _shown = (*confinement["read"], *confinement["write"])


def add_probe_folder(folder: Path) -> None:
    """Count code in `folder` as the probe's: an exception from there is no fact about the versions."""
    _PROBE_FOLDERS.append(f"{folder.resolve()}{os.sep}")


def status_of(exc: BaseException) -> tuple[Literal["fails", "error"], Literal["package", "probe"]]:
    """Return (`fails` or `error`, `package` or `probe`): the status, and where the exception was raised."""
    source = _source(exc)
    where = _raised_in(source)
    if _may_be_refused(source):
        return "error", where
    behind = list(chain(source))
    # The hub is switched off for every probe: code that asks it does so on every machine.
    switched_off = any(class_name(each) == "OfflineModeIsEnabled" for each in behind)
    if not switched_off and any(map(_is_machine_error, behind)):
        return "error", where
    if where == "package" or isinstance(exc, ProbeFailure) or _is_foreign_import_error(exc):
        return "fails", "package"
    return "error", "probe"


def describe(exc: BaseException, where: Literal["package", "probe"]) -> Error:
    """Return the `error` object of an `end` event."""
    source = _source(exc)
    message = summary(source, None if source is exc else text_of(exc))
    if isinstance(exc, ModuleNotFoundError) and where == "probe":
        message += ": neither the environment nor the probe's files hold it ([probe] requires or files, or another axis, would)"
    return {
        "type": class_name(source),
        "message": _shorten(message, _MESSAGE_LIMIT),
        "traceback": _shorten(without_colours(_traceback(source) + _said(source)), _TRACEBACK_LIMIT),
        "where": where,
        "refused": _may_be_refused(source),
    }


def _traceback(exc: BaseException) -> str:
    """Return the traceback as Python prints it; its frames alone where the exception cannot be printed."""
    try:
        return "".join(traceback.format_exception(type(exc), exc, exc.__traceback__))
    except Exception:  # noqa: BLE001 - the class of a package's exception is code of that package
        return "".join(traceback.format_tb(exc.__traceback__))


def _source(exc: BaseException) -> BaseException:
    """Return the exception of a package behind a finding, or `exc` itself."""
    return exc.original if isinstance(exc, ProbeFailure) and exc.original is not None else exc


def _said(exc: BaseException) -> str:
    return exc.said if isinstance(exc, RunnerCrash) else ""


def _is_machine_error(exc: BaseException) -> bool:
    if isinstance(exc, OSError) and exc.errno in _MACHINE_ERRORS:
        return True
    text = text_of(exc) + _said(exc)
    if _SIZE.search(text):
        return False
    if any(module in _MACHINE_ERROR_MODULES and name in _MACHINE_ERROR_CLASSES for module, name in class_names(exc)):
        return True
    return not isinstance(exc, _ABOUT_ARGUMENTS) and bool(_MACHINE_ERROR_TEXTS.search(text))


def _may_be_refused(exc: BaseException) -> bool:
    """Whether the confinement of this process may have led to `exc`. Unlike in `chain`, all that was caught before counts."""
    if not _refusals:
        return False
    behind: list[BaseException] = []
    pending: list[BaseException | None] = [exc]
    while pending:
        each = pending.pop()
        if each is not None and not any(each is known for known in behind):
            behind.append(each)
            pending += [each.__cause__, each.__context__]
    return any(map(_is_refusal, behind))


def _is_refusal(exc: BaseException) -> bool:
    if isinstance(exc, OSError):
        path = str(Path(os.fsdecode(exc.filename)).absolute()) if isinstance(exc.filename, (str, bytes)) else ""
        if exc.errno in _refusals or (exc.errno == errno.ENOENT and _is_in(path, _hidden) and not _is_in(path, _shown)):
            return True
    return tells_refusal(text_of(exc) + _said(exc))


def tells_refusal(text: str) -> bool:
    """Return whether a text has the words of an error with which a confined process meets its limits."""
    return bool(_REFUSAL_TEXTS.search(text))


def _is_in(path: str, folders: tuple[str, ...]) -> bool:
    return path.startswith(tuple(folder + os.sep for folder in folders))


def _is_foreign_import_error(exc: BaseException) -> bool:
    """Whether the import of a package's module failed.

    Not a fact: a module of the probe is missing (a bug), or a whole package is (the matrix should name it).
    """
    if not isinstance(exc, ImportError):
        return False
    package = (exc.name or "").partition(".")[0]
    if isinstance(exc, ModuleNotFoundError) and package:
        return package != (__package__ or "") and importlib.util.find_spec(package) is not None
    return package != (__package__ or "")


def _raised_in(exc: BaseException) -> Literal["package", "probe"]:
    """Return the owner of the innermost frame that is not the standard library's."""
    frame = next(frames_outside_stdlib(exc), None)
    return "probe" if frame is None or frame.filename.startswith(tuple(_PROBE_FOLDERS)) else "package"


def _shorten(text: str, limit: int) -> str:
    """Cut the middle out of `text`: messages say what happened at their start, tracebacks at their end."""
    if len(text) <= limit:
        return text
    mark = "\n[…]\n"
    head = (limit - len(mark)) // 2
    return text[:head] + mark + text[-(limit - len(mark) - head) :]
