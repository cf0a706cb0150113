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


def test_a_pin_from_a_merged_store_satisfies_what_is_required(project):
    ours = merged(project, project.store)
    before = resolved(ours)["numpy"]
    project.publish(packages.package("numpy", "9.0.0"))
    answer = ours.main("pin", "--quiet", "--format", "json", "--require", "numpy<9")
    assert answer.code == 0, answer.err
    assert f"numpy=={before}\n" in (Path(json.loads(answer.out)["folder"]) / "constraints.txt").read_text()


def test_what_was_merged_twice_is_still_another_stores(project):
    ours = merged(project, project.store)
    again = Project(project.root)
    again.store, again.reports = project.root / "again", project.root / "again-reports"
    assert again.main("merge", str(ours.store)).code == 0
    assert again.report() == project.report()
    (path,) = envelopes.records(again.store, "lock")
    assert envelopes.value(path)["foreign"] is True


BUILDS = """
import pathlib, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "sourceonly-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        wheel.writestr("sourceonly/__init__.py", "")
        wheel.writestr("sourceonly-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: sourceonly\\nVersion: 1.0\\n")
        wheel.writestr("sourceonly-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("sourceonly-1.0.dist-info/RECORD", "")
    return name
"""


@pytest.fixture
def source_only(tmp_path) -> Project:
    """One whose index has `sourceonly` without a wheel."""
    project = Project.working(tmp_path / "source")
    project.publish_source("sourceonly", BUILDS)
    return project


NOT_BUILT = "nothing is built from source here, and sourceonly has no wheel: `build = true` in [uv] would settle it"


def test_what_would_have_to_be_built_is_not_run(source_only):
    source_only.publish(packages.transformers("4.47.0", requires=("sourceonly",), on_import="import sourceonly"))
    source_only.configure({"transformers": ["4.46.3", "4.47.0"]})
    older, newer = source_only.run().values()
    assert (older["status"], newer["status"]) == ("works", "not-run")
    assert [(one["status"], one["reason"], one["cause"]) for one in newer["variants"]] == [("not-run", NOT_BUILT, None)]
    assert source_only.report()["rules"] == []
    deal = source_only.main("plan", "--format", "github", "--shards", "2")
    assert (deal.code, len(json.loads(deal.out)["include"])) == (0, 1)
    requirements = source_only.root / "requirements.txt"
    requirements.write_text("torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.16.3\n")
    check = source_only.main("check", "--from", str(requirements), "--to", "transformers==4.47.0")
    assert check.code == 3
    assert f"UNKNOWN: transformers 4.46.3 → 4.47.0\n  not known: not-run at resolve: {NOT_BUILT}" in check.out


def test_what_would_have_to_be_built_is_built_on_request(source_only):
    source_only.publish(packages.transformers("4.47.0", requires=("sourceonly",), on_import="import sourceonly"))
    uv = {"no-index": True, "find-links": [source_only.index.name], "torch-backend": "default", "build": True}
    source_only.configure({"transformers": ["4.47.0"]}, uv=uv)
    assert [cell["status"] for cell in source_only.run().values()] == ["works"]


def test_an_exporter_whose_helper_would_have_to_be_built_is_not_run(source_only):
    """And the cell fails only if all exporters do."""
    next(source_only.index.glob("onnxscript-*")).unlink()
    source_only.publish(packages.package("onnxscript", "0.2.0", requires=("onnx", "sourceonly")))
    source_only.publish(packages.torch("2.6.0", on_export="raise RuntimeError('no')"))
    variants = {"exporters": ["torchscript", "dynamo"], "layouts": ["pair"]}
    source_only.configure({"torch": ["2.6.0"]}, variants=variants)
    (cell,) = source_only.run().values()
    ends = {one["exporter"]: (one["status"], one["reason"]) for one in cell["variants"]}
    assert ends == {"torchscript": ("fails", None), "dynamo": ("not-run", NOT_BUILT)}
    assert cell["status"] == "not-run"
