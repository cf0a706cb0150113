"""Where something that was good went bad: the search itself, pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Probe = Callable[[Sequence[int]], Sequence[bool | None]]
"""Positions → for each of them whether it is good; None where it cannot tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """Two positions, one seen to be good and a later one seen to be bad, as near to each other as could be told."""

    good: int
    bad: int
    untold: tuple[int, ...]
    """Positions between the two that were asked and did not tell."""


def boundary(last: int, probe: Probe, *, at_once: int = 1) -> Transition:
    """Where good turns bad, when position 0 is good and `last` is bad.

    Each round asks `at_once` positions, which cut the widest unknown stretch into equal parts: about log(last) to the base
    `at_once` + 1 rounds. A position that cannot tell is skipped. Where good and bad alternate, one of the places where they
    meet is found.
    """
    good, bad = 0, last
    untold: set[int] = set()
    while stretch := _widest(good, bad, untold):
        positions = _cuts(*stretch, at_once)
        answers = dict(zip(positions, probe(positions), strict=True))
        untold.update(position for position, answer in answers.items() if answer is None)
        good, bad = _narrowed(good, bad, answers)
    return Transition(good=good, bad=bad, untold=tuple(sorted(one for one in untold if good < one < bad)))


def _cuts(low: int, high: int, count: int) -> list[int]:
    """Up to `count` positions that cut a stretch into equal parts, without its ends."""
    cuts = (low + (high - low) * part // (count + 1) for part in range(1, count + 1))
    return list(dict.fromkeys(max(low + 1, cut) for cut in cuts))


def _narrowed(good: int, bad: int, answers: Mapping[int, bool | None]) -> tuple[int, int]:
    """The first bad position, and the last good one before it."""
    for position in sorted(answers):
        if answers[position]:
            good = position
        elif answers[position] is False:
            return good, position
    return good, bad


def _widest(good: int, bad: int, untold: set[int]) -> tuple[int, int] | None:
    """The ends of the widest stretch between `good` and `bad` that has positions nobody asked about; None at the end."""
    marks = sorted({good, bad, *(one for one in untold if good < one < bad)})
    stretches = [(low, high) for low, high in itertools.pairwise(marks) if high - low > 1]
    return max(stretches, key=lambda ends: ends[1] - ends[0], default=None)
