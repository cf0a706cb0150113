"""What messages say: the end of a long one, what is wrong between versions, what uv's proof rests on.

The patterns take time in proportion to the message, whatever is in it: what may repeat within them is bounded.
"""

from __future__ import annotations

import re

CPP_PLACE = re.compile(
    r"/onnxruntime_src/\S{1,500}:\d+ "
    r"(?:(?=[^()]{0,1000}::)[^()]{0,1000}+\(.{0,2000}?\) )?(?:(?:[^.]|\.(?! )){0,1000}? was false\. )?"
)
"""Where in onnxruntime's source an exception was thrown: the function's signature, and the condition that did not hold."""

_ARTIFACT = re.compile(r"<store>/artifacts/[0-9a-f]+/")
_HINT = re.compile(r"\n[^\S\n]*hint: (?P<unasked>(?:An index|Packages were unavailable) .*)?", re.DOTALL)
"""What uv advises: to be left out, but where it is the reason why there is no answer."""

_CAUSED_BY = re.compile(r"\ncaused by (?=\w+: )")
"""What stands before an innermost cause: see probe/messages.py."""

_NO_SOLUTION = re.compile(r"(?:\u00d7 |error: )?No solution found when resolving dependencies:? (?:╰─▶ |cause: )?")
_CONCLUDED = "we can conclude that "

_OVERLOADS = re.compile(
    r"(?P<said>incompatible (?:function|constructor) arguments)\. The following argument types are supported:"
)
"""What pybind11 says of a call that fits none of its signatures, all of which it lists, and with which values."""

_OCCURRED = re.compile(r"\(Occurred when [^()]*\)\.?\Z")
"""What PyTorch adds: what it was doing."""


def plain(message: str) -> str:
    """Return the message without what it lists and does not say."""
    found = _OVERLOADS.search(message)
    if found is None:
        return message
    listed = message[found.end() :].rstrip()
    where = _OCCURRED.search(listed)
    return message[: found.end("said")] + (listed[len(listed[: where.start()].rstrip()) :] if where else "")


def headline(message: str, limit: int = 300) -> str:
    """What a message comes down to, on one line of at most `limit` characters.

    Of a long one the end, because packages put the path first and the point last; of an innermost cause that comes with it
    the start too, which says what it is.
    """
    message = plain(message)
    hint = _HINT.search(message)
    said = hint["unasked"] or message[: hint.start()] if hint else message
    if cause := _CAUSED_BY.search(said):
        outer = headline(said[: cause.start()], limit // 3)
        return f"{outer} caused by {_both_ends(_one_line(said[cause.end() :]), limit - len(outer) - len(' caused by '))}"
    text = _one_line(said)
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
    """The last step of uv's proof: what follows from the steps before, and what it is at odds with."""
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
            r"[Pp]lease (?:install|upgrade|downgrade) "
        ),
        "a check of versions",
    ),
)
_MISSING = {"ModuleNotFoundError", "ImportError"}


def between_versions(kind: str | None, message: str) -> str | None:
    """What the failure of an exception of class `kind` is by its own words, if it is one between versions."""
    if kind in _MISSING:
        return _BETWEEN_VERSIONS[0][1]
    return next((what for pattern, what in _BETWEEN_VERSIONS if pattern.search(message)), None)


_ABOVE = re.compile(r"Unsupported model IR version: \d+, max supported IR version: \d+|Opset \d+ is under development")


def is_above(message: str) -> bool:
    """Whether onnxruntime says that a model's IR or opset is above its own."""
    return bool(_ABOVE.search(message))


_DEMAND = re.compile(
    r"(?P<who>all versions of [\w.\[\]-]{1,200}|(?<![\w.\[\]-])[\w.\[\]-]{1,200}[<>=]=?[\w.+!,<>=-]{1,500}) depends? on "
    r"(?P<what>[\w.\[\]-]+(?:[<>=!~][^\s]*)?)"
)


def demands(message: str) -> list[str]:
    """What distributions ask for, as far as uv's proof names it: `onnxruntime==1.18.1 depends on numpy>=1.26,<2`."""
    text = " ".join(message.split())
    return list(
        dict.fromkeys(
            f"{found['who']} depend{'' if found['who'].startswith('all ') else 's'} on {found['what'].rstrip(',.')}"
            for found in _DEMAND.finditer(text)
        )
    )
