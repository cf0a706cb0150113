"""Messages in the form in which a pasted one is compared with those that were measured.

A form has neither paths, places in C++ sources, shapes nor names of nodes (`verdicts/signature.normalised`), nor what a
terminal, a browser or another binding of onnxruntime adds. A pattern is a form in which numbers are free: they are read, so
that an answer can say for which values it was measured.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from harness.verdicts.signature import normalised

INSIDE = "Status Message: "
"""The text before what failed inside a node of onnxruntime."""
RUNNING = "Non-zero status code returned while running "
"""How onnxruntime begins a message about a node."""
_SOURCE = r"\.(?:h|hpp|cc|cpp|cu|cuh|mm):\d+"

_CLEANED = (
    (re.compile(r"\x1b\[[0-9;]*[A-Za-z]"), ""),
    # pytest, quotations, and the frames that rich and uv draw.
    (re.compile(r"^(?:E {2,}|(?:[ \t│┃║❱|╰╭─▶\xd7]|>(?=[ \t]))+)|(?<![ \t│┃║|])[ \t│┃║|]+$", re.MULTILINE), ""),
    (re.compile("[\u2018\u2019]"), "'"),
    (re.compile("[\u201c\u201d]"), '"'),
    (re.compile("[`#\u200b]|\\*\\*"), ""),
    # A path of Windows.
    (re.compile(r"(?<![A-Za-z])[A-Za-z]:\\[^\s'\"]*"), lambda found: found[0][2:].replace("\\", "/")),
)
_PLACES = (
    # The folder in which onnxruntime was built differs between the platforms.
    (re.compile(rf"(?<![^\s'\":(])[^\s'\":(]*/([\w.-]+{_SOURCE}),? "), r"/onnxruntime_src/\1 "),
    # Microsoft's compiler names the function without its arguments.
    (re.compile(rf"(/onnxruntime_src/[\w.-]+{_SOURCE}) (?:[\w<>,]+::)+[~\w<>,]+ (?=[^\s(])"), r"\1 "),
    # A status, unlike an exception, has the name of the file alone.
    (re.compile(rf"(?<![\w/.-])[\w-]+{_SOURCE} (?:[\w<>,]+::)*[~\w<>,]+ (?=[^\s(])"), ""),
)
_UNIFIED = (
    (re.compile(r"(?<![\w.…-])[\w.…-]*…/"), "…/"),
    (re.compile(r"(with name )'[^']*'"), r"\1''"),
    # In names too, such as those of interpreters and types: `names` has what they are.
    (re.compile(r"(?<=[A-Za-z_/])\d+(?=[^.\d]|$)|(?<=[A-Za-z_]\.)\d+\b"), "…"),
)
_VALUE = re.compile(r"(?<![\w.…/'])(?:\d(?:[\w+…]|\.(?=[\w…]))*|…(?![\w/}'\]]))")
"""A number or a version that stands alone; `normalised` has replaced those that vary from run to run."""
_IMPORT = re.compile(r"import (\w+)[\w.-]*: ")
_PREFIXES = (
    re.compile(r"case [^\n]*?, step \d+: "),
    _IMPORT,
    re.compile(r"it cannot exchange arrays with the installed numpy: "),
    re.compile(r"(?:[\w-]+: )?\[ONNXRuntimeError\] : \d+ : \w+ : "),
    re.compile(r"(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception|Warning|Fail|InvalidArgument|NotImplemented): "),
    re.compile(r"Load model from .{1,500}? failed:"),
)
"""What stands before the message of a package: the harness's own words, a class, onnxruntime's way to load."""
_CAUSED_BY = re.compile(r"\s*\ncaused by \w+: ")
_OVERLOADS = re.compile(r"\. The following argument types are supported:.*?(?=\(Occurred when|\Z)", re.DOTALL)
_ADVICE = re.compile(
    r"\.\s+(?:Please (?:feel free to request support|open a bug to request)|If this call came from|"
    r"`?np\.\w+`? was a deprecated) .*",
    re.DOTALL,
)
"""What PyTorch asks for behind an operator that cannot be exported, and what protobuf and numpy explain; many leave it out."""
_FRAMES = re.compile(
    r"\s+(?:\(Size-like symbols: |consider using |Caused by: \(|The following call raised this error:|<omitting python frames>|"
    r"While executing %|Original traceback:|\[Caused by the value ').*",
    re.DOTALL,
)
"""Where torch.export adds symbols and sources of a model, or torchscript its graph: they differ between models."""
_CUT = " […] "
"""Stands for the middle of a message in a report (`report_schema.shortened`)."""
_NAMES = re.compile(r"(?<!Name:)(?<!name )'([A-Za-z_][\w.]*)'")
_TYPES = re.compile(r"\b(?:u?int|b?float|complex)\d+\w*")
_NUMBERS = re.compile(r"[\d_]+")
_DISTINCT = (50, 8)
"""Characters and words."""
_CONTEXT = 60
"""Characters of a cause that identifies a failure by itself."""
_GAP = r".{0,4000}?"


def cleaned(text: str) -> str:
    """`text` without what a terminal, a test runner or a browser adds."""
    text = html.unescape(text)
    for pattern, instead in _CLEANED:
        text = pattern.sub(instead, text)
    return text


def form(text: str) -> str:
    """The form of a message or a log."""
    text = " ".join(cleaned(text).split())
    for pattern, instead in _PLACES:
        text = pattern.sub(instead, text)
    text = normalised(text)
    for pattern, instead in _UNIFIED:
        text = pattern.sub(instead, text)
    return text


def trimmed(found: str) -> str:
    """A form without what closes a sentence, and without a bracket that nothing opens."""
    found = found.strip(" .")
    return found.rstrip(")") if found.count(")") > found.count("(") else found


def parts(message: str, *, complaints: bool = False) -> tuple[str, ...]:
    """The forms of a message of a report that a text must have, one behind the other, to be that message.

    They are its innermost cause, and what is left where the report or the package lists something in its middle. With
    `complaints` the message is a list of log lines that the probe has put together, and the first is the point.
    """
    outer, *inner = _CAUSED_BY.split(message)
    if inner:
        # A short one says something together with the exception that it led to, which a traceback has behind it.
        message = inner[-1] if len(inner[-1]) >= _CONTEXT else f"{inner[-1]}{_CUT}{outer}"
    message = _FRAMES.sub("", _ADVICE.sub("", _OVERLOADS.sub(_CUT, message)))
    for prefix in _PREFIXES:
        message = message[found.end() :] if (found := prefix.match(message)) else message
    if complaints:
        message = message.partition("; ")[0]
    # What the probe joins to an exception without a text.
    message = message.removeprefix("; ")
    return tuple(filter(None, (trimmed(form(part)) for part in message.split(_CUT))))


def proof(message: str) -> tuple[str, ...]:
    """As `parts`, of uv's proof that there is no solution: its end, since what it lists grows with every release."""
    proved = message.partition("\nhint:")[0].rpartition(_CUT)[2]
    start = re.search(r"\b(?:And b|B)ecause ", proved)
    return (trimmed(form(proved[start.start() :] if start else proved)),)


def imported(message: str) -> str | None:
    """The module whose import failed with a message of a report; None if it is not about an import."""
    found = _IMPORT.match(message)
    return found[1] if found else None


def template(found: str) -> str:
    """A form with `#` in place of every value."""
    return _VALUE.sub("#", found)


def values(found: str) -> tuple[str, ...]:
    """The values of a form, from left to right."""
    return tuple(_VALUE.findall(found))


def pattern(templates: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern for templates that stand one behind the other in a form; its groups are the values."""
    value = f"({_VALUE.pattern})"
    pieces = [value.join(map(re.escape, each.split("#"))) for each in templates]
    # A node inside another one is another message; lines may have been joined without the space.
    return re.compile(rf"(?<![\w'])(?<!{INSIDE})(?<!{INSIDE.strip()}){_GAP.join(pieces)}(?![\w'])")


def innermost(found: str) -> str:
    """The end of a form that says what is wrong, without the nodes in which it happened."""
    return found.rpartition(INSIDE)[2]


def operators(found: str) -> list[str]:
    """The operators of the nodes in which it happened, the outermost first."""
    return re.findall(rf"{RUNNING}(\w+) node", found)


def is_distinct(end: str) -> bool:
    """Whether the innermost end of a message means something by itself: a long sentence, and not about sizes."""
    return "{…}" not in end and len(end) >= _DISTINCT[0] and len(end.split()) >= _DISTINCT[1]


def names(text: str) -> set[str]:
    """The quoted names with digits in a text, and its types, which its form does not have: `float4_e2m1fn`."""
    return {name for name in _NAMES.findall(text) if any(map(str.isdigit, name))}.union(_TYPES.findall(text))


def nodes(text: str) -> Iterator[str]:
    """Where each node stands that a message of onnxruntime names: operator, then the end of its name without numbers."""
    for operator, name in re.findall(rf"{RUNNING}(\w+) node\. Name:'([^']*)'", " ".join(text.split())):
        end = name.strip("/").split("/")[-3:]
        yield f"{operator} {_NUMBERS.sub('', '/'.join(end))}"
