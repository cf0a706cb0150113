"""`clean` frees what the matrix does not reach, and nothing that a report or a run of it uses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import packages
import pytest
from http_index import serving
from project import Project, wait_until

from harness.environments.environments import MARKS
from harness.store.scratch import FileLock

CHECKED = "torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.16.3\n"
PICKY = """
    import importlib.metadata
    if importlib.metadata.version("numpy").startswith("2"):
        raise ImportError("numpy.core.multiarray failed to import")
"""


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A store with a remedy, boundaries, environments that stay, and results of other cells than the matrix has."""
    made = Project.working(tmp_path_factory.mktemp("used") / "project")
    made.remedies = True
    made.publish(*(packages.torch(f"2.{minor}.0", ir=8 if minor < 3 else 10) for minor in range(1, 6)))
    made.publish(packages.onnxruntime("1.17.0", on_import=PICKY), packages.onnxruntime("1.18.0", max_ir=10))
    made.publish(packages.onnx("1.17.0"), packages.torch("2.6.0", ir=7))
    made.configure({"torch": ["2.1.0", "2.5.0"], "onnxruntime": ["1.16.3", "1.17.0", "1.18.0"], "onnx": ["1.16.2", "1.17.0"]})
    made.run("--keep-envs", "--close-boundaries")
    (made.root / "requirements.txt").write_text(CHECKED)
    made.main("check", "--from", str(made.root / "requirements.txt"), "--to", "torch==2.6.0")
    made.configure({"torch": ["2.1.0", "2.5.0"], "onnxruntime": ["1.16.3", "1.17.0", "1.18.0"]})
    made.run("--close-boundaries")
    return made


@pytest.fixture
def project(used: Project, tmp_path: Path) -> Project:
    made = used.copy(tmp_path / "project")
    made.remedies = True
    return made


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.suffix not in {".lock", ".use"}}


def reported(project: Project) -> tuple[str, dict[str, bytes]]:
    """What `report` prints and writes."""
    answer = project.main("report")
    assert answer.code == 0, answer.err
    return answer.out, contents(project.reports)


def cleaned(project: Project, *arguments: str) -> dict:
    answer = project.main("clean", "--format", "json", *arguments)
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


def names(project: Project, folder: str) -> set[str]:
    return {path.name for path in (project.store / folder).iterdir()}


def test_the_report_stays_the_same_and_the_rest_is_freed(project):
    before, keys = reported(project), contents(project.store / "results")
    report = project.report()
    assert report["rules"][0]["boundaries"][0]["closed"]
    assert any(cell["status"] == "works-with-remedy" for cell in report["cells"])
    freed = cleaned(project)["freed"]
    assert set(freed) == {"results", "artifacts", "logs", "environments", "bytecode"}
    assert reported(project) == before
    left = contents(project.store / "results")
    assert set(left) < set(keys)
    assert len(keys) - len(left) == freed["results"]["number"]


def test_a_run_after_it_executes_nothing(project):
    cleaned(project)
    started = project.starts()
    project.run("--close-boundaries")
    assert project.starts() == started


def test_a_second_time_nothing_is_left(project):
    cleaned(project)
    assert cleaned(project)["bytes"] == 0
    assert project.main("clean").out.strip() == "nothing to free: the matrix reaches everything"


def test_a_dry_run_says_the_same_and_removes_nothing(project):
    before = contents(project.store)
    foretold = cleaned(project, "--dry-run")
    assert contents(project.store) == before
    done = cleaned(project)
    assert foretold == {**done, "dry_run": True}
    assert done["bytes"] > 0


def test_results_of_a_further_matrix_stay(project):
    other, own = project.root / "other.toml", project.config.read_text()
    project.configure({"onnx": ["1.16.2", "1.17.0"]})
    project.config.rename(other)
    project.config.write_text(own)
    alone = cleaned(project, "--dry-run")["freed"]["results"]["number"]
    assert 0 < cleaned(project, "--keep", str(other))["freed"]["results"]["number"] < alone
    answer = project.main("plan", "--config", str(other), "--format", "json")
    assert all(work["still_to_do"] == 0 for work in json.loads(answer.out)["work"].values())


def test_environments_of_its_cells_stay(project):
    cleaned(project)
    (identifier, *_), before = project.cells(), names(project, "envs")
    assert project.main("cell", identifier).code == 0
    kept = {name for name in names(project, "envs") - before if (project.store / "envs" / name).is_dir()}
    assert kept
    assert "environments" not in cleaned(project)["freed"]
    assert kept <= names(project, "envs")


def test_an_environment_that_a_process_works_in_stays(project):
    free = {name for name in names(project, "envs") if (project.store / "envs" / name).is_dir()}
    assert "environments" in cleaned(project, "--dry-run")["freed"]
    locks = [FileLock(project.store / "envs" / f"{name}.use") for name in free]
    for lock in locks:
        lock.share()
    try:
        assert "environments" not in cleaned(project)["freed"]
    finally:
        for lock in locks:
            lock.close()
    assert free <= names(project, "envs")


def test_nothing_is_cleaned_beside_a_run(project):
    project.publish(packages.onnxruntime("1.19.0", on_run=packages.HANG))
    project.configure({"onnxruntime": ["1.19.0"]})
    known = len(project.starts())
    with project.start("run", "--quiet"):
        wait_until(lambda: len(project.starts()) > known)
        before = contents(project.store / "artifacts")
        answer = project.main("clean", "--force")
        assert answer.code == 2
        assert "cannot be cleaned now: another process works with it" in answer.err
        assert contents(project.store / "artifacts") == before


def test_links_and_files_of_others_stay(project, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    (outside / MARKS[0]).touch()
    digest = "0123456789abcdef" * 2
    for place in (f"artifacts/{digest}", f"envs/{digest[:16]}", f"results/01/{digest}.json", f"logs/{digest}.log"):
        (project.store / place).parent.mkdir(exist_ok=True)
        (project.store / place).symlink_to(outside)
    mine = [
        project.store / place for place in ("notes.txt", "results/notes.json", "logs/notes.log", "artifacts/mine/x", "envs/e/x")
    ]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    inner = project.store / "artifacts" / ("f" * 32)
    inner.mkdir()
    (inner / "link").symlink_to(outside)
    cleaned(project)
    assert sorted(path.name for path in outside.iterdir()) == sorted(["precious", MARKS[0]])
    assert all(path.read_text() == "mine" for path in mine)
    assert (project.store / "logs" / f"{digest}.log").is_symlink()
    assert not inner.exists()


def test_a_matrix_that_reaches_no_result_frees_nothing(project):
    project.config.write_text(project.config.read_text() + "[probe]\nseed = 7\n")
    before = contents(project.store)
    answer = project.main("clean")
    assert answer.code == 2
    assert "no result in " in answer.err
    assert contents(project.store) == before
    assert cleaned(project, "--force")["freed"]["results"]["number"] > 0


def test_a_matrix_that_cannot_be_read_frees_nothing(project):
    before = contents(project.store)
    assert project.main("clean", "--keep", str(project.root / "none.toml")).code == 2
    assert contents(project.store) == before


@pytest.mark.parametrize("place", ["memory://store", "none"])
def test_only_a_folder_is_cleaned(project, place, monkeypatch):
    monkeypatch.chdir(project.root)
    answer = project.main("clean", "--store", place)
    assert answer.code == 2
    assert "only a folder of this machine" in answer.err
    assert not (project.root / "none").exists()


def test_what_only_searches_met_leaves_the_cache_of_uv(tmp_path, uv_cache, monkeypatch):
    """uv removes all versions of a package or none: a torch beside one that is needed stays, and is named."""
    for known in uv_cache.glob("interpreter-*"):
        shutil.copytree(known, tmp_path / "uv-cache" / known.name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    project = Project.working(tmp_path / "project")
    with serving(project.index) as index:
        project.configure(uv={"default-index": index.url, "torch-backend": "default"})
        project.publish(packages.torch("2.2.0", requires=("sympy", "bignum")), packages.package("bignum", "1.0"))
        project.run()
        (project.root / "requirements.txt").write_text(CHECKED)
        project.main("check", "--from", str(project.root / "requirements.txt"), "--to", "torch==2.2.0")
        held = {path.parent.name for path in (tmp_path / "uv-cache").glob("wheels-v*/index/*/*/*.http")}
        assert "bignum" in held
        found = cleaned(project, "--uv-cache")
        assert [(wheels["name"], wheels["versions"]) for wheels in found["uv_cache"]] == [("bignum", ["1.0"])]
        assert [(wheels["name"], wheels["versions"]) for wheels in found["kept_in_uv_cache"]] == [("torch", ["2.2.0"])]
        assert all(wheels["bytes"] > 0 for wheels in found["uv_cache"] + found["kept_in_uv_cache"])
        assert {path.parent.name for path in (tmp_path / "uv-cache").glob("wheels-v*/index/*/*/*.http")} == held - {"bignum"}
