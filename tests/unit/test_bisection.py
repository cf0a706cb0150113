"""The search itself, over every small history there is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from harness.bisection import transition


def asked(answers: list[bool | None], at_once: int = 1) -> tuple[object, list[list[int]]]:
    """What is found, and the positions of each round."""
    rounds: list[list[int]] = []

    def probe(positions: Sequence[int]) -> list[bool | None]:
        rounds.append(list(positions))
        return [answers[position] for position in positions]

    return transition(len(answers) - 1, probe, at_once=at_once), rounds


def least_rounds(last: int, at_once: int) -> int:
    """How many rounds it takes when each leaves one of `at_once` + 1 parts."""
    return next(rounds for rounds in itertools.count() if (at_once + 1) ** rounds >= last)


@pytest.mark.parametrize("at_once", [1, 2, 3, 8])
@pytest.mark.parametrize("last", range(1, 70))
def test_of_a_history_that_breaks_once_the_place_is_found_in_the_least_rounds(last, at_once):
    for first_bad in range(1, last + 1):
        found, rounds = asked([place < first_bad for place in range(last + 1)], at_once)
        assert (found.good, found.bad, found.unknown) == (first_bad - 1, first_bad, ())
        assert len(rounds) <= least_rounds(last, at_once)
        assert all(1 <= len(positions) <= at_once for positions in rounds)


@pytest.mark.parametrize("at_once", [1, 2, 3])
@pytest.mark.parametrize("inside", range(8))
def test_whatever_the_answers_what_is_found_was_seen_and_only_what_cannot_be_told_lies_between(inside, at_once):
    for answers in itertools.product([True, False, None], repeat=inside):
        every = [True, *answers, False]
        found, rounds = asked(every, at_once)
        calls = [position for positions in rounds for position in positions]
        assert every[found.good] is True
        assert every[found.bad] is False
        assert found.unknown == tuple(range(found.good + 1, found.bad))
        assert all(every[place] is None for place in found.unknown)
        assert len(calls) == len(set(calls))


def test_neither_end_is_asked():
    _, rounds = asked([True, False])
    assert rounds == []


def test_a_long_stretch_that_cannot_be_told_is_stepped_over():
    answers = [True] * 10 + [None] * 40 + [False] * 50
    found, rounds = asked(answers)
    assert found.good == 9
    assert found.bad == 50
    assert len(rounds) < 55


def by_the_middle(answers: Sequence[bool | None]) -> int:
    """How many positions are probed if the next one is always the middle of all that were not probed."""
    good, bad, probed = 0, len(answers) - 1, set[int]()
    while left := [position for position in range(good + 1, bad) if position not in probed]:
        position = left[(len(left) - 1) // 2]
        probed.add(position)
        good, bad = (position if answers[position] else good), (position if answers[position] is False else bad)
    return len(probed)


@pytest.mark.parametrize("inside", range(1, 9))
def test_it_probes_no_more_than_by_the_middle_of_what_is_left(inside):
    histories = [[True, *answers, False] for answers in itertools.product([True, False, None], repeat=inside)]
    probed = {tuple(history): len(asked(history)[1]) for history in histories}
    assert all(probed[tuple(history)] == by_the_middle(history) for history in histories if None not in history)
    assert sum(probed.values()) <= sum(by_the_middle(history) for history in histories)
