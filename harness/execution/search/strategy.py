"""Which cells are asked, and in which order: pure functions over rows (inference.py).

`pairwise` chooses the first ones; `following` chooses the next from what was seen, until nothing is left to ask.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

import covertable

from harness.execution.search.inference import Combination, Findings, Row, all_of, combinations, holds, study


def pairs(every: Iterable[Row]) -> set[Combination]:
    """All pairs of versions that meet in a cell: what exclude rules leave no cell for is not among them."""
    return {pair for row in every for pair in combinations(row, min(2, len(row)))}


def pairwise(every: Sequence[Row], always: Collection[Row] = ()) -> list[Row]:
    """Few of the rows in which all pairs meet, with those that are taken `always`; the same for the same rows."""
    if not every or len(every[0]) < 2:
        return list(every)
    there, axes = set(every), range(len(every[0]))
    chosen = covertable.make(
        [sorted({row[axis] for row in every}) for axis in axes],
        presets=[dict(enumerate(row)) for row in always],
        constraints=_only(there),
    )
    taken = {*always, *(tuple(row) for row in chosen)}
    return [row for row in every if row in taken]


def _only(there: Collection[Row]) -> list[dict[str, object]]:
    """That a row must be one of `there`, and, so that dead ends are seen early, every pair in it a pair of one of them."""
    width = len(next(iter(there)))
    if len(there) == math.prod(len({row[axis] for row in there}) for axis in range(width)):
        return []
    possible = pairs(there)

    def meet(one: int, other: int) -> dict[str, object]:
        return {
            "operator": "fn",
            "requires": [one, other],
            "evaluate": lambda row: ((one, row[one]), (other, row[other])) in possible,
        }

    whole = {
        "operator": "fn",
        "requires": list(range(width)),
        "evaluate": lambda row: tuple(row[axis] for axis in range(width)) in there,
    }
    return [*itertools.starmap(meet, itertools.combinations(range(width), 2)), whole]


def informative_first(every: Sequence[Row], shares: Mapping[Row, Hashable]) -> list[Row]:
    """`every` row, the one with the most pairs that none before it has first.

    Of equal ones first those whose export (`shares` says which it is) one before them has: they cost but a run.
    """
    left, begun = pairs(every), set[Hashable]()
    by_export: dict[Hashable, list[int]] = {}
    for place, row in enumerate(every):
        by_export.setdefault(shares.get(row), []).append(place)
    gains = [sum(pair in left for pair in _pairs(row)) for row in every]
    waiting = [(-gain, True, place) for place, gain in enumerate(gains)]
    heapq.heapify(waiting)
    order: dict[Row, None] = {}
    while waiting:
        gain, new, place = heapq.heappop(waiting)
        row = every[place]
        if row in order:
            continue
        # A row has never more to tell than when it was last weighed: only the first in line is weighed again.
        now = -sum(pair in left for pair in _pairs(row))
        if now != gain:
            heapq.heappush(waiting, (now, new, place))
            continue
        order[row] = None
        left.difference_update(_pairs(row))
        export = shares.get(row)
        if export not in begun:
            begun.add(export)
            for other in by_export[export]:
                heapq.heappush(waiting, (-sum(pair in left for pair in _pairs(every[other])), False, other))
    return list(order)


def _pairs(row: Row) -> Iterable[Combination]:
    return combinations(row, min(2, len(row)))


def following(every: Sequence[Row], seen: Mapping[Row, bool], asked: Collection[Row]) -> list[Row]:
    """The rows to ask next, in the order of `every`, when `asked` were asked and `seen` is what they said; none at the end.

    Nothing that works leaves nothing to compare with, and nothing that fails leaves nothing to explain.
    """
    if len(set(seen.values())) < 2:
        return []
    open_rows = [row for row in every if row not in seen and row not in asked]
    findings = study(seen)
    wanted = set(_borders(every, seen, set(open_rows)))
    wanted |= _ends(every, findings, set(open_rows))
    wanted |= _told_apart(open_rows, findings, wanted)
    wanted |= _masked(every, open_rows, findings)
    return [row for row in open_rows if row in wanted]


def _borders(every: Sequence[Row], seen: Mapping[Row, bool], open_rows: Collection[Row]) -> Iterable[Row]:
    """Of every two rows that differ on one axis only, one working and one failing, the middle of what lies open between."""
    lines: dict[tuple[int, Row], list[Row]] = {}
    for row in every:
        for axis in range(len(row)):
            lines.setdefault((axis, row[:axis] + row[axis + 1 :]), []).append(row)
    for line in lines.values():
        line.sort()
        known = [place for place, row in enumerate(line) if row in seen]
        for one, other in itertools.pairwise(known):
            between = [row for row in line[one + 1 : other] if row in open_rows]
            if between and seen[line[one]] != seen[line[other]]:
                yield between[len(between) // 2]


def _ends(every: Sequence[Row], findings: Findings, open_rows: Collection[Row]) -> set[Row]:
    """Of every combination that is blamed, the oldest and the newest row that holds it: it must fail there too."""
    found = set()
    for one in findings.blamed:
        with_it = [row for row in every if holds(row, one)]
        found |= {min(with_it), max(with_it)}
    return found & set(open_rows)


def _told_apart(open_rows: Sequence[Row], findings: Findings, wanted: Collection[Row]) -> set[Row]:
    """For every failing row with several suspects a row that has some of them: the one with the least that is new besides."""
    found: set[Row] = set()
    near: dict[tuple[int, Row], list[Row]] = {}
    for row in open_rows:
        for axis in range(len(row)):
            near.setdefault((axis, row[:axis] + row[axis + 1 :]), []).append(row)
    for failed, suspects in findings.suspects.items():
        if len(suspects) < 2 or any(_divides(row, suspects) for row in itertools.chain(wanted, found)):
            continue
        candidates = [
            row
            for axis in range(len(failed))
            for row in near.get((axis, failed[:axis] + failed[axis + 1 :]), ())
            if _divides(row, suspects)
        ]
        if candidates:
            found.add(min(candidates, key=lambda row: _unknown(row, findings, suspects)))
    return found


def _divides(row: Row, suspects: Sequence[Combination]) -> bool:
    return 0 < sum(holds(row, one) for one in suspects) < len(suspects)


def _unknown(row: Row, findings: Findings, suspects: Sequence[Combination]) -> tuple[int, Row]:
    """What a failure of `row` could be due to besides `suspects`."""
    return sum(pair not in findings.cleared and pair not in suspects for pair in _pairs(row)), row


def _masked(every: Sequence[Row], open_rows: Sequence[Row], findings: Findings) -> set[Row]:
    """Rows for the pairs that were only met in cells that failed for something else."""
    suspected = findings.suspected
    innocent = [row for row in every if not findings.blames(row)]
    left = {pair for pair in pairs(innocent) if pair not in findings.cleared and pair not in suspected}
    found = set()
    for row in open_rows:
        gained = left.intersection(_pairs(row))
        if gained and suspected.isdisjoint(all_of(row)):
            found.add(row)
            left -= gained
    return found
