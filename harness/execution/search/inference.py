"""Inference from observed cells to the others: pure, and never a status.

The assumption: a cell fails because of one version, or of a few versions that do not go together, and every cell with
those versions fails. A combination in a cell that works is *cleared*. In a cell that fails, the smallest combinations that
are not cleared are *suspects*; a lone suspect is *blamed*. A cell is inferred to work if all its pairs are cleared and it
has no suspect. It is inferred to fail if it has a blamed combination and lies between cells that failed with it.
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
"""Versions in one row: (axis, place), each axis once, in the order of the axes."""

LARGEST = 3
"""Largest number of versions that are blamed together: more would need too many cells to be sure."""


def rows(cells: Sequence[Cell]) -> dict[str, Row]:
    """Id → row, over the axes of `cells`; the setup is one more axis."""
    names = dict.fromkeys(name for cell in cells for name, _ in cell.pins)
    columns: list[dict[str, int]] = []
    for name in ("python", *names):
        versions = sorted({_version(cell, name) for cell in cells}, key=by_version)
        columns.append({cell.id: versions.index(_version(cell, name)) for cell in cells} if len(versions) > 1 else {})
    setups = sorted({cell.setup for cell in cells}, reverse=True)
    columns.append({cell.id: setups.index(cell.setup) for cell in cells} if len(setups) > 1 else {})
    varying = [column for column in columns if column]
    return {cell.id: tuple(column[cell.id] for column in varying) for cell in cells}


def _version(cell: Cell, axis: str) -> str:
    return cell.version(axis) or ABSENT


def combinations(row: Row, size: int) -> Iterator[Combination]:
    """All combinations of `size` versions of `row`."""
    return itertools.combinations(enumerate(row), size)


def pairs_of(row: Row) -> Iterator[Combination]:
    """All pairs of versions of `row`."""
    return combinations(row, min(2, len(row)))


def holds(row: Row, combination: Combination) -> bool:
    """Whether `row` has all versions of `combination`."""
    return all(row[axis] == place for axis, place in combination)


def all_of(row: Row) -> Iterator[Combination]:
    """Every combination in `row` that can be blamed, the row itself included."""
    for size in range(1, min(LARGEST, len(row)) + 1):
        yield from combinations(row, size)
    if len(row) > LARGEST:
        yield from combinations(row, len(row))


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """Which combinations the observed cells clear, suspect and blame."""

    cleared: frozenset[Combination]
    """Combinations in a cell that works."""
    suspects: Mapping[Row, Sequence[Combination]]
    """Row that fails → the smallest combinations in it that are not cleared: one of them is the reason."""
    blamed: Mapping[Combination, Sequence[range]]
    """Lone suspect → on each axis, the places from the oldest to the newest that failed with it."""

    @property
    def suspected(self) -> set[Combination]:
        """All suspects of all rows."""
        return {combination for found in self.suspects.values() for combination in found}

    def blames(self, row: Row) -> list[Combination]:
        """The blamed combinations in `row`."""
        return [combination for combination in all_of(row) if combination in self.blamed]


def study(seen: Mapping[Row, bool]) -> Findings:
    """The findings from observed cells (row → whether it works)."""
    cleared = frozenset(combination for row, works in seen.items() if works for combination in all_of(row))
    failed = [row for row, works in seen.items() if not works]
    suspects = {row: _smallest(row, cleared) for row in failed}
    lone = {found[0] for found in suspects.values() if len(found) == 1}
    return Findings(
        cleared=cleared, suspects=suspects, blamed={combination: _reach(combination, failed) for combination in lone}
    )


def _smallest(row: Row, cleared: frozenset[Combination]) -> list[Combination]:
    """The combinations that are not cleared, of the smallest size that has any; none if there is a single cell."""
    by_size = itertools.groupby((combination for combination in all_of(row) if combination not in cleared), key=len)
    return list(next(by_size, (0, []))[1])


def _reach(combination: Combination, failed: Sequence[Row]) -> list[range]:
    with_it = [row for row in failed if holds(row, combination)]
    return [range(min(places), max(places) + 1) for places in zip(*with_it, strict=True)]


def inferred(every: Iterable[Row], seen: Mapping[Row, bool]) -> dict[Row, bool]:
    """Row that was not seen → whether it works, if that follows."""
    findings = study(seen)
    suspected = findings.suspected
    found: dict[Row, bool] = {}
    for row in every:
        if row in seen:
            continue
        blames = findings.blames(row)
        if blames:
            if any(_within(row, findings.blamed[combination]) for combination in blames):
                found[row] = False
        elif _cleared(row, findings.cleared) and suspected.isdisjoint(all_of(row)):
            found[row] = True
    return found


def _within(row: Row, reach: Sequence[range]) -> bool:
    return all(place in places for place, places in zip(row, reach, strict=True))


def _cleared(row: Row, cleared: frozenset[Combination]) -> bool:
    return bool(row) and all(pair in cleared for pair in pairs_of(row))


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """The cells that can run, as rows, and which of them work."""

    rows: Mapping[str, Row]
    """Id → row."""
    seen: Mapping[Row, bool]
    """Row → whether it works; without cells that ended in an error."""

    @classmethod
    def of(cls, verdicts: Sequence[Verdict]) -> Observed:
        """From `verdicts`; a cell without a lock fails for uv's reason, and nothing follows from it for other cells."""
        able = [verdict for verdict in verdicts if verdict.resolved.result.ok]
        found = rows([verdict.cell for verdict in able])
        works = {Status.WORKS: True, Status.FAILS: False}
        seen = {found[verdict.cell.id]: works[verdict.status] for verdict in able if verdict.status in works}
        return cls(rows=found, seen=seen)
