"""Dask's workers on this machine: the same report as without them, also where one of them is killed half-way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import packages
import psutil
import pytest
from project import Project, alive, wait_until
from test_interruption import gated, get_half_way, left, two_cells

pytest.importorskip("distributed")

DASK = ("--executor", "dask", "--jobs", "2")


@pytest.fixture(scope="module", autouse=True)
def _fake_probe_in_workers():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD", "dask_worker")
        yield


def comparable(project: Project) -> Any:
    """The report without what differs from one run to the next."""

    def stripped(value: Any) -> Any:
        if isinstance(value, dict):
            left_out = {"seconds", "finished", "generated", "log", "peak_memory", "elapsed"}
            return {name: stripped(one) for name, one in value.items() if name not in left_out}
        return [stripped(one) for one in value] if isinstance(value, list) else value

    return stripped(project.report())


def several(root: Path) -> Project:
    """Cells that work, fail and share exports; the onnxruntime 1.18.0 waits at its first run for the gate."""
    project = Project.working(root)
    project.publish(
        packages.torch("2.2.0", on_export="raise RuntimeError('no')"),
        packages.onnxruntime("1.17.0", on_run="raise RuntimeError('no')"),
        packages.onnxruntime("1.18.0", on_run=gated(root / "gate")),
    )
    axes = {"torch": ["2.1.0", "2.2.0"], "onnxruntime": ["1.16.3", "1.17.0", "1.18.0"]}
    project.configure(axes, variants={"exporters": ["torchscript", "dynamo"], "layouts": ["pair", "merged"]})
    return project


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = several(tmp_path_factory.mktemp("local"))
    (project.root / "gate").touch()
    project.run("--jobs", "2")
    assert {cell["status"] for cell in project.cells().values()} == {"works", "fails"}
    return project


def twin(local: Project, root: Path) -> Project:
    """A project like `local`, not run yet."""
    return several(root)


def test_two_workers_give_the_report_of_none(local, tmp_path):
    project = several(tmp_path)
    (project.root / "gate").touch()
    answer = project.call("run", *DASK)
    assert answer.code == 0, answer.err
    assert comparable(project) == comparable(local)
    assert [path.name for path in (project.store / "envs").iterdir() if path.is_dir()] == []
    assert len(project.starts()) == len(local.starts())


def host(pid: int) -> psutil.Process:
    """The worker that started the process `pid`."""
    parent = psutil.Process(pid).parent()
    assert parent is not None
    return parent


def test_a_worker_that_is_killed_half_way_changes_nothing(local, tmp_path):
    project = several(tmp_path)
    with project.start("run", *DASK) as child:
        wait_until(lambda: left(project) and len(left(project)) == len(project.starts()) - finished(project), 40)
        waiting = [start["pid"] for start in project.starts("run") if alive(start["pid"])]
        wait_until(lambda: [start["pid"] for start in project.starts("run") if alive(start["pid"])], 40)
        waiting = [start["pid"] for start in project.starts("run") if alive(start["pid"])]
        worker = host(waiting[0])
        assert worker.pid != child.pid
        worker.send_signal(signal.SIGKILL)
        (project.root / "gate").touch()
        _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert comparable(project) == comparable(local)
