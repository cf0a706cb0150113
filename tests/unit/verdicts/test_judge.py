"""Facts → verdicts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import DYNAMO, MERGED, PAIR, resolved, result, tasks_of

from harness.hashing import digest
from harness.matrix.schema import Variants
from harness.model import Limits, Setup, Stage, Status
from harness.store.store import Store
from harness.tasks.records import Records
from harness.verdicts.judge import NOT_REACHED, judge

WORKS, FAILS, FLAKY, ERROR, NOT_RUN = Status.WORKS, Status.FAILS, Status.FLAKY, Status.ERROR, Status.NOT_RUN
ANY = Variants()
ARTIFACT = digest("artifact")


@pytest.fixture
def records(tmp_path):
    return Records(store=Store(tmp_path), limits=Limits(seconds=1, memory=1))


def record(records: Records, cell, upto: Stage = Stage.PARITY, last: Status = WORKS, variants=None) -> None:
    """Put what a cell's tasks leave when they get to stage `upto`, which ends as `last`."""
    tasks = tasks_of(cell)
    order = list(Stage)

    def results(*stages: Stage):
        reached = [stage for stage in stages if order.index(stage) <= order.index(upto)]
        return [result(stage, last if stage is upto else WORKS) for stage in reached]

    def put(key: str, *stages: Stage, **extra: str) -> None:
        if found := results(*stages):
            records.put(key, found, **extra)

    for install in tasks.installs:
        put(install.key, Stage.INSTALL)
    if tasks.together:
        put(tasks.together.key, Stage.IMPORT)
    put(tasks.export.key, Stage.IMPORT, Stage.EAGER)
    put(tasks.run.key, Stage.IMPORT)
    for variant in variants or cell.planned.variants:
        made = {"artifact": ARTIFACT} if order.index(upto) > order.index(Stage.CHECK) else {}
        put(tasks.export.variant_key(variant), Stage.EXPORT, Stage.CHECK, **made)
        put(tasks.run.variant_key(variant, ARTIFACT), Stage.LOAD, Stage.DECODE, Stage.PARITY)


def verdict_on(cell, records: Records, variants: Variants = ANY):
    return judge(cell, tasks_of(cell), records, variants)


@pytest.mark.parametrize("setup", list(Setup))
def test_a_cell_whose_last_stage_works_works(records, setup):
    cell = resolved(setup=setup)
    record(records, cell)
    (variant,) = verdict_on(cell, records).variants
    assert (variant.status, variant.stage, variant.error, variant.reason) == (WORKS, None, None, None)
    assert [step.stage for step in variant.results] == list(Stage)


@pytest.mark.parametrize("setup", list(Setup))
@pytest.mark.parametrize("status", [FAILS, ERROR])
@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.RESOLVE])
def test_the_first_stage_that_does_not_work_decides(records, stage, status, setup):
    cell = resolved(setup=setup)
    record(records, cell, stage, status)
    verdict = verdict_on(cell, records)
    (variant,) = verdict.variants
    assert (verdict.status, variant.status, variant.stage) == (status, status, stage)
    assert variant.error
    assert [step.stage for step in variant.results] == list(Stage)[: list(Stage).index(stage) + 1]


@pytest.mark.parametrize("stage", [Stage.INSTALL, Stage.IMPORT, Stage.EAGER, Stage.CHECK])
def test_a_gap_is_not_run_at_the_stage_after_it(records, stage):
    cell = resolved()
    record(records, cell, stage)
    verdict = verdict_on(cell, records)
    (variant,) = verdict.variants
    assert (verdict.status, variant.status) == (NOT_RUN, NOT_RUN)
    assert variant.stage is list(Stage)[list(Stage).index(stage) + 1]
    assert variant.reason == NOT_REACHED


def test_nothing_known_is_not_run_at_install(records):
    (variant,) = verdict_on(resolved(), records).variants
    assert (variant.status, variant.stage) == (NOT_RUN, Stage.INSTALL)


def test_an_unresolved_cell_is_what_its_resolution_was(records):
    failed = replace(resolved(PAIR, DYNAMO), result=result(Stage.RESOLVE, FAILS, "numpy"), export=None, run=None)
    verdict = judge(failed, None, records, ANY)
    assert verdict.status is FAILS
    assert [(variant.status, variant.stage) for variant in verdict.variants] == [(FAILS, Stage.RESOLVE)] * 2


def test_a_missing_helper_fails_its_exporter_at_resolve(records):
    cell = resolved(PAIR, DYNAMO, dropped=(("onnxscript", "onnx>=9"),))
    record(records, cell, variants=[PAIR])
    torchscript, dynamo = verdict_on(cell, records).variants
    assert torchscript.status is WORKS
    assert (dynamo.status, dynamo.stage) == (FAILS, Stage.RESOLVE)
    assert dynamo.error.message == "onnxscript cannot be added: onnx>=9"


@pytest.mark.parametrize(
    ("statuses", "require", "status"),
    [
        ((WORKS, FAILS, ERROR), "any", WORKS),
        ((FAILS, ERROR, NOT_RUN), "any", ERROR),
        ((FAILS, FAILS, NOT_RUN), "any", FAILS),
        ((NOT_RUN, NOT_RUN, NOT_RUN), "any", NOT_RUN),
        ((WORKS, WORKS, WORKS), "all", WORKS),
        ((WORKS, WORKS, NOT_RUN), "all", WORKS),
        ((WORKS, FAILS, ERROR), "all", FAILS),
        ((WORKS, WORKS, ERROR), "all", ERROR),
        ((WORKS, FAILS, ERROR), "layout=merged", FAILS),
        ((FAILS, WORKS, ERROR), "layout=merged", WORKS),
        ((FAILS, WORKS, ERROR), "exporter=dynamo", ERROR),
        ((FLAKY, FAILS, WORKS), "any", WORKS),
        ((FAILS, FLAKY, FAILS), "any", FLAKY),
        ((FAILS, FLAKY, ERROR), "any", ERROR),
        ((WORKS, FLAKY, WORKS), "all", FLAKY),
        ((WORKS, FLAKY, FAILS), "all", FAILS),
        ((FLAKY, WORKS, FAILS), "layout=merged", WORKS),
        ((WORKS, WORKS, WORKS), "exporter=optimum", WORKS),
        ((WORKS, FAILS, WORKS), "exporter=optimum", FAILS),
    ],
)
def test_what_the_deciding_variants_make_of_a_cell(records, statuses, require, status):
    variants = (PAIR, MERGED, DYNAMO)
    cell = resolved(*variants)
    record(records, cell, Stage.EAGER)
    tasks = tasks_of(cell)
    for variant, ended in zip(variants, statuses, strict=True):
        records.put(tasks.export.variant_key(variant), [result(Stage.EXPORT, ended)], artifact=ARTIFACT)
        records.put(tasks.run.variant_key(variant, ARTIFACT), [result(Stage.PARITY)])
    assert verdict_on(cell, records, Variants(require=require)).status is status


OPEN = None
"""A variant that no run has come to."""


@pytest.mark.parametrize(
    ("statuses", "require", "status"),
    [
        ((FAILS, OPEN), "any", NOT_RUN),
        ((WORKS, OPEN), "any", WORKS),
        ((ERROR, OPEN), "any", ERROR),
        ((WORKS, OPEN), "all", NOT_RUN),
        ((FAILS, OPEN), "all", FAILS),
        ((OPEN, OPEN), "all", NOT_RUN),
        ((FAILS, OPEN), "layout=pair", FAILS),
        ((WORKS, OPEN), "layout=pair", WORKS),
        ((WORKS, OPEN), "layout=merged", NOT_RUN),
    ],
)
def test_what_is_still_to_be_run_decides_nothing(records, statuses, require, status):
    variants = (PAIR, MERGED)
    cell = resolved(*variants)
    record(records, cell, Stage.EAGER)
    for variant, ended in zip(variants, statuses, strict=True):
        if ended:
            records.put(tasks_of(cell).export.variant_key(variant), [result(Stage.EXPORT, ended)], artifact=ARTIFACT)
            records.put(tasks_of(cell).run.variant_key(variant, ARTIFACT), [result(Stage.PARITY)])
    assert verdict_on(cell, records, Variants(require=require)).status is status


def test_an_error_of_this_run_shadows_what_is_stored_and_is_not_kept(records):
    cell = resolved()
    record(records, cell)
    records.put(tasks_of(cell).export.key, [result(Stage.INSTALL, ERROR)], remember=False)
    assert verdict_on(cell, records).status is ERROR
    assert verdict_on(cell, Records(store=records.store, limits=records.limits)).status is WORKS


def test_an_error_under_other_limits_is_unknown_and_a_fact_is_not(records):
    cell = resolved()
    tasks = tasks_of(cell)
    records.put(tasks.export.key, [result(Stage.EAGER, ERROR)])
    records.put(tasks.run.key, [result(Stage.IMPORT, FAILS)])
    patient = Records(store=records.store, limits=Limits(seconds=2, memory=1))
    assert patient.get(tasks.export.key) is None
    assert patient.get(tasks.run.key) is not None
