"""A run that could not observe anything says so, exits with 3 and replaces no report; a full disk is said once."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import packages
import pytest
from packages import KILLED

from harness import disk_space
from harness.environments.interface import FailureType, ProviderFailure
from harness.environments.uv.client import Uv
from harness.errors import DiskFullError
from harness.execution.worker import Worker
from harness.store.artifacts import Artifacts
from harness.store.store import Store

pytestmark = pytest.mark.usefixtures("installed_once")

NOWHERE = "3.99"
"""A Python that no machine has."""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("command", ["run", "report"])
def test_a_report_that_observed_something_is_not_replaced_by_one_that_did_not(project, command):
    project.run()
    before = contents(project.reports)
    project.configure({"python": [NOWHERE]})
    answer = project.main(command)
    assert answer.code == 3
    assert "nothing could be observed in 1 cell: 1 variant: no CPython 3.99 on this machine" in answer.err
    assert "'uv python install 3.99' gets one" in answer.err
    assert f"{project.reports} keeps the report of an earlier run" in answer.err
    assert contents(project.reports) == before
    assert "not-run" in answer.out


def test_where_there_is_no_report_it_is_written_and_the_exit_code_is_3_all_the_same(project):
    project.configure({"python": [NOWHERE]})
    assert "none of them can be run" in project.main("plan").out
    assert project.main().code == 3
    (cell,) = project.cells().values()
    assert cell["status"] == "not-run"
    project.configure()
    assert project.main().code == 0


def test_a_report_of_what_nobody_has_run_yet_ends_with_3(project):
    assert project.main("plan").code == 0
    for arguments in ((), ("--fail-on", "fails")):
        answer = project.main("report", *arguments)
        assert (answer.code, "nothing could be observed in 1 cell: 1 variant: not run yet" in answer.err) == (3, True)
    assert [cell["status"] for cell in project.cells().values()] == ["not-run"]
    project.run()
    assert project.main("report").code == 0


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to(path)])
def test_what_is_no_report_is_none_that_stays(project, make):
    project.configure({"python": [NOWHERE]})
    project.reports.mkdir()
    make(project.reports / "matrix.json")
    assert project.main("report").code == 3
    assert len(project.cells()) == 1


@pytest.mark.parametrize("files", [True, False])
def test_a_merge_of_nothing_but_errors_exits_with_3(project, tmp_path, files):
    project.publish(packages.torch(on_import=KILLED))
    assert project.main().code == 3
    source = project.reports / "matrix.json" if files else project.store
    answer = project.main("merge", str(source), "--store", str(tmp_path / "store"), "--reports", str(tmp_path / "reports"))
    assert answer.code == 3, answer.err
    assert "nothing could be observed in 1 cell: 1 variant: killed by SIGKILL in import" in answer.err


def test_nothing_but_errors_is_nothing_observed(project):
    project.publish(packages.torch(on_import=KILLED))
    answer = project.main()
    assert answer.code == 3
    assert "nothing could be observed in 1 cell: 1 variant: killed by SIGKILL in import" in answer.err


def test_a_red_cell_never_fails_a_run(project):
    project.publish(packages.torch(on_export="raise RuntimeError('no')"))
    assert project.main().code == 0


def broken(self: Worker, task: object, on_stage: object) -> None:
    if "ort 1.17.0" in task.label:  # type: ignore[attr-defined]
        message = "a bug"
        raise RuntimeError(message)
    return ORIGINAL(self, task, on_stage)


ORIGINAL = Worker._perform


def test_a_failure_of_the_harness_is_said_and_exits_with_3(project, monkeypatch):
    project.publish(packages.onnxruntime("1.17.0"))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    monkeypatch.setattr(Worker, "_perform", broken)
    answer = project.main()
    assert answer.code == 3
    assert "the harness itself failed for 1 variant, and the next run tries again" in answer.err
    assert [cell["status"] for cell in project.cells().values()] == ["works", "error"]
    assert project.main("run", "--fail-on", "error").code == 1
    monkeypatch.undo()
    assert {cell["status"] for cell in project.run().values()} == {"works"}


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/some/file")


def uv_on_a_full_disk(*_: object, **__: object) -> None:
    raise ProviderFailure(FailureType.INFRASTRUCTURE, "error: failed to write: No space left on device (os error 28)")


@pytest.mark.parametrize(
    ("owner", "name", "fails"),
    [
        (Store, "put", full),
        (Artifacts, "publish", full),
        (Store, "scratch", full),
        (Uv, "install", uv_on_a_full_disk),
        (Uv, "resolve", uv_on_a_full_disk),
        (Uv, "create", full),
    ],
)
def test_a_full_disk_is_said_once_and_ends_the_run(project, monkeypatch, owner, name, fails):
    project.publish(packages.torch("2.2.0"), packages.onnxruntime("1.17.0"))
    project.configure({"torch": ["2.1.0", "2.2.0"], "onnxruntime": ["1.16.3", "1.17.0"]})
    monkeypatch.setattr(owner, name, fails)
    answer = project.main()
    assert answer.code == 3
    assert answer.err.count("the disk is full: ") == 1
    assert "free" in answer.err
    assert "the harness failed here" not in answer.err + answer.out
    assert not (project.reports / "matrix.json").exists()
    monkeypatch.undo()
    assert {cell["status"] for cell in project.run().values()} == {"works"}


def test_reports_on_a_full_disk(project, monkeypatch):
    monkeypatch.setattr("harness.report.files.tempfile.mkstemp", full)
    answer = project.main()
    assert answer.code == 3
    assert answer.err.count("the disk is full: ") == 1


def test_what_fails_while_the_disk_is_full_is_no_fact(project, monkeypatch):
    because = packages.in_turn(project.notes / "turns", "raise RuntimeError('because of the disk')")
    project.publish(packages.torch(on_export=because))
    monkeypatch.setattr(disk_space, "nearly_full", lambda _folder: True)
    assert project.main().code == 3
    monkeypatch.undo()
    assert {cell["status"] for cell in project.run().values()} == {"works"}


def status(*, total: int, free: int, files: int = 1000, free_files: int = 1000) -> os.statvfs_result:
    return os.statvfs_result((4096, 4096, total // 4096, free // 4096, free // 4096, files, free_files, free_files, 0, 255))


@pytest.mark.parametrize(
    ("given", "is_full"),
    [
        (status(total=250 * 10**9, free=200 * 10**6), False),
        (status(total=250 * 10**9, free=10**6), True),
        (status(total=64 * 10**6, free=10 * 10**6), False),
        (status(total=400_000, free=100_000), False),
        (status(total=400_000, free=8192), True),
        (status(total=64 * 10**6, free=60 * 10**6, free_files=2), True),
        (status(total=64 * 10**6, free=60 * 10**6, files=0, free_files=0), False),
    ],
)
def test_when_a_disk_counts_as_full(tmp_path, monkeypatch, given, is_full):
    monkeypatch.setattr(disk_space.os, "statvfs", lambda _path: given)
    assert disk_space.nearly_full(tmp_path) is is_full


def test_the_sentence_names_file_system_and_what_lies_there(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_space.os, "statvfs", lambda _path: status(total=400 * 10**6, free=0))
    said = disk_space.sentence(DiskFullError("no"), {"the store": tmp_path / "store", "the reports": tmp_path})
    assert " has 0.0 of 400.0 MB free and holds " in said
    assert f"the store ({tmp_path})" in said
    assert "--store" in said
