"""Which interpreter a version on the python axis means."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.environments.interpreters import choose, in_pyenv, running
from harness.model import Interpreter

FOUND = [
    Interpreter(version=version, path=f"/{place}")
    for version, place in [("3.11.2", "usr"), ("3.11.10", "a"), ("3.11.10", "b"), ("3.1.0", "c"), ("3.12.0rc1", "d")]
]


@pytest.mark.parametrize(
    ("version", "path"), [("3.11", "/a"), ("3.11.2", "/usr"), ("3.1", "/c"), ("3.12", "/d"), ("3.99", None)]
)
def test_the_newest_patch_release_and_the_first_among_equals(version, path):
    found = choose(version, FOUND)
    assert (found.path if found else None) == path


def test_pyenv_is_looked_through_for_released_cpythons(tmp_path):
    for name in ("3.11.7", "3.9.18", "3.13-dev", "pypy3.10-7.3", "3.12.1"):
        (tmp_path / "versions" / name / "bin").mkdir(parents=True)
        if name != "3.12.1":
            (tmp_path / "versions" / name / "bin" / "python").touch()
    assert [python.version for python in in_pyenv(tmp_path)] == ["3.11.7", "3.9.18"]


def test_without_pyenv_there_are_none(tmp_path):
    assert in_pyenv(tmp_path / "none") == []


def test_the_running_one_is_no_virtual_environment():
    python = running()
    assert python.version == ".".join(map(str, sys.version_info[:3]))
    assert Path(python.path).exists()
    assert not (Path(python.path).parents[1] / "pyvenv.cfg").exists()
