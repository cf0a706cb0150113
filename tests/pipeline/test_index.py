"""A lock is what `uv pip compile` gives against the index at that moment, whatever was asked before or lies in a cache."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import packages
import pytest
from http_index import Index, compiled, serving
from project import Project
from wheels import Wheel

from harness.cli import main
from harness.execution.preparation import opened
from harness.execution.session import Session
from harness.execution.settings import Settings
from harness.locked import Lock
from harness.matrix.plan import requirements
from harness.model import Cell, Status

AXES = {"torch": ["2.1.0", "2.2.0"], "onnxruntime": ["1.16.3", "1.17.0"]}
CELLS = [(torch, runtime) for torch in AXES["torch"] for runtime in AXES["onnxruntime"]]
"""In this order. The first and the last are solved first, and have between them all that the others have on the axes."""
ENDS, MIDDLE = [CELLS[0], CELLS[-1]], CELLS[1:-1]

Pins = tuple[str, str]


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, uv_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of an index is known; of the interpreters of this machine what uv has found out before."""
    for known in uv_cache.glob("interpreter-*"):
        shutil.copytree(known, tmp_path / "uv-cache" / known.name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")


@pytest.fixture
def index(project: Project) -> Iterator[Index]:
    """The project's index, over HTTP, with several tomli."""
    with serving(project.index) as index:
        index.publish(*(packages.package("tomli", version) for version in ("2.0.1", "2.0.2", "2.4.0", "2.4.1")))
        index.publish(packages.torch("2.2.0"), packages.onnxruntime("1.17.0"))
        index.publish(packages.transformers(requires=("tokenizers", "tomli")))
        yield index


def configure(project: Project, index: Index, bounded: Sequence[Pins]) -> None:
    """Four cells, each of which needs tomli; those of `bounded` none that is newer than 2.0."""
    rules = [
        {"when": f"torch=={torch},onnxruntime=={runtime}", "add": ["tomli<2.1"], "reason": "a trap"}
        for torch, runtime in bounded
    ]
    project.configure(AXES, uv={"default-index": index.url, "torch-backend": "default"}, constraint=rules)


def prepared(project: Project, **settings: object) -> Session:
    options = {"config": project.config, "store": project.store, **settings}
    return opened(Settings(**options), lambda _event: None)  # type: ignore[arg-type]


def pins(cell: Cell) -> Pins:
    return str(cell.version("torch")), str(cell.version("onnxruntime"))


def locked(made: Session) -> dict[Pins, dict[str, str]]:
    """Cell → name → version."""
    locks: dict[Pins, Lock | None] = {pins(one.cell): one.lock for one, _ in made.cells}
    return {cell: lock.versions for cell, lock in locks.items() if lock}


def expected(made: Session, index: Index, folder: Path) -> dict[Pins, dict[str, str]]:
    """The same, by the oracle."""
    found = {}
    for number, (resolved, _) in enumerate(made.cells):
        (wanted,) = requirements(resolved.planned, made.matrix, frozenset(made.matrix.variants.exporters))
        found[pins(resolved.cell)] = compiled(index, [*wanted.needed, *wanted.optional], folder / f"oracle-{number}")
    return found


def only_newer_python(index: Index) -> None:
    index.publish(Wheel(name="tomli", version="3.0.0", files={"tomli.py": ""}, python=">=3.99"))


def yanked(index: Index) -> None:
    index.yanked.add("tomli-2.4.1-py3-none-any.whl")


def no_metadata(index: Index) -> None:
    index.metadata = False


def plain(_index: Index) -> None:
    pass


@pytest.mark.parametrize(
    ("bounded", "change"),
    [(ENDS, plain), (MIDDLE, plain), (ENDS, no_metadata), (MIDDLE, no_metadata), (ENDS, yanked), (ENDS, only_newer_python)],
)
def test_every_lock_is_what_uv_gives_with_an_empty_cache(project, index, tmp_path, bounded, change):
    change(index)
    configure(project, index, bounded)
    made = prepared(project)
    found = locked(made)
    assert found == expected(made, index, tmp_path)
    newest = "2.4.0" if change is yanked else "2.4.1"
    assert {cell: lock["tomli"] for cell, lock in found.items()} == {
        cell: "2.0.2" if cell in bounded else newest for cell in CELLS
    }


def test_another_run_asks_again(project, index):
    configure(project, index, [])
    assert {lock["tomli"] for lock in locked(prepared(project)).values()} == {"2.4.1"}
    index.publish(packages.package("tomli", "2.5.0"))
    elsewhere = Project(project.root / "elsewhere")
    configure(elsewhere, index, [])
    assert {lock["tomli"] for lock in locked(prepared(elsewhere)).values()} == {"2.5.0"}


def test_a_run_asks_for_each_page_once(project, index):
    configure(project, index, [])
    prepared(project)
    pages = [path for path in index.asked if path.startswith("/simple/")]
    # The first cell and the last are solved at once, and each may ask for itself.
    assert max(map(pages.count, pages)) <= 2
    assert "/simple/tomli/" in pages


def test_credentials_and_names_of_indexes_hold(project, index, monkeypatch):
    index.login = "me:secret"
    configure(project, index, [])
    project.configure(uv={"torch-backend": "default"})
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"private={index.url}")
    assert {resolved.result.status for resolved, _ in prepared(project).cells} == {Status.ERROR}
    monkeypatch.setenv("UV_INDEX_PRIVATE_USERNAME", "me")
    monkeypatch.setenv("UV_INDEX_PRIVATE_PASSWORD", "secret")
    assert {lock["tomli"] for lock in locked(prepared(project)).values()} == {"2.4.1"}


def test_shards_have_equal_locks(project, index, tmp_path):
    configure(project, index, ENDS)
    stores = [tmp_path / "one", tmp_path / "two"]
    for number, store in enumerate(stores, 1):
        options = ["--config", str(project.config), "--store", str(store), "--shard", f"{number}/2"]
        assert main(["plan", *options]) == 0
    first, second = (locked(prepared(project, store=store, offline=True)) for store in stores)
    assert first == second
    assert first[MIDDLE[0]]["tomli"] == "2.4.1"


def test_refresh_says_what_moved(project, index):
    configure(project, index, ENDS)
    project.main("plan")
    index.publish(packages.package("tomli", "2.5.0"))
    assert "otherwise" not in project.main("plan").err
    answer = project.main("plan", "--refresh")
    assert answer.code == 0
    (line,) = [line for line in answer.err.splitlines() if line.startswith("resolved otherwise")]
    assert "tomli 2.4.1 → 2.5.0" in line
    assert all(f"t{torch.replace('.', '')}-tf4463-o1162-r{runtime.replace('.', '')}" in line for torch, runtime in MIDDLE)
    assert not any(f"t{torch.replace('.', '')}-tf4463-o1162-r{runtime.replace('.', '')}" in line for torch, runtime in ENDS)
    assert "otherwise" not in project.main("plan", "--refresh").err


def test_a_refresh_that_moves_nothing_asks_the_index_all_the_same(project, index):
    configure(project, index, [])
    project.main("plan")
    index.asked.clear()
    assert "otherwise" not in project.main("plan", "--refresh").err
    assert "/simple/tomli/" in index.asked


def test_what_was_resolved_offline_is_no_answer_of_the_index(project, index, tmp_path):
    configure(project, index, [])
    made = prepared(project, offline=True)
    assert {resolved.result.status for resolved, _ in made.cells} == {Status.ERROR}
    needs = ["transformers==4.46.3", "onnx==1.16.2", "numpy"]
    for torch, runtime in CELLS:
        wanted = [f"torch=={torch}", f"onnxruntime=={runtime}", *needs]
        compiled(index, wanted, tmp_path / f"{torch}-{runtime}", tmp_path / "uv-cache")
    index.publish(packages.package("tomli", "2.5.0"))
    answer = project.main("plan", "--offline")
    assert "offline: no index is asked" in answer.err
    # Locks alone are no observation: 3. What an offline run resolved is known to reports and to the next such run alone.
    assert {lock["tomli"] for lock in locked(prepared(project, offline=True)).values()} == {"2.4.1"}
    assert project.main("report").code == 3
    assert {cell["resolved"]["tomli"] for cell in project.cells().values()} == {"2.4.1"}
    assert {lock["tomli"] for lock in locked(prepared(project)).values()} == {"2.5.0"}
    assert project.main("report").code == 3
    assert {cell["resolved"]["tomli"] for cell in project.cells().values()} == {"2.5.0"}
    assert {lock["tomli"] for lock in locked(prepared(project, offline=True)).values()} == {"2.5.0"}


def test_uv_that_is_set_to_be_offline_is_offline(project, index, monkeypatch):
    configure(project, index, [])
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert "offline: no index is asked" in project.main("plan").err


@pytest.fixture
def broken_runtime(project: Project, index: Index) -> Project:
    """One cell that fails, and that a later patch of its onnxruntime would mend."""
    index.publish(packages.onnxruntime("1.20.0", on_load="raise RuntimeError('no such kernel')"))
    project.configure({"onnxruntime": ["1.20.0"]}, uv={"default-index": index.url, "torch-backend": "default"})
    project.remedies = True
    return project


def only_variant(project: Project) -> dict[str, object]:
    (cell,) = project.cells().values()
    (variant,) = cell["variants"]
    return dict(variant)


def test_refresh_reaches_what_a_search_for_remedies_has_looked_up(broken_runtime, index):
    broken_runtime.run()
    assert not only_variant(broken_runtime)["search_open"]
    index.publish(packages.onnxruntime("1.20.1"))
    broken_runtime.run()
    assert only_variant(broken_runtime)["remedy"] is None
    broken_runtime.run("--refresh")
    assert only_variant(broken_runtime)["remedy"] == "onnxruntime 1.20.1"
    assert broken_runtime.main("report").code == 0
    assert only_variant(broken_runtime)["remedy"] == "onnxruntime 1.20.1"
    (cell,) = broken_runtime.cells()
    assert "onnxruntime 1.20.1" in broken_runtime.main("explain", cell).out


def test_an_index_in_trouble_leaves_a_search_open(broken_runtime, index):
    """It is said wherever a report is, and the next run goes on."""
    index.publish(packages.onnxruntime("1.20.1"))
    broken_runtime.remedies = False
    broken_runtime.run()
    broken_runtime.remedies = True
    index.broken.add("onnxruntime")
    (cell,) = broken_runtime.run()
    broken_runtime.main("report")
    variant = only_variant(broken_runtime)
    assert variant["search_open"]
    assert variant["remedy"] is None
    assert "onnxruntime>=1.20.0,!=1.20.0,==1.20.*" in str(variant["unanswered"])
    for text in (broken_runtime.main("report", "--format", "markdown").out, broken_runtime.main("explain", cell).out):
        assert "no index has answered yet which other versions exist of onnxruntime" in text or "of torch" in text
        assert "no remedy found" not in text
    index.broken.clear()
    broken_runtime.run()
    assert only_variant(broken_runtime)["remedy"] == "onnxruntime 1.20.1"
    assert only_variant(broken_runtime)["unanswered"] == []
