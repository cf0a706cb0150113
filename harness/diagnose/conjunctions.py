"""The smallest conjunctions that hold for failures and for nothing that passed: set cover on bit sets, pure.

A conjunction costs what its atoms cost together. Of all that have no counter-example the cheapest are taken first; of
equally cheap ones the one that covers most of what is not covered yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LARGEST = 4
"""What a conjunction may cost: with more parts than four anything can be told from anything."""

PATIENCE = 500_000
"""Conjunctions that are looked at before the search ends with what it has found."""


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
    left, chosen, search = failed, list[Chosen](), _Search(parts=parts)
    for cost in range(1, LARGEST + 1):
        if not left:
            break
        found = search.all_of(cost, failed, passed, left)
        while found:
            support = max(found, key=lambda one: ((one & left).bit_count(), one.bit_count(), search.preference(found[one])))
            best, *others = sorted(found[support].values(), key=search.ranks)
            chosen.append(Chosen(parts=best, support=support, others=tuple(others)))
            left &= ~support
            found = {one: ways for one, ways in found.items() if one & left}
    return _needed(chosen)


def _needed(chosen: Sequence[Chosen]) -> list[Chosen]:
    """`chosen` without those whose support the others have between them; the dearest and weakest go first."""
    kept = list(chosen)
    for one in sorted(chosen, key=lambda one: (-len(one.parts), one.support.bit_count())):
        rest = 0
        for other in kept:
            rest |= other.support if other is not one else 0
        if not one.support & ~rest:
            kept.remove(one)
    return kept


_Found = dict[int, dict[frozenset[str], Conjunction]]
"""Support → what the conjunctions speak of → the best of them."""


@dataclass(kw_only=True, slots=True)
class _Search:
    parts: Sequence[Part]
    wanted: int = 0
    cost: int = 0
    looked: int = 0
    found: _Found = field(default_factory=dict)

    def all_of(self, cost: int, failed: int, passed: int, wanted: int) -> _Found:
        """All conjunctions of exactly this cost that hold for one of `wanted` and none of `passed`."""
        self.found, self.wanted, self.cost = {}, wanted, cost
        self._extend((), list(range(len(self.parts))), failed, passed)
        return self.found

    def _extend(self, chosen: Conjunction, allowed: list[int], failed: int, passed: int) -> None:
        """Every conjunction must hold not for the first of `passed`: so one of the parts that exclude it is in it.

        A part that has been tried is not allowed beside the ones after it: no conjunction is met twice.
        """
        first = passed & -passed
        cost = self.cost - sum(self.parts[place].cost for place in chosen)
        excluding = [place for place in allowed if not self.parts[place].bits & first]
        beside = [place for place in allowed if self.parts[place].bits & first]
        for tried, place in enumerate(excluding):
            part = self.parts[place]
            support = failed & part.bits
            if part.cost > cost or not support & self.wanted:
                continue
            if self.looked >= PATIENCE:
                return
            self.looked += 1
            counter = passed & part.bits
            if part.cost < cost and counter:
                self._extend((*chosen, place), beside + excluding[tried + 1 :], support, counter)
            elif part.cost == cost and not counter:
                self._note(tuple(sorted((*chosen, place))), support)

    def _note(self, conjunction: Conjunction, support: int) -> None:
        ways = self.found.setdefault(support, {})
        names = frozenset(self.parts[place].name for place in conjunction)
        if names not in ways or self.ranks(conjunction) < self.ranks(ways[names]):
            ways[names] = conjunction

    def ranks(self, conjunction: Conjunction) -> list[tuple[int, ...]]:
        """What is smaller is preferred."""
        return sorted((self.parts[place].rank for place in conjunction), reverse=True)

    def preference(self, ways: Mapping[frozenset[str], Conjunction]) -> list[tuple[int, ...]]:
        """The same for the best of `ways`, so that what is larger is preferred."""
        best = min(map(self.ranks, ways.values()))
        return [tuple(-number for number in rank) for rank in best]
