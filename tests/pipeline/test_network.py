"""An index that does not answer proves nothing: errors, exit code 0, and nothing remembered."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace

import loopback
import packages
import pytest
from project import Project

from harness.environments.uv.client import Uv

BROKEN = {"no-index": False, "torch-backend": "default"}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")


@contextlib.contextmanager
def answering(code: int) -> Iterator[str]:
    """The address of an index that answers everything with `code`."""

    class Refusing(loopback.Handler):
        def answer(self) -> None:
            self.send_error(code)

    with loopback.index(Refusing) as address:
        yield address


@pytest.fixture
def refuses() -> str:
    """An address where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/simple/"


@pytest.fixture(params=[401, 403, 500, None])
def broken_index(request: pytest.FixtureRequest) -> Iterator[str]:
    """An index that refuses whoever asks, that is broken, or that is not there."""
    if request.param is None:
        yield request.getfixturevalue("refuses")
        return
    with answering(request.param) as address:
        yield address


def test_cells_end_in_errors_that_are_not_remembered(project: Project, broken_index):
    project.configure(uv={"default-index": broken_index, **BROKEN})
    answer = project.main("run")
    assert answer.code == 3, answer.err
    (cell,) = project.cells().values()
    assert cell["status"] == "error"
    assert {(variant["status"], variant["stage"]) for variant in cell["variants"]} == {("error", "resolve")}
    assert "127.0.0.1" in cell["variants"][0]["error"]
    assert list((project.store / "results").rglob("*.json")) == []
    assert project.main("run", "--fail-on", "error").code == 1
    assert project.main("run", "--fail-on", "fails").code == 3


def test_a_selector_cannot_be_resolved(project: Project, broken_index):
    project.configure({"torch": [">=2; latest"]}, uv={"default-index": broken_index, **BROKEN})
    answer = project.main("run")
    assert answer.code == 2
    assert "could not find out what is published" in answer.err
    assert list((project.store / "results").rglob("*.json")) == []


def test_what_is_known_needs_no_index(project: Project, refuses):
    project.run()
    sources = {"no-index": False, "torch-backend": "default", "find-links": [str(project.index)], "default-index": refuses}
    project.configure(uv=sources)
    assert {cell["status"] for cell in project.run().values()} == {"error"}
    project.configure()
    assert {cell["status"] for cell in project.run().values()} == {"works"}


@pytest.mark.parametrize("code", [401, 403])
def test_an_index_that_refuses_a_transitive_distribution_proves_nothing(project: Project, code):
    (project.index / "flatbuffers-24.3.25-py3-none-any.whl").unlink()
    with answering(code) as address:
        project.configure(
            uv={"find-links": [str(project.index)], "default-index": address, "no-index": False, "torch-backend": "default"}
        )
        (cell,) = project.run().values()
    assert (cell["status"], cell["variants"][0]["stage"]) == ("error", "resolve")
    assert list((project.store / "results").rglob("*.json")) == []


def test_offline_asks_no_index(project: Project, refuses):
    project.configure(uv={"default-index": refuses, **BROKEN})
    answer = project.main("run", "--offline")
    assert answer.code == 3
    (cell,) = project.cells().values()
    assert cell["status"] == "error"


def test_torch_backend_auto_is_decided_in_one_line(project: Project):
    # Without an index, PyTorch's is not asked.
    project.configure(uv={"no-index": True, "find-links": [str(project.index)]})
    answer = project.main("run")
    assert answer.code == 0
    (line,) = [line for line in answer.err.splitlines() if line.startswith("torch:")]
    assert "the default index" in line
    assert "torch-backend overrides" in line
    assert project.report()["torch"] == "default index"


def test_where_torch_comes_from_is_decided_once(project: Project, monkeypatch):
    answers = [True]
    monkeypatch.setattr(Uv, "cpu_builds_answer", lambda *_: answers[0])
    # The backend would name PyTorch's index, which no test asks.
    arguments = Uv._source_options
    monkeypatch.setattr(Uv, "_source_options", lambda uv: arguments(replace(uv, torch_backend=None)))
    auto = {"no-index": True, "find-links": [project.index.name]}
    project.publish(packages.onnxruntime("1.17.0"))
    project.configure(uv=auto)
    project.run()
    answers[0] = False
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]}, uv=auto)
    answer = project.main("run")
    assert answer.err.startswith("torch: cpu builds from PyTorch's index, as decided on ")
    assert (project.report()["torch"], len(project.starts("export"))) == ("cpu", 1)
    project.main("run", "--refresh")
    assert project.report()["torch"] == "default index"
    assert project.main("report").code == 0
    assert project.report()["torch"] == "default index"
