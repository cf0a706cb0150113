"""kill -9, Ctrl-C and SIGTERM half-way: what was finished is kept, nothing stays behind."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import packages
import pytest
from project import Project, alive, wait_until


def gated(gate: Path) -> str:
    """Source that waits until the file `gate` exists."""
    return f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)"


@pytest.fixture
def half_way(project: Project) -> Project:
    """Two handoff cells, of which the second decodes only once `<root>/gate` exists."""
    project.publish(packages.onnxruntime("1.17.0", on_run=gated(project.root / "gate")))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]}, environment=["handoff"])
    return project


def get_half_way(project: Project, child: subprocess.Popen[str]) -> None:
    """Wait until the first cell is judged, which means stored, and the second one's probe waits for the gate."""
    assert child.stderr
    while "[1/2]" not in child.stderr.readline():
        assert child.poll() is None
    wait_until(lambda: len(project.starts("run")) == 2 and len(left(project)) == 1)


def left(project: Project) -> list[int]:
    """Probe processes that are alive."""
    return [start["pid"] for start in project.starts() if alive(start["pid"])]


def killed(project: Project) -> None:
    """Run half-way and kill -9, then open the gate."""
    with project.start("run", "--jobs", "2") as child:
        get_half_way(project, child)
        child.kill()
        child.wait(10)
    wait_until(lambda: not left(project), 5)
    (project.root / "gate").touch()


def test_after_kill_9_the_next_run_goes_on_and_nothing_is_orphaned(half_way):
    killed(half_way)
    assert len(half_way.starts()) == 3
    cells = half_way.run()
    assert [cell["status"] for cell in cells.values()] == ["works", "works"]
    assert [start["kind"] for start in half_way.starts()[3:]] == ["run"]


@pytest.mark.xfail(strict=True, reason="scratch folders of a run that was killed are never removed")
def test_scratch_that_kill_9_left_is_removed_by_the_next_run(half_way):
    killed(half_way)
    half_way.run()
    assert list((half_way.store / "tmp").iterdir()) == []


@pytest.mark.xfail(strict=True, reason="environments of a run that was killed are never removed")
def test_environments_that_kill_9_left_are_removed_by_the_next_run(half_way):
    killed(half_way)
    half_way.run()
    assert [path.name for path in (half_way.store / "envs").iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_writes_a_partial_report_and_leaves_no_process(half_way, number):
    with half_way.start("run", "--jobs", "2") as child:
        get_half_way(half_way, child)
        child.send_signal(number)
        out, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert left(half_way) == []
    assert "interrupted" in err
    assert "Traceback" not in err
    done, waiting = half_way.report()["cells"]
    assert done["status"] == "works"
    assert waiting["status"] == "not-run"
    assert [one["reason"] for one in waiting["variants"]] == ["the run ended before it got here"]
    assert "not-run" in out
    (half_way.root / "gate").touch()
    assert {cell["status"] for cell in half_way.run().values()} == {"works"}
    assert [start["kind"] for start in half_way.starts()[3:]] == ["run"]


def test_ctrl_c_from_a_terminal_reaches_the_whole_group_and_is_no_verdict(half_way):
    # A terminal signals every process of the foreground group; probes live in groups of their own.
    with half_way.start("run", "--jobs", "2") as child:
        get_half_way(half_way, child)
        (probe,) = left(half_way)
        assert Path(f"/proc/{probe}/stat").read_text().rpartition(")")[2].split()[2] != str(child.pid)
        child.send_signal(signal.SIGINT)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=20)
    assert child.returncode == 130
    assert left(half_way) == []


def test_a_run_that_is_killed_while_it_exports_repeats_that_export(project):
    project.publish(packages.torch("2.2.0", on_export=gated(project.root / "gate")))
    project.configure({"torch": ["2.2.0"]})
    with project.start("run", "--jobs", "2") as child:
        wait_until(lambda: len(project.starts("export")) == 1 and len(left(project)) == 1)
        child.kill()
    wait_until(lambda: not left(project), 5)
    (project.root / "gate").touch()
    (cell,) = project.run().values()
    assert cell["status"] == "works"
    assert len(project.starts("export")) == 2
