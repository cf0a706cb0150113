"""What onnxruntime says of a damaged file or a wrong feed, against what each release says of the same misuse. Pure.

Such a message is about the file or the program, not about versions. The messages that were measured have the names, sizes
and types of a model of one node; in a text any others may stand there.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.decide import message_forms
from harness.decide.model_support import Reading
from harness.model import Stage
from harness.verdicts.runtime_misuse import MeasuredMisuse, Misuse

_PART = re.compile(r"\['\{(\w+)\}'\]|\{(\w+)\}")
"""A list of names, or one part, in a measured message."""
_SIZES = r"index: \d{1,9} Got: -?\d{1,12} Expected: -?\d{1,12}"
_TYPE = r"(?:tensor|sparse_tensor|seq|map|optional)\([\w(),]{1,60}\)"
_NUMBER = r"-?\d{1,12}"
_PARTS = {
    "path": r"(?:(?! failed:|Load model from ).){1,500}?",
    "sizes": rf"{_SIZES}(?: {_SIZES}){{0,15}}",
    "got": _NUMBER,
    "expected": _NUMBER,
    "number": _NUMBER,
    "got_type": _TYPE,
    "expected_type": _TYPE,
    "available": r"[\w, ']{1,400}",
    "place": r"[\w.]{1,100}:\d{1,6} \w{1,100}",
}
"""Part of a message → what may stand there in a text; where it is none of these, a name."""
_UNNAMED = {"number", "place"}
"""Parts of which several in a message have nothing to do with each other."""
_NAME = r"[^\s'\"\[\](),;]{1,200}"
_COMMON = {"absent-data", "extra-input", "unknown-output"}
"""Ways with messages that other programs have too: the text must name onnxruntime."""
_RUNTIME = re.compile(r"onnx[-_ ]?runtime|\bort\b|\bOrt(?:::|Error|Exception)|InferenceSession", re.IGNORECASE)
_NAMES = r"(?:'[^\[\]]{1,2000}')?"


@dataclass(frozen=True, kw_only=True, slots=True)
class MisuseRefusal:
    """What is wrong with a file or a feed, as the onnxruntime of a text says."""

    ways: tuple[str, ...]
    """See `Misuse`."""
    stage: Stage
    what: tuple[str, ...]
    """What is wrong, with the names of the text: several where their messages are the same."""
    saying: tuple[str, ...]
    """The measured onnxruntimes with these words."""
    readings: dict[str, Reading]
    """Measured onnxruntime → READS if it takes the same without a word."""


def misuse_refusals(text: str, misuse: Callable[[], MeasuredMisuse]) -> list[MisuseRefusal]:
    """The refusals that `text` has, each once. `misuse` reads what was measured."""
    lines = message_forms.cleaned(text)
    joined = " ".join(lines.split())
    measured = misuse()
    named = bool(_RUNTIME.search(joined))
    found: dict[tuple[str, str], list[tuple[Misuse, str]]] = {}
    for own in measured.misuses:
        for message in own.messages if named or own.way not in _COMMON else ():
            # Where a name ends the message, the line says where it ends.
            ends = _ends_in_a_name(message)
            # Without all that the sentence takes, as in a message that counts inputs, it does not say what is wrong.
            whole = set(_parts(own.what)) <= set(_parts(message))
            for match in _pattern(message).finditer(lines if ends else joined) if whole else ():
                what = own.what.format_map(_Wording(match.groupdict()))
                found.setdefault((message, match[0]), []).append((own, what))
    refusals = (_refusal(message, ways, measured) for (message, _), ways in found.items())
    return list({refusal.what: refusal for refusal in refusals}.values())


def _refusal(message: str, ways: list[tuple[Misuse, str]], measured: MeasuredMisuse) -> MisuseRefusal:
    saying = {version for own, _ in ways for version in measured.saying(own.messages[message])}
    refusing = [set(_refusing(own, measured)) for own, _ in ways]
    return MisuseRefusal(
        ways=tuple(own.way for own, _ in ways),
        stage=Stage(ways[0][0].stage),
        what=tuple(dict.fromkeys(what for _, what in ways)),
        saying=tuple(version for version in measured.releases if version in saying),
        readings={
            version: Reading.REFUSES if any(version in own for own in refusing) else Reading.READS
            for version in measured.releases
        },
    )


def _refusing(own: Misuse, measured: MeasuredMisuse) -> Iterator[str]:
    for places in own.messages.values():
        yield from measured.saying(places)


class _Wording(dict[str, str]):
    """What stands in the parts of a message: `a, b` for the list `'a', 'b'`, and `…` for a part that it lacks."""

    def __getitem__(self, name: str) -> str:
        value = self.get(name, "…").strip("'.").replace("', '", ", ")
        return value.rpartition("/")[2] if name == "path" else value


def _parts(text: str) -> list[str]:
    return [part[1] or part[2] for part in _PART.finditer(text)]


def _ends_in_a_name(message: str) -> bool:
    return message.endswith("}") and _parts(message)[-1] not in _PARTS


@functools.cache
def _pattern(message: str) -> re.Pattern[str]:
    """What a text must have to be that message; its groups are the parts that vary."""
    pieces, place, seen = [r"(?<![\w'])"], 0, set[str]()
    for part in _PART.finditer(message):
        name = part[1] or part[2]
        pieces.append(re.escape(message[place : part.start()]))
        value = _NAMES if part[1] else _PARTS.get(name, _NAME)
        if name not in _UNNAMED:
            value = f"(?P={name})" if name in seen else f"(?P<{name}>{value})"
        pieces.append(rf"\[{value}\]" if part[1] else value)
        seen.add(name)
        place = part.end()
    end = r"\.?[ \t]*$" if _ends_in_a_name(message) else ""
    return re.compile("".join([*pieces, re.escape(message[place:]), end]), re.MULTILINE)
