"""Locks that somebody else wrote: one that contradicts its question is damage, and a merged one is solved before it counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import envelopes
import packages
import pytest
from project import Project

DAMAGED = "damaged, and ignored: "


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Project:
    """A cell that works; its index has a package that nothing requires, and says so when it is there."""
    project = Project.working(tmp_path_factory.mktemp("locks"))
    project.publish(packages.package("evil", "6.6.6"))
    project.run()
    return project


@pytest.fixture
def project(done, tmp_path) -> Project:
    return done.copy(tmp_path / "project")


def with_evil(value: Any, *via: str) -> Any:
    value["lock"]["distributions"].append({"name": "evil", "version": "6.6.6", "hashes": [], "via": list(via)})
    return value


def other_version(value: Any) -> Any:
    for one in value["lock"]["distributions"]:
        if one["name"] == "torch":
            one["version"] = "9.9.9"
    return value


def no_end(value: Any) -> Any:
    value["lock"] = None
    return value


CONTRADICTIONS = {
    "a version": (other_version, "has torch 9.9.9, and torch==2.1.0 is required"),
    "a stranger": (with_evil, "has evil, which no requirement needs"),
    "no lock": (no_end, "is no resolution: resolve works without a lock"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_lock_that_contradicts_its_question_is_damage_and_is_solved_again(done, project, case):
    change, problem = CONTRADICTIONS[case]
    (path,) = envelopes.records(project.store, "lock")
    whole = envelopes.value(path)
    envelopes.rewrite(path, change)
    answer = project.main("report")
    assert answer.err.count(f"{DAMAGED}{path} {problem}") == answer.err.count(DAMAGED) == 1, answer.err
    started = len(project.starts())
    answer = project.main("run")
    assert answer.code == 0, answer.err
    assert answer.err.count(f"{DAMAGED}{path} {problem}") == 1
    assert envelopes.value(path)["lock"] == whole["lock"]
    assert resolved(project) == resolved(done)
    assert len(project.starts()) == started
    assert DAMAGED not in project.main("run").err


def merged(project: Project, *sources: Path, code: int = 0) -> Project:
    """Another store of the same project, with what `sources` know; no index was there."""
    ours = Project(project.root)
    ours.store, ours.reports = project.root / "ours", project.root / "ours-reports"
    project.index.rename(project.root / "gone")
    answer = ours.main("merge", *map(str, sources))
    (project.root / "gone").rename(project.index)
    assert answer.code == code, answer.err
    return ours


def resolved(project: Project) -> dict[str, str]:
    (cell,) = project.report()["cells"]
    versions: dict[str, str] = cell["resolved"]
    return versions


def test_a_merged_store_is_reported_without_an_index_and_confirmed_by_a_run(project):
    ours = merged(project, project.store)
    assert ours.report() == project.report()
    (path,) = envelopes.records(ours.store, "lock")
    assert envelopes.value(path)["foreign"] is True
    ours.run()
    assert ours.report() == project.report()
    assert envelopes.value(path)["foreign"] is False
    assert ours.starts() == []


def test_what_a_forged_lock_adds_is_never_installed(project):
    (path,) = envelopes.records(project.store, "lock")
    envelopes.rewrite(path, lambda value: {**with_evil(value, "torch"), "foreign": False})
    # Without the results that go with the lock, everything is to be run.
    for stages in envelopes.records(project.store, "stages"):
        stages.unlink()
    answer = project.main("report", "--format", "json")
    assert "evil" in json.loads(answer.out)["cells"][0]["resolved"]
    # 3: the locks alone are no observation.
    ours = merged(project, project.store, code=3)
    assert resolved(ours)["evil"] == "6.6.6"
    answer = ours.main("run", "--keep-envs")
    assert answer.code == 0, answer.err
    assert "resolved otherwise than before: evil gone" in answer.err
    assert "evil" not in resolved(ours)
    assert list(ours.store.glob("envs/*/lib/*/site-packages/torch"))
    assert not list(ours.store.glob("envs/*/lib/*/site-packages/evil*"))


def test_a_merged_store_is_pinned_once_its_lock_is_confirmed(project):
    ours = merged(project, project.store)
    answer = ours.main("pin", "--quiet", "--format", "json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["pinned"]
    (path,) = envelopes.records(ours.store, "lock")
    assert envelopes.value(path)["foreign"] is False


def test_what_was_merged_twice_is_still_another_stores(project):
    ours = merged(project, project.store)
    again = Project(project.root)
    again.store, again.reports = project.root / "again", project.root / "again-reports"
    assert again.main("merge", str(ours.store)).code == 0
    assert again.report() == project.report()
    (path,) = envelopes.records(again.store, "lock")
    assert envelopes.value(path)["foreign"] is True
