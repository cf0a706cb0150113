"""What the calling shell holds does not reach a probe; what a user sets for uv reaches uv."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import packages
import pytest
from project import Project, wait_until

from harness import subprocesses

LEAKS = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "7",
    "PYTHONSTARTUP": "/nowhere",
    "PYTHONOPTIMIZE": "2",
    "UV_PYTHON": "3.99",
    "UV_CONSTRAINT": "/nowhere/constraints.txt",
    "UV_EXCLUDE_NEWER": "2001-01-01",
    "UV_COMPILE_BYTECODE": "1",
    "UV_RESOLUTION": "lowest",
    "UV_PROJECT_ENVIRONMENT": "/nowhere",
    "PIP_INDEX_URL": "http://127.0.0.1:9/",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "VIRTUAL_ENV": "/nowhere",
    "CONDA_PREFIX": "/nowhere",
    "OMP_NUM_THREADS": "64",
    "HF_HOME": "/nowhere",
    "LD_PRELOAD": "",
}


@pytest.fixture(scope="module")
def leaked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was run from a shell full of `LEAKS`, with a torch of its own on PYTHONPATH."""
    project = Project.working(tmp_path_factory.mktemp("leaked"))
    shadow = project.root / "shadow"
    (shadow / "torch").mkdir(parents=True)
    (shadow / "torch" / "__init__.py").write_text("raise ImportError('torch from PYTHONPATH')")
    answer = project.call("run", environ={**LEAKS, "PYTHONPATH": str(shadow)})
    assert answer.code == 0, answer.err
    return project


def test_the_shell_does_not_reach_a_probe(leaked):
    (cell,) = leaked.cells().values()
    assert cell["status"] == "works"
    assert cell["resolved"]["numpy"] == "2.1.0"
    for start in leaked.starts():
        environ = start["environ"]
        assert not [name for name in environ if name.startswith(("PYTHON", "UV_", "PIP_", "CONDA"))]
        assert "VIRTUAL_ENV" not in environ
        assert "HF_HOME" not in environ
        assert environ["OMP_NUM_THREADS"] == "1"
        assert environ["HOME"].startswith(str(leaked.store))
        assert start["writes_bytecode"]
        assert not [path for path in start["path"] if "shadow" in path or path in {"", str(leaked.root)}]


@pytest.mark.parametrize(
    ("file", "settings"),
    [("uv.toml", 'resolution = "lowest"\n'), ("pyproject.toml", '[tool.uv]\nresolution = "lowest"\n')],
)
def test_the_settings_of_the_project_around_the_store_do_not_reach_uv(project, file, settings):
    (project.root / file).write_text(settings)
    (cell,) = project.run().values()
    assert cell["resolved"]["numpy"] == "2.1.0"


def test_probes_keep_their_bytecode(leaked):
    assert leaked.main("run", "--force", "--keep-envs").code == 0
    kept = [path.parent.name for path in (leaked.store / "bytecode").rglob("*.pyc")]
    assert {"torch", "transformers", "onnx", "onnxruntime"} <= set(kept)
    # Environments hold nothing of their own: what is in them is shared with uv's cache.
    assert not list((leaked.store / "envs").rglob("*.pyc"))


def test_find_links_from_the_environment_are_a_source(project, monkeypatch):
    monkeypatch.setenv("UV_FIND_LINKS", str(project.index))
    project.configure(uv={"no-index": True, "torch-backend": "default"})
    (cell,) = project.run().values()
    assert cell["status"] == "works"


def test_other_sources_are_another_lock(project, tmp_path, monkeypatch):
    project.configure(uv={"no-index": True, "torch-backend": "default"})
    monkeypatch.setenv("UV_FIND_LINKS", str(project.index))
    project.run()
    more = tmp_path / "more"
    more.mkdir()
    packages.package("flatbuffers", "99.0").write(more)
    monkeypatch.setenv("UV_FIND_LINKS", f"{project.index},{more}")
    (cell,) = project.run().values()
    assert cell["resolved"]["flatbuffers"] == "99.0"


ACCESS = {
    "UV_OFFLINE": "1",
    "UV_INDEX_MINE_USERNAME": "me",
    "UV_INDEX_MINE_PASSWORD": "secret",
    "UV_KEYRING_PROVIDER": "subprocess",
    "UV_INSECURE_HOST": "localhost",
    "NETRC": "/nowhere",
}


def test_another_password_makes_nothing_unknown(project, monkeypatch):
    sources = {"no-index": True, "find-links": [project.index.name], "torch-backend": "default"}
    project.configure(uv={**sources, "index": ["https://me:old@127.0.0.1:9/simple"]})
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", "https://me:old@127.0.0.1:9/more")
    project.run()
    project.index.rename(project.root / "index-is-gone")
    project.configure(uv={**sources, "index": ["https://you:new@127.0.0.1:9/simple"]})
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", "https://token@127.0.0.1:9/more")
    for name, value in ACCESS.items():
        monkeypatch.setenv(name, value)
    (cell,) = project.run().values()
    assert cell["status"] == "works"


def test_the_users_own_uv_toml_is_part_of_what_a_lock_depends_on(project, monkeypatch):
    settings = project.root / "home/.config/uv/uv.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[pip]\nresolution = "lowest"\n')
    monkeypatch.setenv("HOME", str(project.root / "home"))
    (cell,) = project.run().values()
    assert cell["resolved"]["numpy"] == "1.26.4"
    settings.unlink()
    (cell,) = project.run().values()
    assert cell["resolved"]["numpy"] == "2.1.0"


def test_relative_links_are_those_beside_the_matrix_whoever_shares_the_store(project, tmp_path):
    project.run()
    other = Project.working(tmp_path / "other")
    (other.index / "flatbuffers-24.3.25-py3-none-any.whl").unlink()
    other.publish(packages.package("flatbuffers", "99.0"))
    other.store = project.store
    (cell,) = other.run().values()
    assert cell["resolved"]["flatbuffers"] == "99.0"


def test_relative_links_from_the_environment_are_those_of_the_current_folder(project, tmp_path, monkeypatch):
    project.configure(uv={"no-index": True, "torch-backend": "default"})
    monkeypatch.setenv("UV_FIND_LINKS", "index")
    monkeypatch.chdir(project.root)
    project.run()
    other = Project.working(tmp_path / "other")
    (other.index / "flatbuffers-24.3.25-py3-none-any.whl").unlink()
    other.publish(packages.package("flatbuffers", "99.0"))
    monkeypatch.chdir(other.root)
    (cell,) = project.run().values()
    assert cell["resolved"]["flatbuffers"] == "99.0"


@pytest.mark.parametrize("name", ["com,ma", "ha#sh", "eq=ual, qu?ery", "per%2Ccent, ümlaut"])
@pytest.mark.parametrize("by", ["matrix", "variable", "index"])
def test_a_folder_with_any_name_is_the_one_that_is_looked_at(tmp_path, monkeypatch, name, by):
    project = Project.working(tmp_path / name)
    # Where uv would look if it took a part of the name for the whole.
    for part in ("com", "ha", "per", "per,cent"):
        (tmp_path / part).mkdir()
        packages.package("flatbuffers", "99.0").write(tmp_path / part)
    sources = {"no-index": by != "index", "torch-backend": "default"}
    if by == "matrix":
        project.configure(uv={**sources, "find-links": ["index"]})
    elif by == "variable":
        monkeypatch.chdir(project.root)
        monkeypatch.setenv("UV_FIND_LINKS", "index,../nothing")
        (tmp_path / "nothing").mkdir()
        project.configure(uv=sources)
    else:
        _as_index(project.index)
        project.configure(uv={**sources, "index": ["mine=index"], "default-index": "index"})
    (cell,) = project.run().values()
    assert (cell["status"], cell["resolved"]["flatbuffers"]) == ("works", "24.3.25")


def _as_index(folder: Path) -> None:
    """Lay the wheels in `folder` out as an index does."""
    for wheel in sorted(folder.glob("*.whl")):
        page = folder / wheel.name.partition("-")[0].replace("_", "-").lower() / "index.html"
        page.parent.mkdir(exist_ok=True)
        with page.open("a", encoding="utf-8") as file:
            file.write(f'<a href="../{wheel.name}">{wheel.name}</a><br>\n')


AS_THE_CALLER_HAS_IT = {
    "LANG": "de_DE.UTF-8",
    "LC_ALL": "tr_TR.UTF-8",
    "TZ": "Asia/Tokyo",
    "PATH": f"/nowhere:{os.environ['PATH']}",
    "USER": "somebody",
    "CUDA_VISIBLE_DEVICES": "0",
    "MKL_CBWR": "COMPATIBLE",
}


def seen(project: Project) -> list[dict[str, str]]:
    """Variables of each probe, without those that are other in each process."""
    own = {"HOME", "TMPDIR", "TEMP", "TMP", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "EXPORT_MATRIX_CHILD"}
    return [{name: value for name, value in start["environ"].items() if name not in own} for start in project.starts()]


def test_what_the_caller_has_besides_is_not_seen_and_what_is_known_stays_known(project):
    assert project.call("run").code == 0
    before = seen(project)
    assert project.call("run", environ=AS_THE_CALLER_HAS_IT).code == 0
    assert seen(project) == before
    assert project.call("run", "--force", environ=AS_THE_CALLER_HAS_IT).code == 0
    assert len(seen(project)) == 2 * len(before)
    assert seen(project)[len(before) :] == before


def test_a_search_path_for_libraries_is_seen_and_makes_nothing_known(project, tmp_path):
    assert project.call("run").code == 0
    count = len(project.starts())
    assert project.call("run", environ={"LD_LIBRARY_PATH": ""}).code == 0
    assert len(project.starts()) == count
    assert project.call("run", environ={"LD_LIBRARY_PATH": str(tmp_path)}).code == 0
    assert [start["environ"]["LD_LIBRARY_PATH"] for start in project.starts()[count:]] == [str(tmp_path)] * count
    assert project.call("run").code == 0
    assert len(project.starts()) == 2 * count


def test_a_limit_that_packages_may_fail_of_is_part_of_a_key(monkeypatch):
    usual = subprocesses.probe_surroundings()
    assert not [name for name in usual if name.startswith("RLIMIT") and name != "RLIMIT_STACK"]
    real = resource.getrlimit
    limited = {resource.RLIMIT_AS: (4 * 2**30, resource.RLIM_INFINITY)}
    monkeypatch.setattr(resource, "getrlimit", lambda number: limited.get(number) or real(number))
    assert subprocesses.probe_surroundings() == {**usual, "RLIMIT_AS": 4 * 2**30}


def test_umask_and_core_dumps_are_the_probes_own(project):
    says = "import os, resource; raise RuntimeError(f'{os.umask(0):o} {resource.getrlimit(resource.RLIMIT_CORE)[0]}')"
    project.publish(packages.torch("2.2.0", on_export=says))
    project.configure({"torch": ["2.2.0"]})
    before = os.umask(0o077)
    try:
        (cell,) = project.run().values()
    finally:
        os.umask(before)
    assert cell["variants"][0]["error"] == "22 0"


def test_temporary_files_are_each_process_own_and_gone_with_it(project, tmp_path):
    makes = "import tempfile; KEPT = tempfile.TemporaryDirectory(prefix='of-a-probe-'); open(tempfile.mkstemp()[1], 'w')"
    project.publish(packages.torch("2.2.0", on_import=makes), packages.onnxruntime("1.17.0", on_import=makes))
    project.configure({"torch": ["2.2.0"], "onnxruntime": ["1.17.0"]})
    mine = tmp_path / "T"
    mine.mkdir()
    assert project.call("run", environ={"TMPDIR": str(mine)}).code == 0
    assert {cell["status"] for cell in project.cells().values()} == {"works"}
    assert list(mine.iterdir()) == []
    assert list((project.store / "tmp").iterdir()) == []
    folders = [{start["environ"][name] for name in ("TMPDIR", "TEMP", "TMP")} for start in project.starts()]
    assert [len(one) for one in folders] == [1] * len(folders)
    # The fork that imports beside an export is the export's process.
    assert len(set.union(*folders)) == len({start["environ"]["HOME"] for start in project.starts()})
    assert not [path for one in folders for path in one if Path(path).exists()]


def test_what_kill_9_leaves_of_temporary_files_is_gone_after_the_next_run(project, tmp_path):
    mine, there = tmp_path / "T", project.notes / "there"
    mine.mkdir()
    waits = f"import tempfile, time\nKEPT = tempfile.TemporaryDirectory()\nopen({str(there)!r}, 'w')\ntime.sleep(600)"
    project.publish(packages.torch("2.2.0", on_export=waits))
    project.configure({"torch": ["2.2.0"]})
    with project.start("run", environ={"TMPDIR": str(mine)}) as child:
        wait_until(there.exists)
        child.kill()
        child.wait()
    assert [*mine.iterdir(), *(project.store / "tmp").iterdir()]
    project.configure()
    assert project.call("run", environ={"TMPDIR": str(mine)}).code == 0
    assert [*mine.iterdir(), *(project.store / "tmp").iterdir()] == []
