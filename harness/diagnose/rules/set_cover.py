"""The smallest conjunctions that hold for failures and for nothing that passed: set cover on bit sets, pure.

The cost of a conjunction is the sum of the costs of its atoms. Of all conjunctions without a counter-example the cheapest
are taken first; of equally cheap ones, the one that covers most of the failures that are not covered yet. One conjunction
takes the place of two or more that cost as much.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.diagnose.rules.outcomes import union

LARGEST = 4
"""Largest cost of a conjunction: with more than four parts anything can be separated from anything."""

PATIENCE = 500_000
"""Number of conjunctions after which the search ends with those that it has found."""

JOINABLE = 40
"""Largest number of conjunctions that are joined in pairs: more are a list of exceptions and no explanation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """An atom in the search."""

    bits: int
    """Where it holds."""
    cost: int
    rank: tuple[int, ...]
    """Of conjunctions that do not differ otherwise, the one with the smaller ranks is taken."""
    name: str


Conjunction = tuple[int, ...]
"""Places of its parts, ascending."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """A conjunction of the cover."""

    parts: Conjunction
    support: int
    """The failures for which it holds."""
    others: tuple[Conjunction, ...]
    """Equally cheap ones about other features with exactly this support: these observations do not tell them apart."""


def cover(parts: Sequence[Part], failed: int, passed: int) -> list[Chosen]:
    """Few conjunctions that hold for as many of `failed` as any can, and for none of `passed`.

    None if nothing passed: then there is nothing to separate the failures from.
    """
    if not passed:
        return []
    left, chosen, search = failed, list[Chosen](), _CoverSearch(parts=parts, failed=failed, passed=passed)
    for cost in range(1, LARGEST + 1):
        if not left:
            break
        found = search.all_of(cost, left)
        while found:
            chosen.append(search.best(found, left))
            left &= ~chosen[-1].support
            found = {support: ways for support, ways in found.items() if support & left}
    return _joined(_needed(chosen), search)


def _needed(chosen: Sequence[Chosen], beside: Sequence[Chosen] = ()) -> list[Chosen]:
    """`chosen` without those with a support that the others and `beside` cover; the dearest and weakest go first."""
    kept = [*chosen, *beside]
    for conjunction in sorted(chosen, key=lambda conjunction: (-len(conjunction.parts), conjunction.support.bit_count())):
        if not conjunction.support & ~_support(other for other in kept if other is not conjunction):
            kept.remove(conjunction)
    return kept


def _joined(chosen: list[Chosen], search: _CoverSearch) -> list[Chosen]:
    """`chosen` with one conjunction in place of two or more, if it covers their support and costs no more."""
    for two in itertools.combinations(chosen, 2) if len(chosen) <= JOINABLE else ():
        required = _support(two) & ~_support(other for other in chosen if other not in two)
        allowed = [place for place, part in enumerate(search.parts) if not required & ~part.bits]
        for cost in range(1, min(search.cost(two), LARGEST) + 1):
            if found := search.all_of(cost, required, allowed):
                fewer = _needed(chosen, [search.best(found, required)])
                # At equal cost one interval explains more than two single versions.
                if (search.cost(fewer), len(fewer)) < (search.cost(chosen), len(chosen)):
                    return _joined(fewer, search)
    return chosen


def _support(chosen: Iterable[Chosen]) -> int:
    return union(conjunction.support for conjunction in chosen)


_Found = dict[int, dict[frozenset[str], Conjunction]]
"""Support → names of the features → the best conjunction about them."""


@dataclass(kw_only=True, slots=True)
class _CoverSearch:
    parts: Sequence[Part]
    failed: int
    passed: int
    required: int = 0
    budget: int = 0
    looked: int = 0
    found: _Found = field(default_factory=dict)

    def all_of(self, cost: int, required: int, allowed: Iterable[int] | None = None) -> _Found:
        """All conjunctions of exactly this cost that hold for any of `required` and for nothing that passed.

        With `allowed`, of these parts only.
        """
        self.found, self.required, self.budget = {}, required, cost
        self._extend((), list(range(len(self.parts)) if allowed is None else allowed), self.failed, self.passed)
        return self.found

    def best(self, found: _Found, required: int) -> Chosen:
        """The conjunction that covers most of `required`, then the one with the largest support."""
        sizes = {support: ((support & required).bit_count(), support.bit_count()) for support in found}
        largest = max(sizes.values())
        ties = [support for support, size in sizes.items() if size == largest]
        support = min(ties, key=lambda support: min(map(self._ranks, found[support].values())))
        first, *others = sorted(found[support].values(), key=self._ranks)
        return Chosen(parts=first, support=support, others=tuple(others))

    def cost(self, chosen: Iterable[Chosen]) -> int:
        """The sum of their costs."""
        return sum(self.parts[place].cost for conjunction in chosen for place in conjunction.parts)

    def _extend(self, chosen: Conjunction, allowed: list[int], failed: int, passed: int) -> None:
        """Extend `chosen` by each part that excludes the first variant that passed: every conjunction has one of those.

        A part that has been tried is not allowed beside the ones after it, so no conjunction is found twice.
        """
        first = passed & -passed
        left = self.budget - sum(self.parts[place].cost for place in chosen)
        excluding = [place for place in allowed if not self.parts[place].bits & first]
        beside = [place for place in allowed if self.parts[place].bits & first]
        for tried, place in enumerate(excluding):
            part = self.parts[place]
            support = failed & part.bits
            if part.cost > left or not support & self.required:
                continue
            if self.looked >= PATIENCE:
                return
            self.looked += 1
            counter = passed & part.bits
            if part.cost < left and counter:
                self._extend((*chosen, place), beside + excluding[tried + 1 :], support, counter)
            elif part.cost == left and not counter:
                self._note(tuple(sorted((*chosen, place))), support)

    def _note(self, conjunction: Conjunction, support: int) -> None:
        ways = self.found.setdefault(support, {})
        names = frozenset(self.parts[place].name for place in conjunction)
        if names not in ways or self._ranks(conjunction) < self._ranks(ways[names]):
            ways[names] = conjunction

    def _ranks(self, conjunction: Conjunction) -> list[tuple[int, ...]]:
        """Sort key of preference, the smallest first."""
        return sorted((self.parts[place].rank for place in conjunction), reverse=True)
