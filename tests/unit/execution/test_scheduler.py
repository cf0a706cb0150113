"""The work graph: order, lanes, interruption."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from values import resolved, result, tasks_of

from harness.execution.scheduler import Scheduler, TaskEnded, TaskStarted
from harness.hashing import digest
from harness.matrix.schema import ProbeSection
from harness.model import Limits, Stage, Status
from harness.store.store import Store
from harness.tasks.cell_tasks import of_cells
from harness.tasks.export import Export
from harness.tasks.graph_run import Run
from harness.tasks.install import Install
from harness.tasks.pending import outstanding
from harness.tasks.records import Records

CELLS = [
    cell
    for cell in of_cells([resolved(onnxruntime=version) for version in ("1.16.3", "1.17.0", "1.18.0")], ProbeSection())
    if cell
]


@pytest.fixture
def records(tmp_path):
    return Records(store=Store(tmp_path), limits=Limits(seconds=1, memory=1))


def test_cells_share_what_they_share(records):
    todo = outstanding((task for cell in CELLS for task in cell.all), records)
    kinds = [type(task) for task in todo]
    assert {kind: kinds.count(kind) for kind in kinds} == {Install: 4, Export: 1, Run: 3}


def test_what_is_known_is_not_outstanding(records):
    first = tasks_of(resolved())
    export = first.export
    for install in first.installs:
        records.put(install.key, [result(Stage.INSTALL)])
    records.put(first.together.key, [result(Stage.IMPORT)])
    records.put(export.key, [result(Stage.IMPORT), result(Stage.EAGER)])
    records.put(export.variant_key(export.variants[0]), [result(Stage.EXPORT), result(Stage.CHECK)], artifact=digest("a"))
    records.put(first.run.variant_key(export.variants[0], digest("a")), [result(Stage.LOAD)])
    assert outstanding(first.all, records) == []


def test_nothing_is_outstanding_that_needs_an_environment_that_cannot_be_built(records):
    first = tasks_of(resolved())
    export_side, run_side = first.installs
    records.put(export_side.key, [result(Stage.INSTALL, Status.FAILS)])
    assert outstanding(first.all, records) == [run_side]


def run(todo, perform, probes: int = 2) -> list:
    events: list = []
    order = {task: place for place, task in enumerate(todo)}
    with ThreadPoolExecutor(probes + 1) as executor:
        Scheduler(perform=perform, executor=executor, probes=probes, on_event=events.append, order=order).run(todo)
    return events


def test_everything_runs_once_and_after_what_it_needs(records):
    todo = outstanding((task for cell in CELLS for task in cell.all), records)
    events = run(todo, lambda task: None)
    started = [event.task for event in events if isinstance(event, TaskStarted)]
    assert sorted(map(id, started)) == sorted(map(id, todo))
    for task in todo:
        for need in task.needs:
            if need in todo:
                assert events.index(TaskEnded(task=need)) < events.index(TaskStarted(task=task))


def test_probes_and_installs_have_lanes_of_their_own(records):
    guard, running, most = threading.Lock(), {True: 0, False: 0}, {True: 0, False: 0}

    def perform(task) -> None:
        lane = isinstance(task, Install)
        with guard:
            running[lane] += 1
            most[lane] = max(most[lane], running[lane])
        threading.Event().wait(0.02)
        with guard:
            running[lane] -= 1

    run(outstanding((task for cell in CELLS for task in cell.all), records), perform, probes=2)
    assert most[True] == 1
    assert most[False] <= 2


def test_what_does_not_fit_waits_and_something_smaller_goes_first(records):
    todo = [task for task in outstanding((task for cell in CELLS for task in cell.all), records) if isinstance(task, Run)]
    sizes = dict(zip(todo, (6.0, 5.0, 3.0), strict=True))
    guard, running, seen = threading.Lock(), [], []

    def perform(task) -> None:
        with guard:
            running.append(task)
            seen.append({sizes[one] for one in running})
        threading.Event().wait(0.1)
        with guard:
            running.remove(task)

    with ThreadPoolExecutor(4) as executor:
        given = {
            "perform": perform,
            "executor": executor,
            "probes": 3,
            "on_event": lambda _event: None,
            "order": {task: place for place, task in enumerate(todo)},
        }
        assert Scheduler(memory=sizes.__getitem__, available=9.5, **given).run(todo)
        assert seen[:2] == [{6.0}, {6.0, 3.0}]
        assert {6.0, 5.0} not in map(set, seen)
        seen.clear()
        # One that is larger than everything there is goes alone.
        assert Scheduler(memory=sizes.__getitem__, available=1.0, **given).run(todo)
        assert seen == [{6.0}, {5.0}, {3.0}]


@pytest.mark.parametrize("axis", ["torch", "transformers"])
def test_something_else_goes_first_where_a_probe_would_wait_for_what_another_imports(axis):
    exports = [
        tasks_of(resolved(onnx=onnx, **{axis: version})).export
        for version in ("4.40.0", "4.50.0")
        for onnx in ("1.15.0", "1.16.2")
    ]
    begun, first_two = [], threading.Barrier(2)

    def perform(task) -> None:
        begun.append(exports.index(task))
        if len(begun) <= 2:
            first_two.wait(10)

    run(exports, perform, probes=2)
    assert sorted(begun[:2]) == [0, 2]
    assert sorted(begun[2:]) == [1, 3]


def test_where_there_is_nothing_else_a_probe_waits_in_its_lane():
    exports = [tasks_of(resolved(onnx=onnx)).export for onnx in ("1.15.0", "1.16.2")]
    both = threading.Barrier(2)
    run(exports, lambda _task: both.wait(10) and None, probes=2)


def test_an_exception_of_a_task_ends_the_run(records):
    def perform(task) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run(outstanding((task for cell in CELLS for task in cell.all), records), perform)


def test_nothing_is_begun_after_the_deadline_and_what_runs_is_finished(records):
    todo = outstanding((task for cell in CELLS for task in cell.all), records)
    events: list = []
    order = {task: place for place, task in enumerate(todo)}

    def perform(_task) -> None:
        time.sleep(0.2)

    with ThreadPoolExecutor(3) as executor:
        began = time.monotonic()
        given = {"perform": perform, "executor": executor, "probes": 2, "on_event": events.append, "order": order}
        assert not Scheduler(**given, deadline=began + 0.1).run(todo)
        assert [type(event) for event in events] == [TaskStarted, TaskEnded]
        assert not Scheduler(**given, deadline=began).run(todo)
        assert len(events) == 2
        assert Scheduler(**given, deadline=began + 60).run(todo)
