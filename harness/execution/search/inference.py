"""What follows for cells that were not observed from those that were: pure, and never a status.

One assumption, Occam's: a cell fails because of a version, or of a few versions that do not go together, and fails
wherever those meet. What was seen in a cell that works is *cleared*; of a cell that fails, the smallest combinations
never seen to work are *suspect*; a lone suspect is *blamed*. So a cell is inferred to work where all its pairs are
cleared and it holds no suspect, and to fail where it holds a blamed combination and lies between cells that failed with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.matrix.plan import by_version
from harness.model import ABSENT, Cell, Status
from harness.verdicts.judge import Verdict

Row = tuple[int, ...]
"""A cell as the places of its versions, oldest first, on every axis that has more than one."""

Combination = tuple[tuple[int, int], ...]
"""Versions that meet: (axis, place), each axis once, in the order of the axes."""

LARGEST = 3
"""More versions than this are not blamed together: too many cells would be needed to be sure."""


def rows(cells: Sequence[Cell]) -> dict[str, Row]:
    """Id → row, over the axes of `cells`; where a cell runs (together or handoff) is one more axis."""
    names = dict.fromkeys(name for cell in cells for name, _ in cell.pins)
    columns: list[dict[str, int]] = []
    for name in ("python", *names):
        there = sorted({_version(cell, name) for cell in cells}, key=by_version)
        columns.append({cell.id: there.index(_version(cell, name)) for cell in cells} if len(there) > 1 else {})
    setups = sorted({cell.setup for cell in cells}, reverse=True)
    columns.append({cell.id: setups.index(cell.setup) for cell in cells} if len(setups) > 1 else {})
    varying = [column for column in columns if column]
    return {cell.id: tuple(column[cell.id] for column in varying) for cell in cells}


def _version(cell: Cell, axis: str) -> str:
    return cell.version(axis) or ABSENT


def combinations(row: Row, size: int) -> Iterator[Combination]:
    """The ways in which `size` of the versions of `row` meet."""
    return itertools.combinations(enumerate(row), size)


def holds(row: Row, combination: Combination) -> bool:
    """Whether the versions of `combination` meet in `row`."""
    return all(row[axis] == place for axis, place in combination)


def all_of(row: Row) -> Iterator[Combination]:
    """Every combination in `row` that can be blamed, the row itself included."""
    for size in range(1, min(LARGEST, len(row)) + 1):
        yield from combinations(row, size)
    if len(row) > LARGEST:
        yield from combinations(row, len(row))


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What was seen, and what it says of combinations."""

    cleared: frozenset[Combination]
    """Seen in a cell that works."""
    suspects: Mapping[Row, Sequence[Combination]]
    """Row that fails → the smallest combinations in it that are not cleared: one of them is to blame."""
    blamed: Mapping[Combination, Sequence[range]]
    """Lone suspect → on each axis, the places from the oldest to the newest that failed with it."""

    @property
    def suspected(self) -> set[Combination]:
        """All suspects of all rows."""
        return {one for found in self.suspects.values() for one in found}

    def blames(self, row: Row) -> list[Combination]:
        """The blamed combinations in `row`."""
        return [one for one in all_of(row) if one in self.blamed]


def study(seen: Mapping[Row, bool]) -> Findings:
    """What the cells that were observed (row → whether it works) say of combinations."""
    cleared = frozenset(one for row, works in seen.items() if works for one in all_of(row))
    failed = [row for row, works in seen.items() if not works]
    suspects = {row: _smallest(row, cleared) for row in failed}
    lone = {found[0] for found in suspects.values() if len(found) == 1}
    return Findings(cleared=cleared, suspects=suspects, blamed={one: _reach(one, failed) for one in lone})


def _smallest(row: Row, cleared: frozenset[Combination]) -> list[Combination]:
    """The combinations of the smallest size of which one at least is not cleared; none where there is one cell only."""
    open_ones = itertools.groupby((one for one in all_of(row) if one not in cleared), key=len)
    return list(next(open_ones, (0, []))[1])


def _reach(combination: Combination, failed: Sequence[Row]) -> list[range]:
    with_it = [row for row in failed if holds(row, combination)]
    return [range(min(places), max(places) + 1) for places in zip(*with_it, strict=True)]


def inferred(every: Iterable[Row], seen: Mapping[Row, bool]) -> dict[Row, bool]:
    """Row that was not seen → whether it works; rows of which nothing follows are left out."""
    findings = study(seen)
    suspected = findings.suspected
    found: dict[Row, bool] = {}
    for row in every:
        if row in seen:
            continue
        blames = findings.blames(row)
        if blames:
            if any(_within(row, findings.blamed[one]) for one in blames):
                found[row] = False
        elif _cleared(row, findings.cleared) and suspected.isdisjoint(all_of(row)):
            found[row] = True
    return found


def _within(row: Row, reach: Sequence[range]) -> bool:
    return all(place in places for place, places in zip(row, reach, strict=True))


def _cleared(row: Row, cleared: frozenset[Combination]) -> bool:
    return bool(row) and all(one in cleared for one in combinations(row, min(2, len(row))))


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """The cells that can run, as rows, and what is known of them."""

    rows: Mapping[str, Row]
    """Id → row."""
    seen: Mapping[Row, bool]
    """Row → whether it works; errors prove nothing and are not in it."""

    @classmethod
    def of(cls, verdicts: Sequence[Verdict]) -> Observed:
        """What `verdicts` say; what has no lock fails for a reason that uv gave, and no other cell follows from it."""
        able = [verdict for verdict in verdicts if verdict.resolved.result.ok]
        found = rows([verdict.cell for verdict in able])
        facts = {Status.WORKS: True, Status.FAILS: False}
        return cls(
            rows=found,
            seen={found[one.cell.id]: facts[one.status] for one in able if one.status in facts},
        )
