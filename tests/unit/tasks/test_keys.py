"""Keys: what could influence a result changes its key, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from values import DYNAMO, MERGED, PAIR, resolved, tasks_of

from harness import subprocesses
from harness.matrix.schema import ProbeSection
from harness.model import Setup
from harness.stack import EVALUATOR, RUNTIME
from harness.tasks import keys
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
