"""Runs that are at work on one store at a time share the work."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import packages
import pytest
from elsewhere import comparable, fresh
from packages import raises
from project import Project, wait_until

from harness.diagnose import assembly
from harness.execution.session import Session
from harness.execution.work import Origin

KINDS = ("export", "import", "run", "evaluate")


def project_at(root: Path, *, fails: bool) -> Project:
    """Six cells, of which some fail."""
    project = Project.working(root)
    no = raises("RuntimeError('no')") if fails else ""
    project.publish(packages.torch("2.2.0", ir=7), packages.torch("2.3.0", on_export=no))
    project.publish(packages.onnxruntime("1.17.0", on_run=no))
    project.configure({"torch": ["2.1.0", "2.2.0", "2.3.0"], "onnxruntime": ["1.16.3", "1.17.0"]})
    return project


def started(project: Project) -> Counter[str]:
    """How many processes each kind of probe took, with repetitions."""
    return Counter(start["kind"] for start in (*project.starts(), *project.repetitions()))


def meanwhile(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], object]) -> None:
    """Have `act` happen when that method of a session is called for the first time, before it does anything."""
    method = getattr(Session, name)

    def first(*given: Any) -> Any:
        monkeypatch.setattr(Session, name, method)
        act()
        return method(*given)

    monkeypatch.setattr(Session, name, first)


def failing_for_now(project: Project) -> Path:
    """A file: as long as it exists, the only torch of the matrix, 2.2.0, does not export."""
    no = project.notes / "no"
    refuses = f"import os\nif os.path.exists({str(no)!r}): raise RuntimeError('no')"
    project.publish(packages.torch("2.2.0", on_export=refuses))
    project.configure({"torch": ["2.2.0"]})
    no.touch()
    return no


@pytest.mark.parametrize("fails", [False, True], ids=["works", "fails"])
def test_four_runs_start_each_probe_once(tmp_path, fails):
    alone = project_at(tmp_path / "alone", fails=fails)
    alone.run("--jobs", "2")
    together = fresh(alone, tmp_path / "together")
    with contextlib.ExitStack() as running:
        for child in [running.enter_context(together.start("run", "--jobs", "2")) for _ in range(4)]:
            _, err = child.communicate(timeout=300)
            assert child.returncode == 0, err
    assert comparable(together) == comparable(alone)
    assert list((together.store / "claims").iterdir()) == []
    if fails:
        # Which failures have repeated is known to the process that saw it: another one repeats its own, too.
        assert started(together).total() < 1.5 * started(alone).total()
    else:
        assert started(together) == started(alone)


def test_what_a_killed_run_was_about_to_do_is_done_by_the_other(project):
    gate = project.root / "gate"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)"
    project.publish(packages.onnxruntime(on_run=wait))
    with project.start("run") as first:
        wait_until(lambda: len(project.starts("run")) == 1)
        with project.start("run") as second:
            assert second.stderr
            while "at a time" not in second.stderr.readline():
                assert second.poll() is None
            first.kill()
            first.wait(60)
            gate.touch()
            assert second.wait(60) == 0
    assert len(project.starts("run")) == 2
    assert project.main("report").code == 0
    assert [cell["status"] for cell in project.cells().values()] == ["works"]


def test_what_another_run_does_after_a_look_and_before_the_claim_is_known(project, monkeypatch):
    project.publish(packages.torch("2.6.0", ir=11))
    project.configure({"torch": ["2.6.0"]})
    # The other run seeks no remedies, and nothing is left for this one but that.
    project.remedies = True
    other = Project(project.root)
    meanwhile(monkeypatch, "run", lambda: other.call("run"))
    (cell,) = project.run().values()
    assert (cell["status"], cell["remedies"]) == ("works-with-remedy", ["ir-version 9"])


@pytest.mark.parametrize("command", ["run", "check"])
def test_what_another_run_has_seen_to_be_chance_is_no_fact(project, monkeypatch, command):
    no = failing_for_now(project)

    def works_once_more() -> None:
        no.unlink()
        assert project.call("run").code == 0
        no.touch()

    meanwhile(monkeypatch, "claim", works_once_more)
    if command == "run":
        assert [cell["status"] for cell in project.run().values()] == ["flaky"]
    else:
        (project.root / "set.txt").write_text("torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.16.3\n")
        answer = project.main("check", "--from", str(project.root / "set.txt"), "--to", "torch==2.2.0", "--quiet")
        assert answer.code == 3, answer.out
        assert "flaky" in answer.out


def test_a_run_keeps_no_claim_on_what_another_one_has_run_once_more(project, monkeypatch):
    failing_for_now(project)
    held: list[Path] = []
    close = assembly.close_boundaries

    def noted(*given: Any) -> Any:
        held.extend((project.store / "claims").iterdir())
        return close(*given)

    monkeypatch.setattr(assembly, "close_boundaries", noted)
    meanwhile(monkeypatch, "claim", lambda: project.call("run"))
    assert [cell["status"] for cell in project.run().values()] == ["fails"]
    assert held == []


def test_a_run_holds_few_claims_at_a_time(project, monkeypatch):
    """Each takes a descriptor, of which a process has a thousand."""
    project.publish(packages.onnxruntime(on_load=raises("RuntimeError('no')")))
    many = {
        "bindings": ["numpy", "ortvalue"],
        "strategies": ["cached", "mixed"],
        "feedbacks": ["keep-cross", "feed-all"],
        "optimizations": ["default", "disabled", "basic", "extended"],
        "memory-patterns": ["default", "disabled"],
    }
    project.configure(variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"], **many})
    held: list[int] = []
    run = Session.run

    def noted(session: Session, work: Any) -> None:
        if work.origin is Origin.ONCE_MORE:
            held.append(len(list((project.store / "claims").iterdir())))
        run(session, work)

    monkeypatch.setattr(Session, "run", noted)
    (cell,) = project.run().values()
    assert [one["status"] for one in cell["variants"]] == ["fails"] * len(cell["variants"])
    assert len(cell["variants"]) > 64
    assert 0 < max(held) <= 64


def test_a_store_of_before_there_were_claims_is_read_as_it_is(project):
    """Its reader may have no right to write to it."""
    project.run()
    (project.store / "claims").rmdir()
    assert project.main("report").code == 0
    assert not (project.store / "claims").exists()
