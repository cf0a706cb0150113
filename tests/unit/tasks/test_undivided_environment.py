"""What is known of a task in a composed environment, and of the same undivided: which of the two counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from values import MERGED, PAIR, resolved, result, tasks_of

from harness.environments.layers import closure, layers, undivided
from harness.model import Failure, Limits, Setup, Stage, Status
from harness.store.store import Store
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.records import Records

NO = result(Stage.EXPORT, Status.FAILS, "no")
ABOVE_LIMITS = {"rule": "ir-above-runtime", "message": "IR version 10; onnxruntime 1.16.3 runs up to 9"}
REFERENCE = [result(Stage.IMPORT), result(Stage.EAGER)]


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(store=Store(tmp_path), limits=Limits(seconds=1, memory=1))


@pytest.fixture
def failing(records: Records) -> CellTasks:
    """A `together` cell of which one variant fails to be exported, and the other does not."""
    tasks = tasks_of(resolved(PAIR, MERGED))
    records.put(tasks.export.key, REFERENCE)
    records.put(tasks.export.variant_key(PAIR), [NO])
    records.put(tasks.export.variant_key(MERGED), [result(Stage.EXPORT), result(Stage.CHECK)], artifact="a" * 32)
    assert tasks.together
    records.put(tasks.together.key, [result(Stage.IMPORT)])
    return tasks


def test_an_undivided_closure_is_one_layer_under_a_key_of_its_own():
    tasks = tasks_of(resolved())
    composed, (whole,) = tasks.export.closure, tasks.export.undivided
    assert len(layers(composed)) > 1
    assert layers(whole.whole) == (whole.whole,)
    same = undivided(composed.interpreter, composed.lock)
    assert same.key != closure(composed.interpreter, composed.lock).key
    assert set(whole.whole.lock.versions) == {"torch", "transformers", "onnx", "onnxruntime", "numpy"}


def test_the_sides_of_a_handoff_stay_apart():
    tasks = tasks_of(resolved(setup=Setup.HANDOFF))
    (whole,) = tasks.export.undivided
    assert whole.whole.lock == tasks.export.closure.lock
    assert tasks.run.undivided == ()


def test_a_failure_is_pending_until_it_is_confirmed(records, failing):
    (whole,) = failing.export.undivided
    other = failing.export.within(whole)
    assert failing.export.missing(records) == [(other.variant_key(PAIR), Stage.EXPORT)]
    records.put(whole.confirmation(failing.export.variant_key(PAIR)), [NO])
    assert not failing.export.is_pending(records)
    assert failing.counting(records) is failing


def test_it_is_confirmed_for_one_run_side(records, failing):
    newer = tasks_of(resolved(PAIR, MERGED, onnxruntime="1.20.1"))
    assert newer.export == failing.export
    ((whole,), (other,)) = failing.export.undivided, newer.export.undivided
    key = failing.export.variant_key(PAIR)
    records.put(whole.confirmation(key), [NO])
    assert records.get(whole.confirmation(key))
    assert not records.get(other.confirmation(key))


def test_what_is_refuted_counts_for_no_variant(records, failing):
    (whole,) = failing.export.undivided
    records.put(whole.refutation, REFERENCE)
    counting = failing.counting(records)
    assert counting.export.closure == whole.whole
    assert counting.run.export == counting.export
    assert counting.run.closure == failing.run.closure
    other = counting.export
    # The joint import, PyTorch alone, and in its process both variants.
    assert {key for key, _ in failing.export.missing(records)} == {other.key, other.imports[0].key}
    assert counting.run.runnable(records) == []


@pytest.mark.parametrize("status", [Status.ERROR, Status.FLAKY])
def test_trouble_undivided_is_the_verdict(records, failing, status):
    (whole,) = failing.export.undivided
    trouble = result(Stage.EXPORT, status)
    records.put(failing.export.within(whole).variant_key(PAIR), [trouble])
    assert failing.export.exported(PAIR, records) == [trouble]
    assert failing.export.exported(MERGED, records)[-1].ok
    assert not failing.export.is_pending(records)


@pytest.mark.parametrize(
    ("error", "in_doubt"),
    [
        (Failure(type="ConnectionError", message="no", raised_in="package"), True),
        (Failure(type="KeyError", message="no", raised_in="probe"), False),
        (Failure(type="timeout", message="no"), False),
    ],
)
def test_an_error_of_a_package_is_in_doubt(records, failing, error, in_doubt):
    (whole,) = failing.export.undivided
    records.put(failing.export.variant_key(PAIR), [replace(result(Stage.EXPORT, Status.ERROR, "no"), error=error)])
    assert bool(failing.export.unrepeated(whole, records)) is in_doubt


@pytest.mark.parametrize(
    ("failure", "in_doubt"),
    [
        (result(Stage.LOAD, Status.FAILS), True),
        (result(Stage.DECODE, Status.FAILS), True),
        (result(Stage.LOAD, Status.FAILS, findings=[ABOVE_LIMITS]), False),
        (result(Stage.DECODE, Status.FAILS, findings=[ABOVE_LIMITS]), True),
        (result(Stage.LOAD, Status.FAILS, findings=[ABOVE_LIMITS], missing={"module": "torch"}), True),
        (result(Stage.DECODE, Status.ERROR, missing={"module": "torch"}), False),
    ],
)
def test_a_run_that_fails_is_in_doubt_unless_its_stamp_is_above_the_limits(records, failing, failure, in_doubt):
    run = failing.run
    records.put(run.key, [result(Stage.IMPORT)])
    records.put(run.variant_key(MERGED, "a" * 32), [failure])
    (whole,) = run.undivided
    assert bool(run.unrepeated(whole, records)) is in_doubt
