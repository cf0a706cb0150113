"""Which stages a variant passed, and whether a cell has tried all of its imports."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import PAIR, reported_cell, reported_variant, result

from harness.model import Setup, Stage, Status
from harness.verdicts.judge import VariantVerdict
from harness.verdicts.stages_passed import imports_all, passed


@pytest.mark.parametrize(
    ("status", "stage", "through"),
    [
        (Status.WORKS, None, list(Stage)),
        (Status.WORKS_WITH_REMEDY, Stage.IMPORT, list(Stage)),
        (Status.FAILS, Stage.RESOLVE, []),
        (Status.FAILS, Stage.EAGER, [Stage.RESOLVE, Stage.INSTALL, Stage.IMPORT]),
        # An error is no verdict on its stage, and the stages before it were passed.
        (Status.ERROR, Stage.EAGER, [Stage.RESOLVE, Stage.INSTALL, Stage.IMPORT]),
        (Status.NOT_RUN, Stage.INSTALL, [Stage.RESOLVE]),
        # A report of somebody else may lack the stage.
        (Status.FAILS, None, []),
    ],
)
def test_the_stages_before_the_one_that_did_not_work(status, stage, through):
    assert [other for other in Stage if passed(reported_variant(status, stage), other)] == through


@pytest.mark.parametrize(("status", "count"), [(Status.WORKS, 9), (Status.FAILS, 8)])
def test_a_verdict_is_read_in_the_same_way(status, count):
    verdict = VariantVerdict(variant=PAIR, status=status, results=(result(Stage.PARITY, status),))
    assert sum(passed(verdict, stage) for stage in Stage) == count


@pytest.mark.parametrize(
    ("setup", "status", "stage", "tried"),
    [
        (Setup.TOGETHER, Status.FAILS, Stage.EXPORT, True),
        (Setup.HANDOFF, Status.FAILS, Stage.EXPORT, False),
        (Setup.HANDOFF, Status.FAILS, Stage.LOAD, True),
        (Setup.HANDOFF, Status.NOT_RUN, Stage.LOAD, False),
        (Setup.HANDOFF, Status.WORKS, None, True),
    ],
)
def test_a_run_side_is_tried_only_with_an_export(setup, status, stage, tried):
    assert imports_all(replace(reported_cell(reported_variant(status, stage)), environment=setup)) is tried
