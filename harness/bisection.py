"""Where good turns bad in a sequence: the only bisection, for `bisect`, remedies of a target, and boundaries. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Probe = Callable[[Sequence[int]], Sequence[bool | None]]
"""Positions → whether each is good; None if that is unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """A good position and a later bad one, with no known position between them."""

    good: int
    bad: int
    unknown: tuple[int, ...]
    """Positions between the two that were probed and stayed unknown."""


def transition(last: int, probe: Probe, *, at_once: int = 1) -> Transition:
    """Where good turns bad, when position 0 is good and `last` is bad.

    Each round probes `at_once` positions that cut the widest stretch into equal parts: about log(last) to the base
    `at_once` + 1 rounds. An unknown position is skipped. If good and bad alternate, one of the places between them is found.
    """
    good, bad = 0, last
    unknown: set[int] = set()
    while stretch := _widest(good, bad, unknown):
        positions = _cuts(*stretch, at_once)
        answers = dict(zip(positions, probe(positions), strict=True))
        unknown.update(position for position, answer in answers.items() if answer is None)
        good, bad = _narrowed(good, bad, answers)
    return Transition(good=good, bad=bad, unknown=tuple(sorted(position for position in unknown if good < position < bad)))


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


def _widest(good: int, bad: int, unknown: set[int]) -> tuple[int, int] | None:
    """The ends of the widest stretch between `good` and `bad` with positions that were not probed; None if there is none."""
    marks = sorted({good, bad, *(position for position in unknown if good < position < bad)})
    stretches = [(low, high) for low, high in itertools.pairwise(marks) if high - low > 1]
    return max(stretches, key=lambda ends: ends[1] - ends[0], default=None)
