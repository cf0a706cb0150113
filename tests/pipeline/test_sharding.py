"""One matrix on several machines: shards share no export, and what they found makes the report of one run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import envelopes
import packages
import pytest
from elsewhere import comparable
from project import PYTHON, Answer, Project
from wheels import Wheel

pytestmark = pytest.mark.usefixtures("installed_once")

SHARDS = ("1/3", "2/3", "3/3")


def in_store(project: Project, name: str) -> Project:
    """The same index and matrix with another store beside the first, and other reports."""
    other = Project(project.root)
    other.store, other.reports = project.root / name, project.root / f"{name}-reports"
    return other


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run of everything: 6 exports, two cells without a solution, and a runtime that fails and is spoken for by another.

    A cell with onnxruntime 1.17.0 has numpy 1 and an export of its own: the newest onnxruntime is in no cell with that.
    """
    project = Project(tmp_path_factory.mktemp("shards"))
    project.publish(*packages.working(), packages.onnx("1.17.0"), packages.torch("2.3.0", requires=("numpy>=2",)))
    project.publish(packages.onnxruntime("1.17.0", on_run=packages.raises("RuntimeError('If')"), requires=("numpy<2",)))
    project.publish(packages.onnxruntime("1.19.0"))
    axes = {"torch": ["2.1.0", "2.3.0"], "onnx": ["1.16.2", "1.17.0"], "onnxruntime": ["1.16.3", "1.17.0", "1.19.0"]}
    project.configure(axes, variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]})
    project.run("--jobs", "2")
    assert len(exported(project)) == 6
    return project


@pytest.fixture(scope="module")
def shards(whole: Project) -> list[Project]:
    """The same matrix run in three shards, each with a store of its own that knew nothing."""
    made = []
    for number, shard in enumerate(SHARDS, start=1):
        one = in_store(whole, f"shard-{number}")
        one.run("--jobs", "2", "--shard", shard)
        made.append(one)
    return made


@pytest.fixture(scope="module")
def reported(whole: Project) -> Path:
    """The reports of three shards whose results are those of `whole`."""
    for number, shard in enumerate(SHARDS, start=1):
        assert whole.main("report", "--shard", shard, "--reports", str(whole.root / "apart" / str(number))).code == 0
    return whole.root / "apart"


@pytest.fixture
def apart(reported: Path, tmp_path: Path) -> list[Path]:
    """Copies of their matrix.json."""
    shutil.copytree(reported, tmp_path / "apart")
    return [tmp_path / "apart" / str(number) / "matrix.json" for number in (1, 2, 3)]


def exported(project: Project) -> set[str]:
    """The names of the environments in which something was exported."""
    return {Path(start["python"]).parents[1].name for start in project.starts("export")}


def said(answer: Answer) -> str:
    return " ".join(answer.err.split())


def files(project: Project) -> dict[str, bytes]:
    """The files of the report; the history has a line for each run besides."""
    return {path.name: path.read_bytes() for path in project.reports.iterdir() if path.name != "history.jsonl"}


def test_every_cell_is_in_one_shard_and_every_export_happens_once(whole, shards):
    ids = [identifier for one in shards for identifier in one.cells()]
    assert sorted(ids) == sorted(whole.cells())
    assert all(one.cells() for one in shards)
    assert sorted(name for one in shards for name in exported(one)) == sorted(exported(whole))


def test_a_shard_is_the_same_whatever_its_store_knows(shards, apart):
    for one, path in zip(shards, apart, strict=True):
        assert [cell["id"] for cell in json.loads(path.read_text())["cells"]] == list(one.cells())


def test_a_shards_report_speaks_of_its_cells_only(shards):
    report = shards[0].report()
    assert report["axes"]["torch"] == sorted({cell["pins"]["torch"] for cell in report["cells"]})
    assert set(report["recommended"].values()) <= {cell["id"] for cell in report["cells"]}


def test_progress_counts_the_shards_cells(whole):
    answer = whole.main("run", "--shard", "1/3", "--reports", str(whole.root / "counted"))
    count = len(json.loads((whole.root / "counted" / "matrix.json").read_text())["cells"])
    assert f"shard 1/3: {count} of 12 cells" in answer.err
    assert f"[{count}/{count}] " in answer.err


def test_merged_stores_are_the_store_of_one_run(whole, shards):
    merged = in_store(whole, "merged")
    answer = merged.main("merge", *(str(one.store) for one in shards))
    assert answer.code == 0, answer.err
    assert "not in these stores" not in answer.err
    assert comparable(merged) == comparable(whole)
    there = files(merged)
    merged.run()
    assert files(merged) == there
    assert merged.starts() == []
    for cell in merged.report()["cells"]:
        for variant in cell["variants"]:
            assert variant["log"] is None or (merged.store / variant["log"]).exists()


def test_second_opinions_are_those_of_one_run(whole, shards):
    expected = {"onnx.reference": "works", "onnxruntime 1.19.0": "works"}
    opinions = {
        cell["id"]: [one["opinions"] for one in cell["variants"]]
        for one in shards
        for cell in one.report()["cells"]
        if cell["pins"]["onnxruntime"] == "1.17.0" and cell["lock"]
    }
    assert list(opinions.values()) == [[expected, expected]] * 2
    assert opinions == {identifier: [v["opinions"] for v in whole.cells()[identifier]["variants"]] for identifier in opinions}


def test_merged_stores_keep_what_a_further_cell_needs(whole, shards):
    merged = in_store(whole, "kept")
    merged.main("merge", *(str(one.store) for one in shards))
    config = merged.root / "matrix-kept.toml"
    config.write_text(merged.config.read_text().replace('"layouts" =', '"bindings" = ["ortvalue"]\n"layouts" ='))
    answer = merged.main("run", "--config", str(config), "--select", "torch==2.3.0,onnx==1.17.0,onnxruntime==1.16.3")
    assert answer.code == 0, answer.err
    assert {start["kind"] for start in merged.starts()} == {"run"}


def test_joined_reports_are_the_report_of_one_run(whole, apart):
    joined = in_store(whole, "joined")
    # In any order: the matrix has its own.
    answer = joined.main("merge", *map(str, reversed(apart)))
    assert answer.code == 0, answer.err
    assert files(joined) == files(whole)
    assert not joined.store.exists()


def test_a_selection_is_sharded_and_joined(whole, tmp_path):
    selection = ["--select", "torch==2.1.0"]
    sources = []
    for shard in ("1/2", "2/2"):
        folder = tmp_path / shard[0]
        assert whole.main("report", *selection, "--shard", shard, "--reports", str(folder)).code == 0
        sources.append(str(folder / "matrix.json"))
    for command in (["report"], ["merge", *sources]):
        assert whole.main(*command, *selection, "--reports", str(tmp_path / command[0])).code == 0
    assert (tmp_path / "merge" / "matrix.json").read_bytes() == (tmp_path / "report" / "matrix.json").read_bytes()


def test_merging_twice_changes_nothing(whole, shards):
    merged = in_store(whole, "twice")
    stores = [str(one.store) for one in shards]
    merged.main("merge", *stores)
    there = files(merged)
    merged.main("merge", *reversed(stores), str(merged.store))
    assert files(merged) == there


def test_a_missing_store_is_said_and_its_cells_are_not_run(whole, shards):
    merged = in_store(whole, "two")
    answer = merged.main("merge", *(str(one.store) for one in shards[:2]))
    assert answer.code == 0
    missing = shards[2].cells()
    open_ = [cell for cell in merged.cells().values() if cell["status"] == "not-run"]
    assert {cell["id"] for cell in open_} == {identifier for identifier, cell in missing.items() if cell["lock"]}
    assert f"cells whose results are not in these stores: {len(open_)} of 12" in answer.err


def test_a_shard_that_gets_no_cell(project, tmp_path):
    answer = project.main("run", "--shard", "2/2")
    assert answer.code == 0, answer.err
    assert "shard 2/2: none of 1 cell" in answer.err
    assert "0 cells" in answer.out
    assert project.report()["cells"] == []
    assert project.starts() == []
    assert "0 cells, 0 variants" in project.main("plan", "--shard", "2/2").out
    assert project.main("report", "--shard", "2/2", "--format", "markdown", "--quiet").code == 0
    project.main("run", "--shard", "1/1", "--reports", str(tmp_path / "1"))
    sources = [str(project.reports / "matrix.json"), str(tmp_path / "1" / "matrix.json")]
    assert project.main("merge", *sources).code == 0
    assert next(iter(project.cells().values()))["status"] == "works"


def test_a_report_of_a_shard_before_anything_is_resolved(project):
    answer = project.main("report", "--shard", "1/2")
    assert answer.code == 2
    assert "has no answer: it has not been resolved yet; `run` or `plan` does that" in said(answer)


# What a shard knows less than one run of everything, and what is told all the same.

REFUSES = packages.raises("RuntimeError('unsupported operator aten::odd')")
OLD_RUNTIME = {"requires": ("numpy<2",)}
APART: dict[str, tuple[list[Wheel], dict[str, list[str]], str]] = {
    # numpy keeps the exports apart, which write the same artifact; the newest onnxruntime runs it in the other shard.
    "an artifact above a runtime": (
        [
            packages.torch("2.6.0", ir=10),
            packages.onnxruntime("1.16.3", max_ir=9, **OLD_RUNTIME),
            packages.onnxruntime("1.20.0", max_ir=10),
        ],
        {"torch": ["2.6.0"], "onnxruntime": ["1.16.3", "1.20.0"]},
        "together",
    ),
    # Where nothing could be exported the run side is not tried; another export tries it.
    "a run side that cannot be imported": (
        [
            packages.torch("2.6.0", on_export=REFUSES),
            packages.onnxruntime("1.17.0", on_import="raise ImportError('libodd.so')"),
        ],
        {"torch": ["2.1.0", "2.6.0"], "onnxruntime": ["1.17.0"]},
        "handoff",
    ),
    # Each shard asks another model in the last cell of its own.
    "a fault that all cells have": (
        [packages.torch("2.6.0", on_export=REFUSES), packages.torch("2.6.1", on_export=REFUSES)],
        {"torch": ["2.6.0", "2.6.1"]},
        "together",
    ),
}


@pytest.mark.parametrize("case", APART)
def test_the_report_does_not_depend_on_what_else_is_known(project, case):
    wheels, axes, environment = APART[case]
    project.publish(*wheels)
    project.configure(axes, setup=[environment])
    project.run()
    shards = [in_store(project, name) for name in ("1", "2")]
    for one in shards:
        assert len(one.run("--shard", f"{one.store.name}/2")) == 1
    merged, joined = in_store(project, "merged"), in_store(project, "joined")
    assert merged.main("merge", *(str(one.store) for one in shards)).code == 0
    assert joined.main("merge", *(str(one.reports / "matrix.json") for one in shards)).code == 0
    assert comparable(merged) == comparable(project)
    assert comparable(joined) == comparable(project)


# Plans for GitHub.


def test_a_job_matrix_names_the_shards(whole, shards):
    answer = whole.main("plan", "--format", "github", "--shards", "3", "--quiet")
    assert answer.code == 0, answer.err
    assert answer.out.count("\n") == 1
    jobs = json.loads(answer.out)["include"]
    assert [(job["shard"], job["cells"]) for job in jobs] == [
        (shard, len(one.cells())) for shard, one in zip(SHARDS, shards, strict=True)
    ]


@pytest.mark.parametrize(("arguments", "count"), [([], 6), (["--shards", "256"], 6), (["--shards", "1"], 1)])
def test_a_job_matrix_has_no_job_without_work(whole, arguments, count):
    jobs = json.loads(whole.main("plan", "--format", "github", *arguments).out)["include"]
    assert [job["shard"] for job in jobs] == [f"{number}/{count}" for number in range(1, count + 1)]
    assert sum(job["cells"] for job in jobs) == 12


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "github", "--shards", "257"], "expected a number of shards, 1 to 256, not '257'"),
        (["--format", "github", "--shards", "0"], "expected a number of shards, 1 or more, not '0'"),
        (["--format", "github", "--shards", "x"], "expected a number of shards"),
        (["--format", "github", "--shard", "1/3"], "leave out --shard"),
        (["--shards", "3"], "--shards is for --format github"),
    ],
)
def test_plans_that_cannot_be(project, arguments, words):
    answer = project.main("plan", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert words in said(answer)


# What cannot be merged.


def refused(project: Project, *sources: Path) -> str:
    """What `merge` says when it refuses; it has written nothing."""
    fresh = in_store(project, "refused")
    answer = fresh.main("merge", *map(str, sources))
    assert (answer.code, answer.out) == (2, ""), answer.err
    assert "Traceback" not in answer.err
    assert not (fresh.reports / "matrix.json").exists()
    assert not list(fresh.store.rglob("*.json"))
    return said(answer)


def edited(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


def test_nothing_to_merge(project):
    assert "required: STORE-or-JSON" in refused(project)


def test_what_is_neither_store_nor_report(project, tmp_path):
    (tmp_path / "folder").mkdir()
    assert f"{tmp_path / 'nowhere'} does not exist" in refused(project, tmp_path / "nowhere")
    assert f"{tmp_path / 'folder'} is not a store" in refused(project, tmp_path / "folder")
    assert "matrix.toml is no matrix.json of this version" in refused(project, project.config)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"schema": 1}', "\x00"])
def test_a_damaged_report(whole, apart, text):
    apart[1].write_text(text)
    assert f"{apart[1]} is no matrix.json of this version: " in refused(whole, *apart)


def test_a_report_of_another_schema(whole, apart):
    assert "schema: Input should be 1" in refused(whole, apart[0], edited(apart[1], schema=2), apart[2])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("platform", "Linux-sparc"),
        ("torch", "cu126"),
        ("probe", {"id": "0", "model": "marian", "profile": "tiny", "seed": 0}),
    ],
)
def test_reports_that_differ_in_what_was_asked(whole, apart, name, value):
    words = refused(whole, apart[0], edited(apart[1], **{name: value}), apart[2])
    assert f"{apart[0]} and {apart[1]} differ in {name}: " in words


def test_a_report_that_is_missing(whole, apart):
    names = [cell["id"] for cell in json.loads(apart[1].read_text())["cells"]]
    assert f"in none of them: {', '.join(names)}" in refused(whole, apart[0], apart[2])


def test_a_cell_that_is_reported_twice(whole, apart):
    first, *_ = json.loads(apart[0].read_text())["cells"]
    words = refused(whole, *apart, apart[0])
    assert f"{first['id']} is in {apart[0]} and in {apart[0]}" in words
    other = edited(shutil.copy(apart[0], apart[0].with_name("other.json")), cells=[{**first, "status": "error"}])
    assert f"{other}, {first['status']} in the one and error in the other" in refused(whole, *apart, other)


def test_a_report_on_another_matrix(whole, apart, tmp_path):
    other = in_store(whole, "smaller")
    config = tmp_path / "smaller.toml"
    config.write_text(whole.config.read_text().replace('"2.1.0", ', ""))
    answer = other.main("merge", *map(str, apart), "--config", str(config))
    assert answer.code == 2
    assert f"not in this matrix: py{PYTHON.replace('.', '')}-t210-" in answer.err


def test_a_store_and_a_report(whole, apart):
    assert "stores or matrix.json files, not both" in refused(whole, whole.store, apart[0])


@pytest.fixture
def other(whole: Project) -> Path:
    """A copy of the store of `whole`."""
    target = whole.root / "other"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(whole.store, target, symlinks=True)
    return target


def ends_as(status: str) -> Callable[[Any], Any]:
    """A change to a record of stages: the last one has that status."""

    def change(value: Any) -> Any:
        value["stages"][-1] |= {"status": status, "error": {"type": "RuntimeError", "message": "no"}}
        return value

    return change


def test_stores_that_contradict_each_other(whole, other):
    path = next(path for path in envelopes.records(other, "stages") if envelopes.value(path)["artifact"])
    envelopes.rewrite(path, ends_as("fails"))
    words = refused(whole, whole.store, other)
    assert f"{whole.store} and {other} contradict each other (results/{path.parent.name}/{path.name}): " in words
    assert "check works in the one, export works, check fails in the other" in words


def test_stores_that_resolved_one_cell_differently(whole, other):
    path = next(path for path in envelopes.records(other, "lock") if envelopes.value(path)["lock"])

    def moved(value: Any) -> Any:
        value["lock"]["distributions"][0]["version"] = "9"
        return value

    envelopes.rewrite(path, moved)
    assert "let all shards start from the store of one `plan`" in refused(whole, whole.store, other)


@pytest.mark.parametrize("first", [True, False])
def test_a_fact_stands_against_an_error(whole, other, first):
    for path in envelopes.records(other, "stages"):
        envelopes.rewrite(path, ends_as("error"))
    merged = in_store(whole, f"errors-{first}")
    stores = [str(other), str(whole.store)] if first else [str(whole.store), str(other)]
    assert merged.main("merge", *stores).code == 0
    assert files(merged) == files(whole)


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "null", '{"stages": [{"stage": "eat"}]}', '{"stages": 3}', "\x00"])
def test_damaged_results_are_absent_and_said(whole, other, text):
    damaged = envelopes.records(other, "stages")
    for path in damaged:
        path.write_text(text)
    merged = in_store(whole, f"damaged-{len(text)}-{text[:1].isalpha()}")
    answer = merged.main("merge", str(other))
    assert answer.code == 0
    assert answer.err.count("damaged, and ignored: ") == len(damaged)
    (merged.reports / "history.jsonl").unlink()  # the page shows what this folder had before
    assert merged.main("merge", str(whole.store)).code == 0
    assert files(merged) == files(whole)


def test_a_selector_that_nobody_has_resolved(whole, apart, tmp_path):
    config = tmp_path / "selector.toml"
    config.write_text(whole.config.read_text().replace('"2.1.0", "2.3.0"', '">=2; all"'))
    answer = in_store(whole, "no-selector").main("merge", *map(str, apart), "--config", str(config))
    assert answer.code == 2
    assert "the selector '>=2; all' has not been resolved yet" in answer.err
