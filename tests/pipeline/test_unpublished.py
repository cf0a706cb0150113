"""A version on an axis that no index has costs its cells, and not the run."""

from __future__ import annotations

import json

import packages
import pytest
from project import AXES, PYTHON, Project

MISSING = "torch 2.99.0 is not published where uv looked"
HERE = f"py{PYTHON.replace('.', '')}"


@pytest.fixture
def project(project: Project) -> Project:
    """One cell that works, and one with a torch that nobody publishes."""
    project.publish(packages.torch("2.0.0"), packages.torch("3.1.0"), packages.torch("3.2.0"))
    project.configure({"torch": [*AXES["torch"], "2.99.0"]})
    return project


def statuses(project: Project) -> list[str]:
    return [cell["status"] for cell in project.cells().values()]


def test_its_cells_are_not_run_and_the_others_are(project):
    answer = project.main("run")
    assert answer.code == 0, answer.err
    assert statuses(project) == ["works", "not-run"]
    line = next(number for number, text in enumerate(project.config.read_text().splitlines(), 1) if "2.99.0" in text)
    note = f"matrix.toml: axes.torch: {MISSING} (line {line}); the nearest: 2.1.0, 3.1.0; 1 cell is not run"
    assert answer.err.count(MISSING) == 2  # the note, and the cell's line
    assert note in answer.err
    assert f"1 variant: {MISSING}" in answer.out
    report = project.report()
    assert (report["rules"], report["unexplained"]) == ([], [])


def test_the_reason_stays_known_and_a_second_run_does_nothing(project):
    first = project.run()
    started = len(project.starts())
    assert project.main("report").code == 0
    assert project.cells() == first
    assert MISSING in project.main("explain", f"{HERE}-t2990-tf4463-o1162-r1163").out
    assert project.run() == first
    assert len(project.starts()) == started


def test_a_version_that_is_published_later_is_found_by_the_next_run(project):
    project.run()
    project.publish(packages.torch("2.99.0"))
    assert [cell["status"] for cell in project.run().values()] == ["works", "works"]


def test_where_nothing_else_is_selected_nothing_is_observed(project):
    answer = project.main("run", "--select", "torch==2.99.0")
    assert answer.code == 3
    assert MISSING in answer.err
    assert project.main("run", "--fail-on", "fails").code == 0


def test_a_plan_lists_it(project):
    answer = project.main("plan", "--format", "json")
    assert answer.code == 0
    assert list(json.loads(answer.out)["unsolved"].values()) == [MISSING]


def test_both_setups(project):
    project.configure({"torch": [*AXES["torch"], "2.99.0"], "onnxruntime": ["1.16.3", "1.99.0"]}, setup=["together", "handoff"])
    project.run()
    assert sorted(statuses(project)) == [*["not-run"] * 6, *["works"] * 2]
    assert project.report()["rules"] == []


def test_no_remedy_is_looked_for_in_it(project):
    """A change to another version of the matrix is a remedy that is tried."""
    project.remedies = True
    project.publish(packages.torch("2.1.0", on_export=packages.raises("ValueError('no')")))
    answer = project.main("run")
    assert answer.code == 0, answer.err
    assert statuses(project) == ["fails", "not-run"]


def test_shards_are_dealt_out_and_merged(project, tmp_path):
    stores = [tmp_path / "one", tmp_path / "two"]
    for number, store in enumerate(stores, 1):
        answer = project.main("run", "--shard", f"{number}/2", "--store", str(store))
        assert answer.code in {0, 3}, answer.err
    assert project.main("merge", *map(str, stores)).code == 0
    assert statuses(project) == ["works", "not-run"]
    assert MISSING in (project.reports / "matrix.md").read_text()


def test_a_search_with_few_cells_leaves_it_out(project):
    answer = project.main("run", "--strategy", "pairwise")
    assert answer.code == 0, answer.err
    assert statuses(project) == ["works", "not-run"]
