"""kill -9, Ctrl-C and SIGTERM half-way: what was finished is kept, nothing stays behind."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import packages
import psutil
import pytest
from project import Project, alive, wait_until

from harness.store.scratch import FileLock


def gated(gate: Path) -> str:
    """Source that waits until the file `gate` exists."""
    return f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)"


def two_cells(project: Project) -> Project:
    """Two handoff cells, of which the second decodes only once `<root>/gate` exists."""
    project.publish(packages.onnxruntime("1.17.0", on_run=gated(project.root / "gate")))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]}, setup=["handoff"])
    return project


@pytest.fixture
def half_way(project: Project) -> Project:
    return two_cells(project)


def get_half_way(project: Project, child: subprocess.Popen[str]) -> None:
    """Wait until the first cell is judged, which means stored, and the second one's probe waits for the gate."""
    assert child.stderr
    while "[1/2]" not in child.stderr.readline():
        assert child.poll() is None
    wait_until(lambda: len(project.starts("run")) == 2 and len(left(project)) == 1)


def left(project: Project) -> list[int]:
    """Probe processes that are alive."""
    # An export's process notes what it imports beside itself too.
    return [pid for pid in {start["pid"] for start in project.starts()} if alive(pid)]


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose run was killed half-way, and run again with the gate open."""
    project = two_cells(Project.working(tmp_path_factory.mktemp("resumed")))
    with project.start("run", "--jobs", "2") as child:
        get_half_way(project, child)
        child.kill()
        child.wait(60)
    wait_until(lambda: not left(project), 30)
    assert len(project.starts()) == 3
    (project.root / "gate").touch()
    project.run()
    return project


def test_after_kill_9_the_next_run_goes_on_and_nothing_is_orphaned(resumed):
    assert [cell["status"] for cell in resumed.cells().values()] == ["works", "works"]
    assert [start["kind"] for start in resumed.starts()[3:]] == ["run"]


def test_scratch_that_kill_9_left_is_removed_by_the_next_run(resumed):
    assert list((resumed.store / "tmp").iterdir()) == []


def test_environments_that_kill_9_left_are_removed_by_the_next_run(resumed):
    assert [path.name for path in (resumed.store / "envs").iterdir() if path.is_dir()] == []


@pytest.fixture
def hangups() -> Iterator[None]:
    """A child takes SIGHUP as a signal, also where these tests run under nohup, which has it ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangups")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_writes_a_partial_report_and_leaves_no_process(half_way, number):
    with half_way.start("run", "--jobs", "2") as child:
        get_half_way(half_way, child)
        child.send_signal(number)
        out, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert left(half_way) == []
    assert "interrupted" in err
    assert "Traceback" not in err
    done, waiting = half_way.report()["cells"]
    assert done["status"] == "works"
    assert waiting["status"] == "not-run"
    assert [one["reason"] for one in waiting["variants"]] == ["not run yet"]
    assert "not-run" in out
    (half_way.root / "gate").touch()
    assert {cell["status"] for cell in half_way.run().values()} == {"works"}
    assert [start["kind"] for start in half_way.starts()[3:]] == ["run"]


def test_a_forced_run_that_is_interrupted_loses_nothing_that_was_known(half_way):
    gate = half_way.root / "gate"
    gate.touch()
    assert {cell["status"] for cell in half_way.run().values()} == {"works"}
    gate.unlink()
    with half_way.start("run", "--force", "--jobs", "1") as child:
        wait_until(lambda: len(half_way.starts("run")) > 2 and len(left(half_way)) == 1)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=120)
    assert child.returncode == 130
    assert {cell["status"] for cell in half_way.cells().values()} == {"works"}


def test_a_cell_of_which_only_the_failing_half_was_run_has_no_verdict_yet(project):
    pair_fails = "if run['layout'] == 'pair': raise RuntimeError('no')\n"
    project.publish(packages.onnxruntime("1.17.0", on_run=pair_fails))
    variants = {"exporters": ["torchscript"], "layouts": ["pair"]}
    project.configure({"onnxruntime": ["1.17.0"]}, variants=variants)
    (cell,) = project.run().values()
    assert cell["status"] == "fails"
    project.configure({"onnxruntime": ["1.17.0"]}, variants={**variants, "layouts": ["pair", "merged"]})
    assert project.main("report").code == 0
    (cell,) = project.cells().values()
    assert (cell["status"], [one["status"] for one in cell["variants"]]) == ("not-run", ["fails", "not-run"])
    (cell,) = project.run().values()
    assert cell["status"] == "works"


def test_the_partial_report_of_an_interrupted_refresh_holds_what_is_known(half_way):
    with half_way.start("run", "--refresh", "--jobs", "2") as child:
        get_half_way(half_way, child)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=120)
    assert child.returncode == 130
    assert [cell["status"] for cell in half_way.report()["cells"]] == ["works", "not-run"]
    assert all(cell["lock"] for cell in half_way.report()["cells"])


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield server


def test_an_interruption_while_resolving_ends_uv_too(project, silent):
    address = f"http://127.0.0.1:{silent.getsockname()[1]}/simple/"
    project.configure(uv={"default-index": address, "torch-backend": "default"})
    with project.start("run") as child:
        connection, _ = silent.accept()
        with connection:
            (uv,) = [one for one in psutil.Process(child.pid).children(recursive=True) if one.name() == "uv"]
            child.send_signal(signal.SIGINT)
            try:
                _, err = child.communicate(timeout=20)
                assert not alive(uv.pid)
            finally:
                with contextlib.suppress(psutil.NoSuchProcess):
                    uv.kill()
    assert child.returncode == 130
    assert "interrupted while resolving" in err
    assert "Traceback" not in err
    assert [cell["status"] for cell in project.cells().values()] == ["not-run"]


def test_ctrl_c_from_a_terminal_reaches_the_whole_group_and_is_no_verdict(half_way):
    # A terminal signals every process of the foreground group; probes live in groups of their own.
    with half_way.start("run", "--jobs", "2") as child:
        get_half_way(half_way, child)
        (probe,) = left(half_way)
        assert Path(f"/proc/{probe}/stat").read_text().rpartition(")")[2].split()[2] != str(child.pid)
        child.send_signal(signal.SIGINT)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=120)
    assert child.returncode == 130
    assert left(half_way) == []


def test_a_run_that_is_killed_while_it_exports_repeats_that_export(project):
    project.publish(packages.torch("2.2.0", on_export=gated(project.root / "gate")))
    project.configure({"torch": ["2.2.0"]})
    with project.start("run", "--jobs", "2") as child:
        wait_until(lambda: len(project.starts("export")) == 1 and len(left(project)) == 1)
        child.kill()
    wait_until(lambda: not left(project), 30)
    (project.root / "gate").touch()
    (cell,) = project.run().values()
    assert cell["status"] == "works"
    assert len(project.starts("export")) == 2


def test_two_runs_on_one_store_do_not_take_environments_from_each_other(project):
    # The first run's probe waits until the second run's has begun, which goes on until the first run has ended.
    over = project.root / "first-is-over"
    source = f"""
        import os, pathlib, time
        root = pathlib.Path({str(project.root)!r})
        (root / f"running-{{os.getpid()}}").touch()
        first = len(list(root.glob("running-*"))) == 1
        while len(list(root.glob("running-*"))) < 2 or not (first or os.path.exists({str(over)!r})):
            time.sleep(0.02)
        import flatbuffers
    """
    project.publish(packages.torch("2.2.0"), packages.onnxruntime(on_run=source))
    project.configure({"torch": ["2.1.0", "2.2.0"]})
    with project.start("run", "--jobs", "1", "--select", "torch==2.1.0") as first:
        wait_until(lambda: len(list(project.root.glob("running-*"))) == 1)
        with project.start("run", "--jobs", "1", "--select", "torch==2.2.0") as second:
            assert first.wait(60) == 0
            over.touch()
            assert second.wait(60) == 0
    assert project.main("report").code == 0
    assert [cell["status"] for cell in project.cells().values()] == ["works", "works"]
    assert [path.name for path in (project.store / "envs").iterdir() if path.is_dir()] == []


def test_an_interruption_while_a_selector_is_resolved_is_one(project, silent):
    address = f"http://127.0.0.1:{silent.getsockname()[1]}/simple/"
    project.configure({"torch": [">=2; latest"]}, uv={"default-index": address, "torch-backend": "default"})
    with project.start("run") as child:
        connection, _ = silent.accept()
        with connection:
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "interrupted while resolving" in err
    assert "no report: matrix.toml: axes.torch[0]: the selector" in err


def test_an_interruption_while_another_process_installs_is_heard_and_is_no_verdict(project):
    project.main("plan")
    with contextlib.closing(FileLock(project.store / "envs" / "install.lock")) as lock, project.start("run") as child:
        assert lock.exclude()
        # The environment is made before its turn to install comes.
        wait_until(lambda: list((project.store / "envs").glob("*/pyvenv.cfg")))
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert "partial report" in err
    assert {cell["status"] for cell in project.cells().values()} == {"not-run"}
    assert {cell["status"] for cell in project.run().values()} == {"works"}


def test_an_interrupt_while_the_first_modules_are_imported_gives_no_traceback():
    """From the moment at which Python runs the project's first line."""
    script = """
import os, runpy, signal, sys

class AtImport:
    def find_spec(self, name, *_):
        if name == "harness.errors":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, AtImport())
sys.argv = ["harness", "--help"]
runpy.run_module("harness", run_name="__main__")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
