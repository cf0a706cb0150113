"""Keys: what could influence a result changes its key, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from values import DYNAMO, MERGED, PAIR, PINS, resolved, tasks_of

from harness import subprocesses
from harness.hashing import canonical, digest_with
from harness.matrix.plan import Planned, cells, requirements
from harness.matrix.schema import Matrix, ProbeSection
from harness.model import Setup
from harness.stack import EVALUATOR, RUNTIME
from harness.tasks import install, keys
from harness.tasks.cell_tasks import of_cell
from harness.tasks.graph_run import Evaluate
from harness.tasks.keys import platform_id, read_anew, source


def test_an_export_does_not_depend_on_onnxruntime():
    one, other = tasks_of(resolved()), tasks_of(resolved(onnxruntime="1.17.0"))
    assert one.export == other.export
    assert one.run.key != other.run.key
    assert one.together.key != other.together.key


@pytest.mark.parametrize("axis", ["torch", "transformers", "onnx"])
def test_an_export_depends_on_the_rest_and_a_runs_import_does_not(axis):
    one, other = tasks_of(resolved()), tasks_of(resolved(**{axis: "9.9"}))
    assert one.export.key != other.export.key
    assert one.run.key == other.run.key


def test_handoff_and_together_share_exports_and_runs():
    together, handoff = tasks_of(resolved()), tasks_of(resolved(setup=Setup.HANDOFF))
    assert handoff.together is None
    assert (handoff.export.key, handoff.run.key) == (together.export.key, together.run.key)


def test_a_run_depends_on_the_artifacts_content():
    run = tasks_of(resolved()).run
    assert run.variant_key(PAIR, "one") != run.variant_key(PAIR, "other")


def test_an_exporter_whose_helper_was_dropped_has_no_task():
    found = tasks_of(resolved(PAIR, MERGED, DYNAMO, dropped=(("onnxscript", "no room"),)))
    assert found.export.variants == found.run.variants == (PAIR, MERGED)


@pytest.fixture
def probe(tmp_path, monkeypatch):
    """A probe of five files, whose keys are computed anew at each `sources`."""
    for name in ("__main__.py", "journal.py", "export/job.py", "runtimes/ort/session.py", "runtimes/reference/evaluator.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(keys, "PROBE", tmp_path / "__main__.py")
    yield tmp_path
    read_anew()


def sources() -> dict[str, str]:
    read_anew()
    return {user: source(user) for user in ("import", "export", RUNTIME, EVALUATOR)}


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("journal.py", {"import", "export", RUNTIME, EVALUATOR}),
        ("export/job.py", {"export"}),
        ("runtimes/ort/session.py", {RUNTIME}),
        ("runtimes/ort/new.py", {RUNTIME}),
        ("runtimes/reference/new.py", {EVALUATOR}),
        ("notes.txt", set()),
    ],
)
def test_a_change_of_the_probe_changes_the_keys_of_what_can_use_it(probe: Path, file, changed):
    before = sources()
    (probe / file).write_text("2")
    after = sources()
    assert {user for user in before if before[user] != after[user]} == changed


def every_key() -> list[str]:
    read_anew()
    cell = tasks_of(resolved())
    return [
        cell.together.key,
        cell.export.key,
        cell.run.key,
        Evaluate(export=cell.export, closure=cell.export.closure, variants=()).key,
    ]


def test_every_key_holds_the_probes_variables_and_the_rules_it_is_judged_by(monkeypatch):
    seen = [every_key()]
    monkeypatch.setitem(subprocesses.PROBE, "OMP_NUM_THREADS", "2")
    seen.append(every_key())
    monkeypatch.setattr(keys, "RULES", keys.RULES + 1)
    seen.append(every_key())
    assert all(len(set(made)) == len(seen) for made in zip(*seen, strict=True))


def test_the_seed_of_a_checkpoint_is_in_the_key(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    cells = [of_cell(resolved(), ProbeSection(model=str(tmp_path), seed=seed)) for seed in (0, 1)]
    assert len({cell.export.key for cell in cells}) == 2


def test_the_platform_names_system_machine_and_libc():
    assert platform_id().count("-") >= 1


def test_options_of_a_session_are_a_run_of_their_own_and_no_export():
    tasks = tasks_of(resolved())
    other = replace(PAIR, optimization="disabled")
    assert tasks.run.variant_key(other, "one") != tasks.run.variant_key(PAIR, "one")
    assert tasks.export.variant_key(other) == tasks.export.variant_key(PAIR)
    assert other.id == f"{PAIR.id}-optimization-disabled"


def test_what_was_stored_before_there_were_other_runtimes_is_still_known(monkeypatch):
    """The keys of a cell with the runtime of Python, as they were before; the probe's source apart."""
    monkeypatch.setattr(keys, "_common_part", lambda _source: '["fixed"]')
    monkeypatch.setattr(install, "platform_id", lambda: "Linux")
    together, handoff = tasks_of(resolved()), tasks_of(resolved(setup=Setup.HANDOFF))
    assert together.together.key == "9aaf8133c55e79de552bf1f79f12d4c2"
    for tasks in (together, handoff):
        installs = ["767d1838226f665ed31932d65c16b0e7", "1569a929292278ba2d5f1c8db8db30db"]
        assert [task.key for task in tasks.installs] == installs
        assert tasks.export.key == "c819590f6f5be0c8ab7429036cb80892"
        assert tasks.run.key == "c4c6582ac4c49e94ab81122cce7ec8c8"
        assert tasks.run.variant_key(PAIR, "a") == "890bd6ce78e2f34406bee4930cf75e2c"


def test_locks_that_were_stored_before_there_were_other_runtimes_are_still_known():
    axes = {"python": ["3.11"], **{axis: [version] for axis, version in PINS.items()}, "numpy": ["1.26.4"]}
    trap = {"when": "onnxruntime<1.19", "add": ["protobuf<5"], "reason": "why"}
    matrix = Matrix.model_validate({"axes": axes, "setup": ["together", "handoff"], "constraint": [trap]})
    solves = [
        digest_with(["lock", *needed.parts, "3.11.7"], canonical(["id"]))
        for cell in cells(matrix, axes)
        for needed in requirements(Planned(cell=cell, variants=()), matrix, frozenset({"dynamo", "torchscript"}))
    ]
    assert solves == [
        "d688233e200abe3184b674eb04931832",
        "ff50989708c5727d4d8f19d57f17c917",
        "f0869890158fbb15efd24c269a099da6",
    ]
