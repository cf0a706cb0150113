"""Which cells are run, and in which order: pure functions over rows (inference.py).

`pairwise` chooses the first rows; `following` chooses the next from the observed ones, until none is left.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

import covertable

from harness.execution.search.inference import Combination, Findings, Row, all_of, holds, pairs_of, study


def pairs(every: Iterable[Row]) -> set[Combination]:
    """All pairs of versions of a cell; without pairs for which exclude rules leave no cell."""
    return {pair for row in every for pair in pairs_of(row)}


def pairwise(every: Sequence[Row], always: Collection[Row] = ()) -> list[Row]:
    """Few of the rows that cover all pairs, with those that are taken `always`; the same for the same rows."""
    if not every or len(every[0]) < 2:
        return list(every)
    axes = range(len(every[0]))
    chosen = covertable.make(
        [sorted({row[axis] for row in every}) for axis in axes],
        presets=[dict(enumerate(row)) for row in always],
        constraints=_only(set(every)),
    )
    taken = {*always, *(tuple(row) for row in chosen)}
    return [row for row in every if row in taken]


def _only(possible: Collection[Row]) -> list[dict[str, object]]:
    """Constraints: a row must be a `possible` one; so that dead ends are seen early, so must every pair in it."""
    width = len(next(iter(possible)))
    if len(possible) == math.prod(len({row[axis] for row in possible}) for axis in range(width)):
        return []
    possible_pairs = pairs(possible)

    def pair(axis: int, other: int) -> dict[str, object]:
        return {
            "operator": "fn",
            "requires": [axis, other],
            "evaluate": lambda row: ((axis, row[axis]), (other, row[other])) in possible_pairs,
        }

    whole = {
        "operator": "fn",
        "requires": list(range(width)),
        "evaluate": lambda row: tuple(row[axis] for axis in range(width)) in possible,
    }
    return [*itertools.starmap(pair, itertools.combinations(range(width), 2)), whole]


def informative_first(every: Sequence[Row], shares: Mapping[Row, Hashable]) -> list[Row]:
    """`every` row; the next one always has the most pairs that no row before it has.

    Of equal rows, one that shares its export (row → export, in `shares`) with a row before goes first: it costs only a run.
    """
    left, begun = pairs(every), set[Hashable]()
    by_export: dict[Hashable, list[int]] = {}
    for place, row in enumerate(every):
        by_export.setdefault(shares.get(row), []).append(place)
    gains = [sum(pair in left for pair in pairs_of(row)) for row in every]
    waiting = [(-gain, True, place) for place, gain in enumerate(gains)]
    heapq.heapify(waiting)
    order: dict[Row, None] = {}
    while waiting:
        gain, new, place = heapq.heappop(waiting)
        row = every[place]
        if row in order:
            continue
        # The gain of a row never grows: only the first in the heap is computed again.
        now = -sum(pair in left for pair in pairs_of(row))
        if now != gain:
            heapq.heappush(waiting, (now, new, place))
            continue
        order[row] = None
        left.difference_update(pairs_of(row))
        export = shares.get(row)
        if export not in begun:
            begun.add(export)
            for other in by_export[export]:
                heapq.heappush(waiting, (-sum(pair in left for pair in pairs_of(every[other])), False, other))
    return list(order)


def following(every: Sequence[Row], seen: Mapping[Row, bool], before: Collection[Row]) -> list[Row]:
    """The rows to run next, in the order of `every`, after those of `before`; `seen` is row → whether it works.

    None at the end: if nothing works there is nothing to compare with, and if nothing fails nothing to explain.
    """
    if len(set(seen.values())) < 2:
        return []
    open_rows = [row for row in every if row not in seen and row not in before]
    findings = study(seen)
    chosen = set(_borders(every, seen, set(open_rows)))
    chosen |= _ends(every, findings, set(open_rows))
    chosen |= _separating(open_rows, findings, chosen)
    chosen |= _masked(every, open_rows, findings)
    return [row for row in open_rows if row in chosen]


def _borders(every: Sequence[Row], seen: Mapping[Row, bool], open_rows: Collection[Row]) -> Iterable[Row]:
    """The middle of the open rows between two that differ on one axis only, one working and one failing."""
    lines: dict[tuple[int, Row], list[Row]] = {}
    for row in every:
        for axis in range(len(row)):
            lines.setdefault((axis, row[:axis] + row[axis + 1 :]), []).append(row)
    for line in lines.values():
        line.sort()
        known = [place for place, row in enumerate(line) if row in seen]
        for first, second in itertools.pairwise(known):
            between = [row for row in line[first + 1 : second] if row in open_rows]
            if between and seen[line[first]] != seen[line[second]]:
                yield between[len(between) // 2]


def _ends(every: Sequence[Row], findings: Findings, open_rows: Collection[Row]) -> set[Row]:
    """The oldest and the newest row with each blamed combination: they must fail too."""
    found = set()
    for combination in findings.blamed:
        with_it = [row for row in every if holds(row, combination)]
        found |= {min(with_it), max(with_it)}
    return found & set(open_rows)


def _separating(open_rows: Sequence[Row], findings: Findings, chosen: Collection[Row]) -> set[Row]:
    """For every failing row with several suspects, a row that has some of them: the one with the fewest new pairs."""
    found: set[Row] = set()
    near: dict[tuple[int, Row], list[Row]] = {}
    for row in open_rows:
        for axis in range(len(row)):
            near.setdefault((axis, row[:axis] + row[axis + 1 :]), []).append(row)
    for failed, suspects in findings.suspects.items():
        if len(suspects) < 2 or any(_divides(row, suspects) for row in itertools.chain(chosen, found)):
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
    return 0 < sum(holds(row, suspect) for suspect in suspects) < len(suspects)


def _unknown(row: Row, findings: Findings, suspects: Sequence[Combination]) -> tuple[int, Row]:
    """Number of other reasons for a failure of `row` than `suspects`; then the row."""
    return sum(pair not in findings.cleared and pair not in suspects for pair in pairs_of(row)), row


def _masked(every: Sequence[Row], open_rows: Sequence[Row], findings: Findings) -> set[Row]:
    """Rows for the pairs that only cells have that failed for another reason."""
    suspected = findings.suspected
    innocent = [row for row in every if not findings.blames(row)]
    left = {pair for pair in pairs(innocent) if pair not in findings.cleared and pair not in suspected}
    found = set()
    for row in open_rows:
        gained = left.intersection(pairs_of(row))
        if gained and suspected.isdisjoint(all_of(row)):
            found.add(row)
            left -= gained
    return found
