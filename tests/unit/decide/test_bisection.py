"""The search itself, over every small history there is."""

from __future__ import annotations

import itertools
import math

import pytest

from harness.decide.bisection import boundary


def asked(answers: list[bool | None]) -> tuple[object, list[int]]:
    calls: list[int] = []

    def probe(place: int) -> bool | None:
        calls.append(place)
        return answers[place]

    return boundary(len(answers) - 1, probe), calls


@pytest.mark.parametrize("last", range(1, 70))
def test_of_a_history_that_breaks_once_the_place_is_found_in_as_many_steps_as_it_has_bits(last):
    for first_bad in range(1, last + 1):
        found, calls = asked([place < first_bad for place in range(last + 1)])
        assert (found.good, found.bad, found.untold) == (first_bad - 1, first_bad, ())
        assert len(calls) <= math.ceil(math.log2(last))


@pytest.mark.parametrize("inside", range(8))
def test_whatever_the_answers_what_is_found_was_seen_and_only_what_cannot_be_told_lies_between(inside):
    for answers in itertools.product([True, False, None], repeat=inside):
        every = [True, *answers, False]
        found, calls = asked(every)
        assert every[found.good] is True
        assert every[found.bad] is False
        assert found.untold == tuple(range(found.good + 1, found.bad))
        assert all(every[place] is None for place in found.untold)
        assert len(calls) == len(set(calls))


def test_neither_end_is_asked():
    _, calls = asked([True, False])
    assert calls == []


def test_a_long_stretch_that_cannot_be_told_is_stepped_over():
    answers = [True] * 10 + [None] * 40 + [False] * 50
    found, calls = asked(answers)
    assert found.good == 9
    assert found.bad == 50
    assert len(calls) < 55
