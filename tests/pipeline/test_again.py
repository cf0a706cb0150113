"""What was done is not done again: counted by the probe processes that were started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import packages
import pytest
from packages import HANG, raises
from project import Project

from harness.environments.uv.command import find_uv

pytestmark = pytest.mark.usefixtures("installed_once")


def kinds(project: Project) -> dict[str, int]:
    """How many probes of each kind have been started so far."""
    return {kind: len(project.starts(kind)) for kind in ("import", "export", "run")}


@pytest.fixture(scope="module")
def done_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has been run: one cell, with two more onnxruntimes on the index."""
    project = Project.working(tmp_path_factory.mktemp("done"))
    project.publish(packages.onnxruntime("1.17.0"), packages.onnxruntime("1.18.0"))
    project.run()
    assert kinds(project) == {"import": 1, "export": 1, "run": 1}
    return project


@pytest.fixture
def done(done_once: Project, tmp_path: Path) -> Project:
    """A copy of `done_once`."""
    return done_once.copy(tmp_path / "done")


def test_a_store_means_the_same_elsewhere(done_once, done):
    done_once.main("run")
    done.main("run")
    assert kinds(done) == {"import": 1, "export": 1, "run": 1}
    assert (done.reports / "matrix.json").read_bytes() == (done_once.reports / "matrix.json").read_bytes()


def test_a_second_process_needs_neither_index_nor_environment(done):
    before = (done.reports / "matrix.json").read_bytes()
    done.index.rename(done.root / "index-is-gone")
    answer = done.call("run")
    assert answer.code == 0
    assert (done.reports / "matrix.json").read_bytes() == before
    assert kinds(done) == {"import": 1, "export": 1, "run": 1}
    assert "tasks to do" not in answer.err
    assert [path.name for path in (done.store / "envs").iterdir() if path.is_dir()] == []


def test_a_report_of_what_was_never_run_resolves_nothing(project):
    assert project.main("report").code == 3
    (cell,) = project.cells().values()
    assert (cell["status"], cell["lock"]) == ("not-run", None)
    assert project.report()["generated"] is None
    page = (project.reports / "matrix.md").read_text()
    assert "1 combination: 1 not-run." in page
    assert "nothing has run yet" in page
    assert "1970" not in page
    assert list((project.store / "results").rglob("*.json")) == []
    assert project.starts() == []


def test_a_report_after_a_plan_says_that_nothing_has_run_yet(project):
    project.main("plan")
    assert "not run — 1 variant: not run yet" in project.main("report").out


def test_another_onnxruntime_costs_an_import_and_a_run(done):
    done.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    cells = done.run()
    assert [cell["status"] for cell in cells.values()] == ["works", "works"]
    assert kinds(done) == {"import": 2, "export": 1, "run": 2}


def test_three_onnxruntimes_in_one_run_export_once(project):
    project.publish(packages.onnxruntime("1.17.0"), packages.onnxruntime("1.18.0"))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0", "1.18.0"]})
    assert len(project.run()) == 3
    assert kinds(project) == {"import": 3, "export": 1, "run": 3}


def test_cells_that_ask_for_different_variants_share_the_export(project):
    project.publish(packages.onnxruntime("1.17.0"))
    both = {"exporters": ["torchscript", "dynamo"], "layouts": ["pair"]}
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]}, variants=both)
    project.run("--jobs", "2", "--select", "onnxruntime==1.16.3,exporter=dynamo", "--select", "onnxruntime==1.17.0")
    (export,) = project.starts("export")
    assert sorted(export["subjects"]) == ["dynamo-18-pair", "torchscript-17-pair"]
    assert sorted(len(cell["variants"]) for cell in project.cells().values()) == [1, 2]


def test_a_further_layout_exports_only_that_layout(done):
    done.configure(variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]})
    done.run()
    assert done.starts("export")[-1]["subjects"] == ["torchscript-17-merged"]
    assert done.starts("run")[-1]["subjects"] == ["torchscript-17-merged-keep-cross-numpy"]
    assert kinds(done) == {"import": 1, "export": 2, "run": 2}


def test_another_feedback_runs_the_same_export(done):
    done.configure(variants={"exporters": ["torchscript"], "layouts": ["pair"], "feedbacks": ["keep-cross", "feed-all"]})
    done.run("--jobs", "1")
    # The feedback fails: another export confirms it, and both come once more at the end.
    assert kinds(done) == {"import": 1, "export": 3, "run": 3}


def test_another_seed_is_another_model(done):
    done.configure(probe={"seed": 1})
    done.run()
    assert len(done.starts("export")) == 2


def test_another_seed_of_a_checkpoint_is_another_export(done):
    (done.root / "checkpoint").mkdir()
    (done.root / "checkpoint" / "config.json").write_text("{}")
    for seed in (0, 1, 1):
        done.configure(probe={"model": "checkpoint", "seed": seed})
        done.run()
    assert len(done.starts("export")) == 3


def test_a_cell_that_was_done_alone_is_not_repeated_by_the_matrix(project):
    answer = project.main("cell", "py*")
    assert answer.code == 0
    project.run()
    assert kinds(project) == {"import": 1, "export": 1, "run": 1}


def nox_environment(project: Project) -> Path:
    """An empty environment, as a Nox session with the uv backend makes it."""
    folder = project.root / "nox" / "probe"
    subprocess.run([find_uv(), "venv", "--quiet", "--python", sys.executable, folder], check=True)
    return folder


def test_a_cell_in_an_environment_of_somebody_else_is_the_same_work(project):
    answer = project.main("cell", "py*", "--environment", str(nox_environment(project)))
    assert answer.code == 0, answer.err
    assert "works" in answer.out
    assert "environment: " in answer.out
    (cell,) = project.run().values()
    assert cell["status"] == "works"
    assert kinds(project) == {"import": 1, "export": 1, "run": 1}


def test_an_environment_of_somebody_else_is_filled_although_everything_is_known(done):
    folder = nox_environment(done)
    assert done.main("cell", "py*", "--environment", str(folder)).code == 0
    assert list(folder.glob("lib/python*/site-packages/onnxruntime"))
    assert kinds(done) == {"import": 1, "export": 1, "run": 1}


def test_force_repeats_what_is_selected(done):
    done.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    done.run()
    done.run("--force", "--select", "onnxruntime==1.17.0")
    assert kinds(done) == {"import": 3, "export": 2, "run": 3}


@pytest.mark.parametrize("environment", ["together", "handoff"])
def test_force_repeats_the_runs_of_an_export_that_cells_share(project, environment):
    project.publish(packages.onnxruntime("1.17.0"))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]}, setup=[environment])
    project.run()
    once = kinds(project)
    cells = project.run("--force")
    assert {cell["status"] for cell in cells.values()} == {"works"}
    assert kinds(project) == {kind: 2 * count for kind, count in once.items()}


def test_force_repeats_second_opinions_once(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=raises("RuntimeError('no')")))
    project.configure({"onnxruntime": ["1.17.0"]})
    project.run()
    project.run("--force")
    assert len(project.starts("reference")) == 2


def test_force_in_an_environment_of_somebody_else(done):
    answer = done.main("cell", "py*", "--force", "--environment", str(nox_environment(done)))
    assert answer.code == 0, answer.err
    assert "works, largest difference" in answer.out
    assert kinds(done) == {"import": 2, "export": 2, "run": 2}


def test_refresh_resolves_anew_and_repeats_nothing_where_the_lock_is_the_same(done):
    assert done.main("run", "--refresh").code == 0
    assert kinds(done) == {"import": 1, "export": 1, "run": 1}


def test_refresh_finds_a_newer_transitive_distribution(done):
    done.publish(packages.package("flatbuffers", "25.1.0"))
    (cell,) = done.run().values()
    assert cell["resolved"]["flatbuffers"] == "24.3.25"
    answer = done.main("run", "--refresh")
    (cell,) = done.cells().values()
    assert cell["resolved"]["flatbuffers"] == "25.1.0"
    assert f"resolved otherwise than before: flatbuffers 24.3.25 → 25.1.0 ({cell['id']})" in answer.err
    assert kinds(done) == {"import": 2, "export": 1, "run": 2}


@pytest.fixture(scope="module")
def troubled_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has been run: one onnxruntime hangs, one fails, one works."""
    project = Project.working(tmp_path_factory.mktemp("troubled"))
    project.publish(packages.onnxruntime("1.17.0", on_run=HANG))
    project.publish(packages.onnxruntime("1.18.0", on_run=raises("RuntimeError('no')")))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0", "1.18.0"]}, run={"time-limit": "9s", "memory-limit": "2GB"})
    cells = project.run("--jobs", "3")
    assert [cell["status"] for cell in cells.values()] == ["works", "error", "fails"]
    return project


@pytest.fixture
def troubled(troubled_once: Project, tmp_path: Path) -> Project:
    """A copy of `troubled_once`."""
    return troubled_once.copy(tmp_path / "troubled")


def further(project: Project, before: Project) -> dict[str, int]:
    """Kind → the processes of `project` that its copy `before` has not had."""
    had = kinds(before)
    return {kind: count - had[kind] for kind, count in kinds(project).items() if count != had[kind]}


def test_a_timeout_is_remembered(troubled, troubled_once):
    troubled.run()
    assert further(troubled, troubled_once) == {}


def test_retry_error_repeats_errors_and_no_facts(troubled, troubled_once):
    troubled.run("--retry", "error")
    assert further(troubled, troubled_once) == {"run": 1}


def test_another_time_limit_repeats_what_the_old_one_ended(troubled, troubled_once):
    troubled.configure({"onnxruntime": ["1.16.3", "1.17.0", "1.18.0"]}, run={"time-limit": "10s", "memory-limit": "2GB"})
    cells = troubled.run()
    assert further(troubled, troubled_once) == {"run": 1}
    (hung,) = [cell for cell in cells.values() if cell["pins"]["onnxruntime"] == "1.17.0"]
    assert "for 10 s" in hung["variants"][0]["error"]


def test_keep_envs_leaves_environments_that_a_forced_run_uses(project):
    project.run("--keep-envs")
    kept = {path.name: path.stat().st_ctime_ns for path in (project.store / "envs").iterdir() if path.is_dir()}
    assert len(kept) == 6  # four layers, composed for the export; and the run's
    project.run("--keep-envs", "--force")
    assert {path.name: path.stat().st_ctime_ns for path in (project.store / "envs").iterdir() if path.is_dir()} == kept


@pytest.mark.parametrize("text", ["{", "{}", "[]", "null", '{"stages": [{"stage": "eat"}]}', '{"stages": 3}'])
def test_a_damaged_result_is_made_again(done, text):
    for path in (done.store / "results").rglob("*.json"):
        path.write_text(text)
    (cell,) = done.run().values()
    assert cell["status"] == "works"
    assert kinds(done) == {"import": 2, "export": 2, "run": 2}


def test_any_one_lost_result_is_made_again(done_once, tmp_path):
    records = sorted(path.relative_to(done_once.root) for path in (done_once.store / "results").rglob("*.json"))
    for number, record in enumerate(records):
        project = done_once.copy(tmp_path / str(number))
        (project.root / record).write_text("{")
        (cell,) = project.run().values()
        assert cell["status"] == "works", record
        assert "tasks to do" not in project.main("run").err


def test_a_build_that_fails_is_tried_twice_and_then_known(project):
    builds = project.root / "builds"
    publish_sdist_that_fails(project, note=builds)
    project.publish(packages.torch("2.2.0", requires=("broken",)))
    sources = {"no-index": True, "find-links": ["index"], "torch-backend": "default", "build": True}
    project.configure({"torch": ["2.2.0"]}, uv=sources)
    for _ in range(2):
        (cell,) = project.run().values()
        assert (cell["status"], cell["variants"][0]["stage"]) == ("fails", "install")
    assert builds.read_text().splitlines() == ["built"] * 2  # once more, as any failure
    assert "everything is known already" in project.main("plan").out


def test_a_build_that_fails_in_other_words_each_time_is_tried_as_often_as_a_probe(project):
    builds = project.root / "builds"
    publish_sdist_that_fails(project, note=builds, why="__import__('os').urandom(4).hex() + ' is no compiler'")
    project.publish(packages.torch("2.2.0", requires=("broken",)))
    sources = {"no-index": True, "find-links": ["index"], "torch-backend": "default", "build": True}
    project.configure({"torch": ["2.2.0"]}, uv=sources)
    (cell,) = project.run().values()
    assert (cell["status"], cell["variants"][0]["stage"]) == ("fails", "install")
    assert len(builds.read_text().splitlines()) == 5


def publish_sdist_that_fails(project: Project, note: Path, why: str = "'no compiler'") -> None:
    """Put `broken` 1.0 on the index: it tells its metadata, and every attempt to build it is noted and fails."""
    backend = f"""
import pathlib

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = pathlib.Path(folder, "broken-1.0.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: broken\\nVersion: 1.0\\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    return info.name

def build_wheel(folder, config_settings=None, metadata_directory=None):
    with open({str(note)!r}, "a") as file:
        file.write("built\\n")
    raise SystemExit({why})
"""
    project.publish_source("broken", backend)


def test_a_lost_artifact_is_made_again(project):
    project.publish(packages.onnxruntime("1.17.0"))
    project.run()
    for path in (project.store / "artifacts").iterdir():
        path.rename(project.root / path.name)
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    assert {cell["status"] for cell in project.run().values()} == {"works"}


@pytest.mark.parametrize("name", ["model.onnx", "reference/reference.json"])
def test_a_damaged_artifact_is_made_again(done, name):
    for path in (done.store / "artifacts").glob(f"*/{name}"):
        path.write_text("")
    done.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    assert {cell["status"] for cell in done.run().values()} == {"works"}
    assert len(done.starts("export")) == 2
