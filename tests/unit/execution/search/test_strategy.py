"""Which rows are chosen, in which order, and what is asked next."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

import pytest

from harness.execution.search.inference import Row, inferred
from harness.execution.search.strategy import following, informative_first, pairs, pairwise


def product(*sizes: int) -> list[Row]:
    return list(itertools.product(*map(range, sizes)))


def holes(rows: Sequence[Row], part: float, seed: int = 1) -> list[Row]:
    """`rows` less a random part of them, as exclude rules would leave it, only worse."""
    chance = random.Random(seed)
    return [row for row in rows if chance.random() >= part]


MATRICES = {
    "cube": product(4, 4, 4),
    "five axes": product(2, 3, 4, 2, 4),
    "one long axis": product(12, 2, 2),
    "excluded corner": [row for row in product(7, 8, 4, 7) if not (row[0] == 0 and row[1] >= 5)],
    "a tenth missing": holes(product(5, 5, 5, 4), 0.1),
    "most missing": holes(product(5, 6, 4, 5), 0.7),
    "two of an axis": product(2, 1),
    "one axis": product(5),
    "one cell": [()],
    "none": [],
}


@pytest.mark.parametrize("name", MATRICES)
def test_every_pair_that_can_meet_does_and_nothing_else_is_chosen(name):
    every = MATRICES[name]
    chosen = pairwise(every)
    assert pairs(chosen) == pairs(every)
    assert set(chosen) <= set(every)
    assert len(set(chosen)) == len(chosen)


@pytest.mark.parametrize(("name", "most"), [("cube", 20), ("excluded corner", 75), ("a tenth missing", 45)])
def test_few_are_chosen(name, most):
    assert len(pairwise(MATRICES[name])) <= most


@pytest.mark.parametrize("name", MATRICES)
def test_the_same_rows_give_the_same_choice(name):
    assert pairwise(MATRICES[name]) == pairwise(list(MATRICES[name]))


def test_what_is_taken_always_is_taken():
    every = [*product(3, 3, 3), (3, 2, 1)]
    for always in ([(3, 2, 1)], [(0, 0, 0), (0, 0, 1), (3, 2, 1)]):
        chosen = pairwise(every, always)
        assert set(always) <= set(chosen)
        assert pairs(chosen) == pairs(every)


@pytest.mark.parametrize("name", MATRICES)
def test_the_order_has_every_row_once_and_gains_never_grow(name):
    every = MATRICES[name]
    order = informative_first(every, {})
    assert sorted(order) == sorted(every)
    met: set = set()
    gains = []
    for row in order:
        gains.append(len(pairs([row]) - met))
        met |= pairs([row])
    assert gains == sorted(gains, reverse=True)


def test_of_equal_rows_those_that_share_an_export_come_first():
    every = product(2, 2)
    shares = {row: row[1] for row in every}
    order = informative_first(every, shares)
    assert [shares[row] for row in order] == [0, 0, 1, 1]


def search(every: Sequence[Row], works: Callable[[Row], bool], most: int = 24) -> dict[Row, bool]:
    """What was seen when there was nothing more to ask, or after `most` rounds."""
    asked: set[Row] = set()
    seen: dict[Row, bool] = {}
    wanted = pairwise(every)
    for _ in range(most):
        assert asked.isdisjoint(wanted)
        asked.update(wanted)
        seen |= {row: works(row) for row in wanted}
        wanted = following(every, seen, asked)
        if not wanted:
            break
    return seen


TRAPS: dict[str, Callable[[Row], bool]] = {
    "new with old": lambda row: not (row[0] >= 4 and row[3] < 3),
    "two traps": lambda row: not ((row[0] >= 4 and row[3] < 3) or (row[1] >= 5 and row[0] < 2)),
    "a bad version": lambda row: row[1] != 3,
    "a bad pair": lambda row: (row[1], row[2]) != (3, 3),
    "all works": lambda _row: True,
    "all fails": lambda _row: False,
}


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("name", ["whole", "holes"])
def test_a_trap_of_one_or_two_versions_is_found_with_a_fraction_of_the_cells(trap, name):
    every = product(7, 8, 4, 7) if name == "whole" else holes(product(7, 8, 4, 7), 0.2)
    works = TRAPS[trap]
    seen = search(every, works)
    assert len(seen) < len(every) / 4
    guessed = inferred(every, seen)
    assert all(guess == works(row) for row, guess in guessed.items())
    if trap != "all fails":
        assert len(guessed) + len(seen) > 0.98 * len(every)


@pytest.mark.parametrize("trap", TRAPS)
def test_no_border_has_an_open_version_between(trap):
    every = product(7, 8, 4, 7)
    seen = search(every, TRAPS[trap])
    for axis in range(4):
        lines: dict[Row, list[Row]] = {}
        for row in sorted(every):
            lines.setdefault(row[:axis] + row[axis + 1 :], []).append(row)
        for line in lines.values():
            known = [place for place, row in enumerate(line) if row in seen]
            for one, other in itertools.pairwise(known):
                assert seen[line[one]] == seen[line[other]] or other == one + 1


def test_where_nearly_all_fails_the_search_ends_too():
    every = product(3, 4, 2, 4)
    seen = search(every, lambda row: row[0] == 2 and row[1] > 2 and row[3] > 2, most=200)
    assert len(seen) <= len(every)
    assert following(every, seen, set(every)) == []
