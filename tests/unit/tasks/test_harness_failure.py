"""An exception in the code of a task is the harness's own failure, and proves nothing of the packages under test."""

from __future__ import annotations

import errno

import pytest
from values import resolved, result, tasks_of

from harness.errors import DiskFullError
from harness.model import Limits, Stage, Status
from harness.store.store import Store
from harness.tasks.harness_failure import HARNESS_FAILED, recorded
from harness.tasks.records import Records

LIMITS = Limits(seconds=1, memory=1)
EXPORT = tasks_of(resolved()).export


@pytest.fixture
def records(tmp_path):
    return Records(store=Store(tmp_path), limits=LIMITS)


def test_it_is_an_error_of_what_the_task_has_not_produced_and_is_tried_again(records, tmp_path):
    (variant,) = EXPORT.variants
    records.put(EXPORT.key, [result(Stage.IMPORT), result(Stage.EAGER)])
    with recorded(EXPORT, records):
        raise ValueError("a bug")
    assert all(stage.ok for stage in records.get(EXPORT.key).stages)
    (failed,) = records.get(EXPORT.variant_key(variant)).stages
    assert (failed.stage, failed.status) == (Stage.EXPORT, Status.ERROR)
    assert failed.error.message == f"{HARNESS_FAILED}: a bug"
    assert Records(store=Store(tmp_path), limits=LIMITS).get(EXPORT.variant_key(variant)) is None


@pytest.mark.parametrize(
    ("error", "raised"),
    [(InterruptedError(), InterruptedError), (OSError(errno.ENOSPC, "No space left on device"), DiskFullError)],
)
def test_what_ends_the_run_is_recorded_nowhere(records, error, raised):
    with pytest.raises(raised), recorded(EXPORT, records):
        raise error
    assert records.get(EXPORT.key) is None
