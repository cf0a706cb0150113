"""Two runs compared: one axis moved, a lock moved, and what breaks by that."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import packages
import pytest
from packages import KILLED, raises
from project import PYTHON, Project, printed

pytestmark = pytest.mark.usefixtures("installed_once")

TRAP = "import numpy\nif numpy.__version__ >= '2.2': raise ImportError('built against numpy 2.1')"


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Project:
    """Two cells that work with the newest numpy of that day; one onnxruntime minds a newer one."""
    made = Project.working(tmp_path_factory.mktemp("against"))
    made.publish(packages.onnxruntime("1.17.0", on_import=TRAP), packages.onnxruntime("1.18.0"))
    made.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    made.run()
    (made.reports / "matrix.json").rename(made.root / "old.json")
    return made


@pytest.fixture
def project(first, tmp_path) -> Project:
    return first.copy(tmp_path / "project")


def moved(project: Project) -> Project:
    """The same a week later: numpy has a new release."""
    project.publish(packages.package("numpy", "2.2.0"))
    return project


def cell(runtime: str) -> str:
    return f"py{PYTHON.replace('.', '')}-t210-tf4463-o1162-r{runtime.replace('.', '')}"


def against(project: Project, *arguments: str, command: str = "run") -> tuple[int, str]:
    answer = project.main(command, "--against", str(project.root / "old.json"), *arguments)
    return answer.code, answer.out


def test_a_lock_that_moved_and_broke_a_cell(project):
    code, out = against(moved(project), "--refresh", "--fail-on", "regressions")
    assert code == 1
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == "1 regression in 2 cells that both reports have"
    start = lines.index("Newly broken")
    assert lines[start + 1] == f"works → fails: {cell('1.17.0')}"
    assert lines[start + 2].startswith("torchscript-17-pair-keep-cross-numpy: fails at import (version conflict): ")
    assert lines[start + 2].endswith("built against numpy 2.1; before: works")
    assert lines[start + 3] == "what differs in the lock, which is no proof of a cause: numpy 2.1.0 → 2.2.0"
    assert lines[start + 4].startswith(f"python -m harness explain {cell('1.17.0')} --config")
    assert f"numpy 2.1.0 → 2.2.0: 2 cells, {cell('1.16.3')}, {cell('1.17.0')}" in lines
    assert lines[-1] == "1 cell newly broken, 2 locks moved"
    # The files are those of the report, whatever was printed.
    assert {one["status"] for one in project.cells().values()} == {"works", "fails"}


def test_a_version_that_is_spelled_otherwise_is_the_same_cell(project):
    moved(project).configure({"torch": ["2.1"], "onnxruntime": ["1.16.3", "1.17.0"]})
    code, out = against(project, "--refresh", "--fail-on", "regressions")
    respelled = cell("1.17.0").replace("t210", "t21")
    assert code == 1
    assert out.splitlines()[0] == "1 regression in 2 cells that both reports have"
    assert f"works → fails: {respelled}" in out
    assert ("New cells" in out, "Cells that are gone" in out) == (False, False)
    for name in (respelled, cell("1.17.0")):
        shown = json.loads(printed("history", name, "--reports", str(project.reports), "--format", "json").out)
        assert [run["status"] for run in shown["runs"]] == ["works", "fails"], name


def test_one_axis_moved(project):
    project.configure({"onnxruntime": ["1.17.0", "1.18.0"]})
    code, out = against(project, "--format", "json", "--fail-on", "regressions")
    data = json.loads(out)
    assert code == 0
    assert (data["compared"], data["broken"], data["moved"]) == (1, [], [])
    assert data["new"] == {cell("1.18.0"): "works"}
    assert data["gone"] == {cell("1.16.3"): "works"}


def test_nothing_moved(project):
    assert against(project, "--fail-on", "regressions", command="report") == (0, against(project)[1])
    assert against(project)[1].splitlines()[-1] == "nothing differs"


def test_the_report_that_the_run_replaces_may_be_the_earlier_one(project):
    (project.root / "old.json").rename(project.reports / "matrix.json")
    answer = moved(project).main("run", "--refresh", "--against", str(project.reports), "--fail-on", "regressions")
    assert answer.code == 1
    assert f"works → fails: {cell('1.17.0')}" in answer.out
    assert project.main("report", "--against", str(project.reports), "--fail-on", "regressions").code == 0


def test_an_error_is_no_regression_and_without_anything_seen_again_nothing_is_proven(project):
    project.publish(packages.package("numpy", "2.2.0"), packages.torch("2.1.0", on_import=KILLED))
    code, out = against(project, "--refresh", "--fail-on", "regressions")
    assert code == 3
    assert out.startswith("nothing proven: nothing that worked was seen again in 2 cells")
    assert f"works → error: {cell('1.16.3')}, {cell('1.17.0')}" in out
    assert "Newly broken" not in out


def test_a_matrix_with_other_cells_proves_nothing(project):
    project.configure({"onnxruntime": ["1.18.0"]})
    code, out = against(project, "--fail-on", "regressions")
    assert code == 3
    assert out.startswith("nothing proven")


def test_what_failed_before_is_no_regression(project):
    project.publish(packages.onnxruntime("1.19.0", on_run=raises("RuntimeError('no')")))
    project.configure({"onnxruntime": ["1.16.3", "1.19.0"]})
    project.run()
    (project.reports / "matrix.json").replace(project.root / "old.json")
    code, out = against(project, "--fail-on", "regressions", command="report")
    assert (code, out.splitlines()[0]) == (0, "0 regressions in 2 cells that both reports have")
    assert against(project, "--fail-on", "fails", command="report")[0] == 1


def test_shards_that_are_merged_are_compared(project, tmp_path):
    moved(project).run("--refresh")
    options = ("--store", str(tmp_path / "store"), "--reports", str(tmp_path / "reports"), "--fail-on", "regressions")
    answer = project.main("merge", str(project.reports / "matrix.json"), "--against", str(project.root / "old.json"), *options)
    assert answer.code == 1, answer.err


def test_a_compressed_report_and_two_files_without_a_run(project):
    old = project.root / "old.json"
    moved(project).run("--refresh")
    (project.root / "old.json.gz").write_bytes(gzip.compress(old.read_bytes()))
    shown = [printed("show", str(project.reports), "--against", str(name)).out for name in (old, f"{old}.gz")]
    assert shown[0].replace("old.json", "old.json.gz") == shown[1]
    assert f"works → fails: {cell('1.17.0')}" in shown[0]


def damaged(path: Path) -> list[str]:
    """Files of which no report can be read."""
    whole = json.loads(path.read_text())
    twice = [whole["cells"][0], {**whole["cells"][0], "id": "py3-other"}]
    variants = {**whole["cells"][0], "variants": whole["cells"][0]["variants"] * 2}
    contents = {
        "cut.json": path.read_text()[:-100],
        "list.json": "[]",
        "two-cells.json": json.dumps({**whole, "cells": twice, "recommended": {}}),
        "two-variants.json": json.dumps({**whole, "cells": [variants], "recommended": {}}),
        "no.json.gz": "no gzip",
    }
    for name, content in contents.items():
        (path.parent / name).write_text(content)
    return [*contents, "missing.json", "index"]


def test_a_damaged_report_is_named_before_anything_runs(project):
    started = len(project.starts())
    moved(project)
    for name in damaged(project.root / "old.json"):
        for command in (("run", "--refresh"), ("report",)):
            answer = project.main(*command, "--against", str(project.root / name))
            assert (answer.code, answer.out) == (2, ""), name
            assert name in answer.err
            assert "Traceback" not in answer.err
    assert len(project.starts()) == started


def test_regressions_need_an_earlier_report(project):
    answer = project.main("run", "--fail-on", "regressions")
    assert answer.code == 2
    assert "--fail-on regressions compares with an earlier report: name it with --against" in answer.err
