"""An interpreter that the machine lacks is installed by uv, for commands that run something, and where it may."""

from __future__ import annotations

import json
from pathlib import Path

import packages
import pytest
import python_mirror
from project import AXES, PYTHON, Project

from harness.environments import interpreters
from harness.model import Interpreter

HERE = f"py{PYTHON.replace('.', '')}-t210-tf4463-o1162-r1163"
MISSING = f"no CPython {PYTHON} on this machine (uv and pyenv were asked)"
OTHER = Interpreter(version="3.1.0", path="/nowhere/python3.1")


@pytest.fixture
def bare(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project on a machine without the interpreter of its only cell, which uv can download."""
    for name, value in python_mirror.made(tmp_path / "mirror").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("UV_PYTHON_DOWNLOADS")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(interpreters, "in_pyenv", list)
    monkeypatch.setattr(interpreters, "running", lambda: OTHER)
    return project


def installed(project: Project) -> list[str]:
    folder = project.root / "mirror" / "pythons"
    return [path.name for path in folder.glob(f"cpython-{python_mirror.VERSION}-*")]


def test_it_is_installed_where_uv_keeps_its_own_and_a_second_run_finds_it(bare):
    answer = bare.main("run")
    assert answer.code == 0, answer.err
    assert [cell["status"] for cell in bare.cells().values()] == ["works"]
    assert f"no CPython {PYTHON} on this machine: uv installs one ([run] python-downloads)" in answer.err
    assert len(installed(bare)) == 1
    again = bare.main("run")
    assert (again.code, "uv installs one" in again.err) == (0, False)


def test_it_is_there_before_a_selector_is_resolved(bare):
    bare.publish(packages.package("optimum", "1.0"))
    bare.configure({"optimum": ["; latest"]})
    answer = bare.main("run")
    assert answer.code == 0, answer.err
    assert bare.main("report").code == 0
    assert [cell["status"] for cell in bare.cells().values()] == ["works"]


@pytest.mark.parametrize("command", ["plan", "report", "explain", "doctor"])
def test_what_runs_nothing_downloads_nothing(bare, command):
    answer = bare.main(command, *([HERE] if command == "explain" else []))
    assert answer.code in {0, 3}, answer.err
    assert installed(bare) == []
    if command == "doctor":
        assert "a run has uv download and install it" in answer.out
    else:
        assert f"{MISSING}; a run lets uv install it" in answer.out + answer.err


def test_only_what_is_selected_is_installed(bare):
    bare.publish(packages.package("optimum", "1.0"))
    bare.configure({"python": [PYTHON, "3.1"], "optimum": ["; latest", "1.0"]})
    assert bare.main("run", "--select", "python==3.1").code != 0
    assert installed(bare) == []


@pytest.mark.parametrize(
    ("table", "variable", "reason"),
    [
        ("never", {}, '[run] python-downloads is "never"'),
        ("auto", {"UV_PYTHON_DOWNLOADS": "never"}, "uv's own setting python-downloads is 'never'"),
        ("auto", {"UV_PYTHON_DOWNLOADS": "manual"}, "uv's own setting python-downloads is 'manual'"),
        ("auto", {"UV_PYTHON_DOWNLOADS": "false"}, "uv's own setting python-downloads is 'never'"),
        ("auto", {"UV_OFFLINE": "1"}, "no network is asked (--offline)"),
    ],
)
def test_where_it_may_not(bare, monkeypatch, table, variable, reason):
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    bare.configure(run={"python-downloads": table})
    answer = bare.main("run")
    assert answer.code == 3
    assert installed(bare) == []
    (cell,) = bare.cells().values()
    assert cell["variants"][0]["reason"] == f"{MISSING}; {reason}, and 'uv python install {PYTHON}' gets one"


def test_where_the_mirror_lacks_it_the_cell_has_the_sentence_of_uv(bare, tmp_path):
    (tmp_path / "mirror" / "cpython.tar.gz").unlink()
    bare.configure({"python": [PYTHON, "3.1"]})
    answer = bare.main("run")
    assert answer.code == 3
    reasons = [cell["variants"][0]["reason"] for cell in bare.cells().values()]
    start = f"{MISSING}, and uv could not install one: Failed to install cpython-{python_mirror.VERSION}-"
    assert reasons[0].startswith(start)
    assert "No such file or directory" in reasons[0]
    assert "\n" not in reasons[0]
    assert start in answer.err


def test_what_a_report_has_is_not_lost(bare, monkeypatch):
    bare.main("run")
    before = json.loads((bare.reports / "matrix.json").read_text())
    bare.configure({"python": ["3.99"]})
    assert bare.main("run").code == 3
    assert json.loads((bare.reports / "matrix.json").read_text()) == before


def test_a_check_has_it_installed_too(bare, tmp_path):
    current = tmp_path / "requirements.txt"
    current.write_text("".join(f"{name}=={versions[0]}\n" for name, versions in AXES.items() if name != "python"))
    bare.configure({"python": ["3.1"]})
    answer = bare.main("check", "--from", str(current), "--python", PYTHON, "--to", "transformers==4.46.3")
    assert answer.code == 0, answer.err + answer.out
    assert len(installed(bare)) == 1
