"""What messages of packages and of uv say: the point of a long one, a conflict of versions, the premises of uv's proof.

The patterns take time in proportion to the message, whatever its content: every repetition in them is bounded.
"""

from __future__ import annotations

import re
from functools import lru_cache

CPP_PLACE = re.compile(
    r"/onnxruntime_src/\S{1,500}:\d+ "
    r"(?:(?=[^()]{0,1000}::)[^()]{0,1000}+\(.{0,2000}?\) )?(?:(?:[^.]|\.(?! )){0,1000}? was false\. )?"
)
"""The place in onnxruntime's source of an exception: signature of the function, and the condition that did not hold."""

_ARTIFACT = re.compile(r"<store>/artifacts/[0-9a-f]+/")
_HINT = re.compile(r"\n[^\S\n]*hint: (?P<unanswered>(?:An index|Packages were unavailable) .*)?", re.DOTALL)
"""A hint of uv, to be left out unless it is the reason why an index gave no answer."""

_CAUSED_BY = re.compile(r"\ncaused by (?=\w+: )")
"""The text before an innermost cause, as the probe writes it."""

_NO_SOLUTION = re.compile(r"(?:\u00d7 |error: )?No solution found when resolving dependencies:? (?:╰─▶ |cause: )?")
_CONCLUDED = "we can conclude that "

_OVERLOADS = re.compile(
    r"(?P<error>incompatible (?:function|constructor) arguments)\. The following argument types are supported:"
)
"""pybind11's error for a call that fits no signature; all signatures and the values follow."""

_GRAPH = re.compile(r"\s{1,4}\[Caused by the value '")
"""Where torchscript's exporter begins to print the graph around what it does not translate."""

_OCCURRED = re.compile(r"\(Occurred when [^()]*\)\.?\Z")
"""PyTorch's note about what it was doing."""


def plain(message: str) -> str:
    """`message` without the signatures and values that pybind11 lists."""
    found = _OVERLOADS.search(message)
    if found is None:
        return message
    listed = message[found.end() :].rstrip()
    note = _OCCURRED.search(listed)
    return message[: found.end("error")] + (listed[len(listed[: note.start()].rstrip()) :] if note else "")


@lru_cache(maxsize=1024)  # a report has the same few messages thousands of times
def headline(message: str, limit: int = 300) -> str:
    """The point of a message, on one line of at most `limit` characters.

    Packages write paths first and the point last, so the end of a long message is kept. Of an innermost cause the start is
    kept too, which has its class.
    """
    message = _GRAPH.split(plain(message), maxsplit=1)[0]
    hint = _HINT.search(message)
    content = hint["unanswered"] or message[: hint.start()] if hint else message
    if cause := _CAUSED_BY.search(content):
        outer = headline(content[: cause.start()], limit // 3)
        return f"{outer} caused by {_both_ends(_one_line(content[cause.end() :]), limit - len(outer) - len(' caused by '))}"
    text = _one_line(content)
    if proof := _NO_SOLUTION.search(text):
        text = text[: proof.start()] + _conclusion(text[proof.end() :])
    return text if len(text) <= limit else f"… {text[-limit:].partition(' ')[2]}"


def _one_line(text: str) -> str:
    return _ARTIFACT.sub("…/", CPP_PLACE.sub("", " ".join(text.split())))


def _both_ends(text: str, limit: int) -> str:
    """`text` without its middle: two thirds of `limit` at its start, the rest at its end."""
    if len(text) <= limit:
        return text
    start, end = limit * 2 // 3, limit // 3 - len(" … ")
    return f"{text[:start].rpartition(' ')[0]} … {text[-end:].partition(' ')[2]}"


def _conclusion(proof: str) -> str:
    """The last step of uv's proof: the last conclusion, and what contradicts it."""
    steps = proof.split(_CONCLUDED)
    return proof if len(steps) <= 2 else f"… {_CONCLUDED.join(steps[-2:])}"


_BETWEEN_VERSIONS = (
    (
        re.compile(r"No module named |cannot import name |module '[^']+' has no attribute "),
        "something that another version has is missing",
    ),
    (
        re.compile(
            r"undefined symbol|_ARRAY_API not found|compiled (?:using|against) NumPy|numpy\.core\.multiarray failed|"
            r"dtype size changed|binary incompatib|version `[^']{1,200}' not found"
        ),
        "binaries that were built for another version",
    ),
    (
        re.compile(
            r"is required but found|but (?:it|they) (?:was|were) not found|"
            r"[Rr]equires? (?:\S{1,200} ){1,3}?(?:[<>=]=?|version) ?\d|"
            r"[Pp]lease (?:install|upgrade|downgrade) |ir_version \d+ is higher than the checker's"
        ),
        "a check of versions",
    ),
)
_MISSING = {"ModuleNotFoundError", "ImportError"}


def between_versions(kind: str | None, message: str) -> str | None:
    """The kind of conflict between versions that a message describes, of an exception of class `kind`; None if none."""
    if kind in _MISSING:
        return _BETWEEN_VERSIONS[0][1]
    return next((conflict for pattern, conflict in _BETWEEN_VERSIONS if pattern.search(message)), None)


_ABOVE = re.compile(
    # The second one is that of onnxruntime up to 1.8.
    r"Unsupported model IR version: \d+, max supported IR version: \d+|Unknown model file format version|"
    r"Opset \d+ is under development"
)


def is_above(message: str) -> bool:
    """Whether onnxruntime says that a model's IR or opset is above its own; the oldest words are those of no stamp, too."""
    return bool(_ABOVE.search(message))


_DEMAND = re.compile(
    r"(all versions of [\w.\[\]-]{1,200}|(?<![\w.\[\]-])[\w.\[\]-]{1,200}[<>=]=?[\w.+!,<>=-]{1,500}) depends? on "
    r"([\w.\[\]-]+(?:[<>=!~][^\s]*)?)"
)


def demands(message: str) -> list[str]:
    """The requirements that uv's proof names: `onnxruntime==1.18.1 depends on numpy>=1.26,<2`."""
    text = " ".join(message.split())
    return list(
        dict.fromkeys(
            f"{demand[1]} depend{'' if demand[1].startswith('all ') else 's'} on {demand[2].rstrip(',.')}"
            for demand in _DEMAND.finditer(text)
        )
    )
