"""Where something that was good went bad: the search itself, pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """Two positions, one seen to be good and a later one seen to be bad, as near to each other as could be told."""

    good: int
    bad: int
    untold: tuple[int, ...]
    """Positions between the two that were asked and did not tell."""


def boundary(last: int, probe: Callable[[int], bool | None]) -> Transition:
    """Where good turns bad, when position 0 is good and `last` is bad; about log2(last) calls of `probe`.

    `probe` says whether a position is good, or None where it cannot tell: such a position is skipped, and the middle of
    the widest stretch that is left is asked next. Where good and bad alternate, one of the places where they meet is found.
    """
    good, bad = 0, last
    untold: set[int] = set()
    while stretch := _widest(good, bad, untold):
        middle = (stretch[0] + stretch[1]) // 2
        match probe(middle):
            case True:
                good = middle
            case False:
                bad = middle
            case None:
                untold.add(middle)
    return Transition(good=good, bad=bad, untold=tuple(sorted(one for one in untold if good < one < bad)))


def _widest(good: int, bad: int, untold: set[int]) -> tuple[int, int] | None:
    """The ends of the widest stretch between `good` and `bad` that has positions nobody asked about; None at the end."""
    marks = sorted({good, bad, *(one for one in untold if good < one < bad)})
    stretches = [(low, high) for low, high in itertools.pairwise(marks) if high - low > 1]
    return max(stretches, key=lambda ends: ends[1] - ends[0], default=None)
