"""The remedies that were measured with a message: their order, and which of them may hold for a text. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from packaging.version import Version

from harness.matrix.selection import VARIANT_FIELDS
from harness.model import Stage
from harness.packaging_values import is_version
from harness.stack import RUN_SIDE

_CHANGED = re.compile(r"(?:^|, | (?=[\w.-]+[=<>!~]))([A-Za-z][\w.-]*)")
_NUMBER = re.compile(r"(?:^|, )[A-Za-z][\w.-]* (\d[^\s,]*)")
_FIELDS = frozenset(name.replace("_", "-") for name in VARIANT_FIELDS)
_EXPORTED_AGAIN = frozenset({"exporter", "opset", "attention"})
_LAYOUT = "layout"


def counted(remedies: Iterable[Sequence[str]], stage: Stage) -> dict[str, int]:
    """Change → the number of failures that it mended, in the order for a reader; `remedies` has those of each failure.

    At load and later a reader has a file: first comes what keeps it, then what exports it again, last another layout. Then
    come the most frequent first, then the cheapest: the remedies of each failure stand in the order of their cost.
    """
    counts: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for changes in remedies:
        counts.update(changes)
        places.update({change: place for place, change in enumerate(changes)})
    loaded = stage.number >= Stage.LOAD.number
    order = {change: (_effort(change) if loaded else 0, -count, places[change] / count) for change, count in counts.items()}
    return {change: counts[change] for change in sorted(order, key=order.__getitem__)}


def plain(remedy: str) -> str:
    """A remedy without the other values that it stands for."""
    return remedy.partition(" (also ")[0]


def distributions(change: str) -> set[str]:
    """The distributions that a change concerns."""
    return set(_CHANGED.findall(change)) - _FIELDS


def limit(change: str, measured: Sequence[str], own: Sequence[str]) -> str | None:
    """The limit that the numbers of a text set to a change, such as `at most 15`, if it does not keep it.

    The number that a change sets must stand to the numbers of the text as it stood to those that were `measured`: opset 18
    mended 20 of 19, and cannot mend 16 of 15.
    """
    pairs = [
        (Version(was), Version(now)) for was, now in zip(measured, own, strict=True) if is_version(was) and is_version(now)
    ]
    numbers = [Version(number) for number in _NUMBER.findall(change) if is_version(number)]
    limits = (_limit(number, pairs) for number in numbers if pairs)
    return next(filter(None, limits), None)


def _limit(number: Version, pairs: Sequence[tuple[Version, Version]]) -> str | None:
    was, failing = pairs[0]
    lower = number < was
    bounds = [now for was, now in pairs if (number <= was if lower else number >= was)]
    bound = min(bounds) if lower else max(bounds)
    strict = bound == failing and number != was
    if (number < bound if lower else number > bound) or (number == bound and not strict):
        return None
    return " ".join([("below" if strict else "at most") if lower else ("above" if strict else "at least"), str(bound)])


def _effort(change: str) -> int:
    names = set(_CHANGED.findall(change))
    if _LAYOUT in names:
        return 2
    return int(bool(names & _EXPORTED_AGAIN or names - _FIELDS - RUN_SIDE))
