"""What follows from observed cells for the others, and what does not."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from values import PAIR, resolved, result

from harness.execution.search import inference
from harness.execution.search.inference import Observed, Row, inferred, study
from harness.model import Cell, Setup, Stage, Status
from harness.verdicts.judge import VariantVerdict, Verdict

GRID = list(itertools.product(range(4), repeat=3))


def observed(rows: list[Row], works: Callable[[Row], bool]) -> dict[Row, bool]:
    return {row: works(row) for row in rows}


def cell(name: str, *, python: str = "3.11", setup: Setup = Setup.TOGETHER, **pins: str) -> Cell:
    return Cell(id=name, python=python, pins=tuple(pins.items()), setup=setup)


def test_a_row_counts_versions_by_age_on_the_axes_that_vary():
    cells = [cell("a", torch="2.9.0", onnx="1.16.2"), cell("b", torch="2.10.0", onnx="1.16.2"), cell("c", onnx="1.16.2")]
    assert inference.rows(cells) == {"a": (1,), "b": (2,), "c": (0,)}


def test_python_and_the_environment_are_axes_too():
    cells = [cell("a", python="3.9"), cell("b", python="3.11", setup=Setup.HANDOFF)]
    assert inference.rows(cells) == {"a": (0, 0), "b": (1, 1)}


def test_one_cell_has_no_axis_and_nothing_follows():
    assert inference.rows([cell("a")]) == {"a": ()}
    assert inferred([()], {}) == {}
    assert inferred([()], {(): False}) == {}


def test_pairs_that_were_seen_to_work_work_together():
    seen = dict.fromkeys([(0, 0, 1), (0, 1, 0), (1, 0, 0)], True)
    assert inferred([(0, 0, 0), (1, 1, 0)], seen) == {(0, 0, 0): True}


def test_a_lone_suspect_is_blamed_and_several_are_not():
    seen = {(0, 0, 0): True, (1, 0, 0): True, (0, 1, 0): True, (0, 0, 1): True, (1, 1, 0): False}
    assert study(seen).blamed == {((0, 1), (1, 1)): [range(1, 2), range(1, 2), range(1)]}
    assert study({(0, 0, 0): True, (1, 1, 0): False}).blamed == {}


def test_a_version_that_never_works_is_to_blame_before_any_pair():
    findings = study({(0, 0): True, (0, 1): True, (1, 0): False})
    assert list(findings.blamed) == [((0, 1),)]


def test_failing_is_inferred_between_failures_and_not_beyond_them():
    works = {(torch, other, runtime): True for torch in (0, 1) for other in range(4) for runtime in (0, 1)}
    works = {row: True for row in works if row[0] == 0 or row[2] == 0}
    seen = {**works, (1, 1, 1): False, (1, 3, 1): False}
    assert inferred([(1, 0, 1), (1, 2, 1)], seen) == {(1, 2, 1): False}


def test_what_holds_a_suspect_is_neither():
    seen = {(0, 0, 0): True, (0, 1, 1): True, (1, 0, 1): True, (1, 1, 0): True, (1, 1, 1): False}
    # All pairs of the failing cell work: three versions quarrel, and of its own three nothing else holds.
    assert study(seen).suspects[1, 1, 1] == [((0, 1), (1, 1), (2, 1))]
    assert inferred([(0, 0, 1)], seen) == {(0, 0, 1): True}


@pytest.mark.parametrize("few", [5, 12, 20, 40])
def test_under_its_assumption_what_is_inferred_is_true(few):
    def works(row: Row) -> bool:
        return not (row[0] >= 2 and row[2] < 2)

    seen = observed(GRID[:: 64 // few], works)
    for row, guess in inferred(GRID, seen).items():
        assert row not in seen
        assert guess == works(row), row


def verdict(status: Status, stage: Stage = Stage.PARITY, **pins: str) -> Verdict:
    steps = (result(stage, status),)
    one = resolved(**pins)
    return Verdict(resolved=one, status=status, variants=(VariantVerdict(variant=PAIR, status=status, results=steps),))


def test_errors_and_what_was_not_run_are_not_seen():
    verdicts = [
        verdict(Status.WORKS),
        verdict(Status.FAILS, torch="2.2.0"),
        verdict(Status.ERROR, torch="2.3.0"),
        verdict(Status.NOT_RUN, torch="2.4.0"),
    ]
    found = Observed.of(verdicts)
    assert len(found.rows) == 4
    assert found.seen == {(0,): True, (1,): False}
