"""The message of an exception as it is reported: with its innermost cause, and without what differs from run to run.

The full text is in the traceback that is reported with it.
"""

from __future__ import annotations

import os
import re
import sysconfig
import tempfile
import traceback
from pathlib import Path
from typing import Iterator

_STDLIB = tuple(os.path.realpath(sysconfig.get_path(key)) + os.sep for key in ("stdlib", "platstdlib"))
_HERE = Path(__file__).resolve().parent

CAUSED_BY = "\ncaused by "
"""Stands between the message of an exception and that of its innermost cause; verdicts/messages.py looks for it."""

_SUMMARY = re.compile(
    r"\s*## Exception summary\s+(?P<innermost><class '.*?)(?:⬆️.*?)?\s*(?:\(Refer to the full stack trace above[^)]*\)|\Z)",
    re.DOTALL,
)
"""The chain of exceptions as text, innermost first, at the end of a message of torch.onnx."""

_BOILERPLATE = (
    # torch.onnx: next steps for each of its three steps.
    re.compile(r"(?: This is step \d/\d of exporting the model to ONNX\.)? Next steps:\n(?:- [^\n]*(?:\n|\Z))+"),
    re.compile(r"\s*Error report has been saved to '[^']*'\."),
    # torch.export
    re.compile(r"\s*The error above occurred when calling torch\.export\.export\.[^`]*`export\(\)`[^`]*`draft_export\(\)`\."),
    # torch._dynamo and torch.export: where to find more information, a line or a sentence at the end of one.
    re.compile(r"(?:\s*\n|(?<=[.!?]) )(?:[^\n.!?]|[.!?](?! ))*\b(?:TORCH_LOGS|TORCHDYNAMO_\w+)\b[^\n]*"),
    re.compile(r"\s*\n\s*For more (?:information|debugging help)[^\n]*"),
    re.compile(
        r"\s*\n\s*You can suppress this exception and fall back to eager[^\n]*(?:\s*\n\s*(?:import )?torch\._dynamo[^\n]*)*"
    ),
    # C++: the place, and the frames, each with an address.
    re.compile(r"\s*Exception raised from [^\n]* \(most recent call first\):"),
    re.compile(r"\n\s*frame #\d+:[^\n]*"),
)

_RANDOM = (
    (re.compile(r" at 0x[0-9a-fA-F]+(?=[>\s,);:]|\Z)"), ""),
    (re.compile(r"\b0x[0-9a-fA-F]{9,16}\b"), "0x…"),
    (re.compile(r"(?:/[^\s'\":/]+)+/site-packages/"), ""),
    (re.compile(r"(?:/[^\s'\":/]+)*/tmp/[^\s'\":/]+/"), "…/"),
)
"""Addresses, and folders of this process."""


def summary(exc: BaseException, text: str | None = None) -> str:
    """Return the message of `exc` (or `text` instead), and that of its innermost cause if it adds something."""
    outer = plain(text) if text is not None else sentence(exc)
    *between, innermost = chain(exc)
    if not between:
        return _SUMMARY.sub(lambda found: "\n" + found["innermost"], outer).strip()
    outer = _SUMMARY.sub("", outer).strip()
    inner = sentence(innermost)
    if _squeezed(inner) in _squeezed(outer):
        return outer
    kind = f"{class_name(innermost)}: "
    return f"{outer}{CAUSED_BY}{kind}{inner[len(kind) :] if inner.startswith(kind) else inner}"


def sentence(exc: BaseException) -> str:
    """Return the text of `exc`; with its class and place where it is not a sentence (one word, such as a key, or empty)."""
    text = plain(text_of(exc)).strip()
    if any(map(str.isspace, text)):
        return text
    kind = class_name(exc)
    return " ".join(filter(None, [f"{kind}: {text}" if text else kind, _place(exc)]))


def text_of(exc: BaseException) -> str:
    """Return `str(exc)`, which is code of a package; empty where that raises."""
    try:
        return str(exc)
    except BaseException:  # noqa: BLE001 - it must not end the process within the stage that it is about
        return ""


def with_class(exc: BaseException) -> str:
    """Return `ValueError: text of it`."""
    return f"{class_name(exc)}: {text_of(exc)}"


def class_name(exc: BaseException) -> str:
    """Return the name of the class of `exc`, whatever its metaclass makes of `__name__`."""
    return _of_class(type(exc), "__name__")


def class_names(exc: BaseException) -> Iterator[tuple[str, str]]:
    """Yield (top-level module, name) of the class of `exc` and of its bases."""
    return ((_of_class(kind, "__module__").partition(".")[0], _of_class(kind, "__name__")) for kind in type(exc).__mro__)


def _of_class(kind: type, attribute: str) -> str:
    value: str = type.__dict__[attribute].__get__(kind)
    return value


def plain(text: str) -> str:
    """Return `text` without boilerplate, colours, addresses and temporary folders."""
    text = without_colours(text)
    for pattern, instead in _RANDOM:
        text = pattern.sub(instead, text)
    for pattern in _BOILERPLATE:
        text = pattern.sub("", text)
    return re.sub(re.escape(tempfile.gettempdir()) + r"/[^\s'\":/]+/", "…/", text)


def without_colours(text: str) -> str:
    """Return `text` without terminal colours, which exporters put into messages."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def chain(exc: BaseException) -> list[BaseException]:
    """Return `exc` and its causes, the innermost last.

    A cause is named by `raise … from`, or was caught by the function that raises. An exception that was caught before *another*
    function failed (a fallback) is no cause.
    """
    causes = [exc]
    while True:
        cause = causes[-1].__cause__ or _wrapped(causes[-1])
        if cause is None or any(cause is known for known in causes):
            return causes
        causes.append(cause)


def frames_outside_stdlib(exc: BaseException) -> Iterator[traceback.FrameSummary]:
    """Yield the frames of `exc`, the innermost first. The standard library only reports what its caller did."""
    frames = traceback.StackSummary.extract(traceback.walk_tb(exc.__traceback__), lookup_lines=False)
    return (frame for frame in reversed(frames) if not _is_stdlib(frame.filename))


def _wrapped(exc: BaseException) -> BaseException | None:
    context = exc.__context__
    if context is None or exc.__suppress_context__ or context.__traceback__ is None:
        return None
    raising = [frame for frame, _ in traceback.walk_tb(exc.__traceback__)]
    return context if raising and raising[-1] is context.__traceback__.tb_frame else None


def _place(exc: BaseException) -> str:
    frame = next(frames_outside_stdlib(exc), None)
    if frame is None:
        return ""
    line = f": {frame.line}" if frame.line else ""
    return f"(in {_short(frame.filename)}, {frame.name}{line})"


def _short(filename: str) -> str:
    path = Path(filename)
    if "site-packages" in path.parts:
        return "/".join(path.parts[path.parts.index("site-packages") + 1 :])
    return path.relative_to(_HERE.parent).as_posix() if _HERE in path.parents else path.name


def _is_stdlib(filename: str) -> bool:
    if filename.startswith("<frozen "):
        return True
    path = os.path.realpath(filename)
    return path.startswith(_STDLIB) and "site-packages" not in path


def _squeezed(text: str) -> str:
    return "".join(text.split())
