"""The smallest conjunctions that hold for failures and for nothing that passed: set cover on bit sets, pure.

A conjunction costs what its atoms cost together. Of all that have no counter-example the cheapest are taken first; of
equally cheap ones the one that covers most of what is not covered yet. Two or more make way for one
that costs no more.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

LARGEST = 4
"""What a conjunction may cost: with more parts than four anything can be told from anything."""

PATIENCE = 500_000
"""Conjunctions that are looked at before the search ends with what it has found."""

JOINABLE = 40
"""Of more conjunctions than this, no two are tried to be joined: they are a list of exceptions and no explanation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """An atom as the search sees it."""

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
    """Equally cheap ones about other things with exactly this support: these observations do not tell them apart."""


def cover(parts: Sequence[Part], failed: int, passed: int) -> list[Chosen]:
    """Few conjunctions that hold for as many of `failed` as any can, and for none of `passed`.

    None where nothing passed: then there is nothing to tell the failures from.
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
            found = {one: ways for one, ways in found.items() if one & left}
    return _joined(_needed(chosen), search)


def _needed(chosen: Sequence[Chosen], beside: Sequence[Chosen] = ()) -> list[Chosen]:
    """`chosen` without those whose support the others and `beside` have between them; the dearest and weakest go first."""
    kept = [*chosen, *beside]
    for one in sorted(chosen, key=lambda one: (-len(one.parts), one.support.bit_count())):
        if not one.support & ~_support(other for other in kept if other is not one):
            kept.remove(one)
    return kept


def _joined(chosen: list[Chosen], search: _CoverSearch) -> list[Chosen]:
    """`chosen` with one conjunction in place of two or more, wherever it does for all of them and costs no more."""
    for two in itertools.combinations(chosen, 2) if len(chosen) <= JOINABLE else ():
        wanted = _support(two) & ~_support(one for one in chosen if one not in two)
        allowed = [place for place, part in enumerate(search.parts) if not wanted & ~part.bits]
        for cost in range(1, min(search.cost(two), LARGEST) + 1):
            if found := search.all_of(cost, wanted, allowed):
                fewer = _needed(chosen, [search.best(found, wanted)])
                # At equal cost one interval says more than two single versions.
                if (search.cost(fewer), len(fewer)) < (search.cost(chosen), len(chosen)):
                    return _joined(fewer, search)
    return chosen


def _support(chosen: Iterable[Chosen]) -> int:
    return functools.reduce(operator.or_, (conjunction.support for conjunction in chosen), 0)


_Found = dict[int, dict[frozenset[str], Conjunction]]
"""Support → what the conjunctions speak of → the best of them."""


@dataclass(kw_only=True, slots=True)
class _CoverSearch:
    parts: Sequence[Part]
    failed: int
    passed: int
    wanted: int = 0
    budget: int = 0
    looked: int = 0
    found: _Found = field(default_factory=dict)

    def all_of(self, cost: int, wanted: int, allowed: Iterable[int] | None = None) -> _Found:
        """All conjunctions of exactly this cost that hold for one of `wanted` and for nothing that passed.

        With `allowed`, of these parts only.
        """
        self.found, self.wanted, self.budget = {}, wanted, cost
        self._extend((), list(range(len(self.parts)) if allowed is None else allowed), self.failed, self.passed)
        return self.found

    def best(self, found: _Found, wanted: int) -> Chosen:
        """Of all that were found the one that covers most of `wanted`, then the one with the largest support."""
        sizes = {one: ((one & wanted).bit_count(), one.bit_count()) for one in found}
        largest = max(sizes.values())
        ties = [one for one, size in sizes.items() if size == largest]
        support = min(ties, key=lambda one: min(map(self._ranks, found[one].values())))
        first, *others = sorted(found[support].values(), key=self._ranks)
        return Chosen(parts=first, support=support, others=tuple(others))

    def cost(self, chosen: Iterable[Chosen]) -> int:
        """What they cost together."""
        return sum(self.parts[place].cost for one in chosen for place in one.parts)

    def _extend(self, chosen: Conjunction, allowed: list[int], failed: int, passed: int) -> None:
        """What passed first, no conjunction may hold for: one of the parts that exclude it is in each.

        A part that has been tried is not allowed beside the ones after it: no conjunction is met twice.
        """
        first = passed & -passed
        left = self.budget - sum(self.parts[place].cost for place in chosen)
        excluding = [place for place in allowed if not self.parts[place].bits & first]
        beside = [place for place in allowed if self.parts[place].bits & first]
        for tried, place in enumerate(excluding):
            part = self.parts[place]
            support = failed & part.bits
            if part.cost > left or not support & self.wanted:
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
        """What is smaller is preferred."""
        return sorted((self.parts[place].rank for place in conjunction), reverse=True)
