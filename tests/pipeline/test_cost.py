"""What `plan`, `run`, `check` and `bisect` say of downloads, disk and time before anything is fetched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import packages
import pytest
from http_index import Index, serving
from project import Answer, Project

BIG = "x" * 300_000
"""Makes the wheel of a distribution larger than all others together; wheels of tests are not compressed."""
TARGET = "torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.16.3\n"


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, uv_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv's cache holds nothing but what it knows of the interpreters."""
    for known in uv_cache.glob("interpreter-*"):
        shutil.copytree(known, tmp_path / "uv-cache" / known.name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))


@pytest.fixture
def index(project: Project) -> Iterator[Index]:
    """The project's index over HTTP. Its pages name no sizes, as those of PyTorch's own index."""
    with serving(project.index) as index:
        index.publish(packages.package("bignum", "1.0", body=f"_BIG = {BIG!r}"), packages.torch(requires=("sympy", "bignum")))
        configure(project, index)
        yield index


def configure(project: Project, index: Index, axes: dict[str, list[str]] | None = None) -> None:
    project.configure(axes, uv={"default-index": index.url, "torch-backend": "default"})


def cost(project: Project, *arguments: str) -> dict[str, object]:
    """What a plan says of its cost."""
    answer = project.main("plan", "--format", "json", *arguments)
    assert answer.code == 0, answer.err
    read: dict[str, object] = json.loads(answer.out)["cost"]
    return read


def fetched(index: Index) -> list[str]:
    """The wheels that were downloaded."""
    return [name.rpartition("/")[2] for name in index.fetched if name.endswith(".whl")]


def needed(project: Project) -> int:
    """Bytes of the wheels in the cell's lock."""
    unused = ("numpy-1.26.4", "onnxscript")
    return sum(path.stat().st_size for path in project.index.glob("*.whl") if not path.name.startswith(unused))


def messages(answer: Answer) -> list[str]:
    return [line for line in answer.err.splitlines() if line.startswith("to download: ")]


def test_a_plan_says_what_is_fetched_and_fetches_nothing(project, index):
    planned = cost(project)
    assert planned["download_bytes"] == needed(project)
    assert planned["files"] == len(list(project.index.glob("*.whl"))) - 2
    assert planned["files_of_unknown_size"] == 0
    assert planned["disk_bytes"] > planned["download_bytes"]
    assert fetched(index) == []


def test_what_uv_holds_is_not_fetched_and_does_not_count(project, index, tmp_path):
    foretold = cost(project)["files"]
    project.run()
    assert len(set(fetched(index))) == foretold
    project.store = tmp_path / "another store"
    again = cost(project)
    assert (again["download_bytes"], again["files"], again["disk_bytes"]) == (0, 0, 0)
    index.publish(packages.onnxruntime("1.17.0"))
    configure(project, index, {"onnxruntime": ["1.16.3", "1.17.0"]})
    (added,) = project.index.glob("onnxruntime-1.17.0*")
    assert cost(project)["download_bytes"] == added.stat().st_size


def test_a_wheel_for_another_python_does_not_count_as_held(project, index, uv_cache, tmp_path):
    project.run()
    for pointer in (tmp_path / "uv-cache").glob("wheels-v*/index/*/bignum/*.http"):
        pointer.write_bytes(pointer.read_bytes().replace(b"-py3-none", b"-py2-none"))
    project.store = tmp_path / "another store"
    assert cost(project)["files"] == 1


def test_a_size_that_nobody_says_is_counted_as_unknown(project, index):
    index.sizes = False
    planned = cost(project)
    assert planned["files_of_unknown_size"] == planned["files"] > 0
    assert planned["download_bytes"] == 0
    assert f"the size of {planned['files']} is not known" in project.main("plan").out


def test_the_time_is_a_guess_until_the_store_has_measured_an_export(project, index):
    before = cost(project)
    assert not before["seconds_measured"]
    assert "a guess" in project.main("plan").out
    project.run()
    index.publish(packages.torch("2.2.0"))
    configure(project, index, {"torch": ["2.1.0", "2.2.0"]})
    after = cost(project)
    assert after["seconds_measured"]
    assert "as measured in this store" in project.main("plan").out


def test_more_probes_at_once_need_less_time(project, index):
    index.publish(packages.torch("2.2.0"))
    configure(project, index, {"torch": ["2.1.0", "2.2.0"]})
    project.config.write_text(project.config.read_text().replace("[run]", "[run]\njobs = 1"))
    alone = cost(project)
    project.config.write_text(project.config.read_text().replace("jobs = 1", "jobs = 2"))
    together = cost(project)
    assert (alone["probes"], together["probes"]) == (1, 2)
    assert together["seconds"][0] == alone["seconds"][0] / 2


def test_what_is_known_costs_nothing(project, index):
    project.run()
    assert cost(project) is None
    assert messages(project.main("run")) == []


def test_a_run_says_its_cost_first(project, index):
    answer = project.main("run")
    (message,) = messages(answer)
    assert "disk: " in message
    assert "time: " in message
    assert answer.err.index(message) < answer.err.index("tasks to do")


def test_check_and_bisect_say_what_a_further_round_fetches(project, index):
    requirements = project.root / "requirements.txt"
    requirements.write_text(TARGET)
    index.publish(packages.onnxruntime("1.17.0"))
    checked = project.main("check", "--from", str(requirements), "--to", "onnxruntime==1.17.0")
    assert checked.code == 0, checked.err
    assert len(messages(checked)) == 1
    index.publish(*(packages.onnx(version, on_import="raise ImportError('no')") for version in ("1.17.0", "1.18.0")))
    bisected = project.main(
        "bisect", "--from", str(requirements), "--axis", "onnx", "--good", "1.16.2", "--bad", "1.18.0", "--jobs", "1"
    )
    assert bisected.code == 0, bisected.err
    assert len(messages(bisected)) == 2
    assert all("(1 file)" in message for message in messages(bisected))


def test_a_run_that_the_disk_does_not_hold_fetches_nothing(project, index, monkeypatch):
    usage = shutil.disk_usage(project.root)
    monkeypatch.setattr("harness.execution.cost.shutil.disk_usage", lambda _place: usage._replace(free=300_000))
    answer = project.main("run")
    assert answer.code == 3
    assert "has 300 kB free; nothing was fetched" in answer.err
    assert "--no-disk-check" in answer.err
    assert fetched(index) == []
    assert not list(project.reports.glob("*"))
    assert project.main("run", "--no-disk-check").code == 0
    assert fetched(index)


def test_offline_nothing_is_asked(project, index):
    assert cost(project)["files"]
    asked = len(index.asked)
    planned = cost(project, "--offline")
    assert planned["files"] == 0
    assert len(index.asked) == asked
