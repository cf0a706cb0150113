"""Runs that are at work on one store at a time share the work."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path

import packages
import pytest
from elsewhere import comparable, fresh
from packages import raises
from project import Project, wait_until

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
