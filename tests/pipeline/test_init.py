"""`init`: a first matrix for the versions that somebody has, which loads and says why each version stands there."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from project import PYTHON, harness

from harness.matrix import load

PROJECT = """\
[project]
name = "speech"
requires-python = ">=3.10"
dependencies = ["torch>=2.6,<2.10", "transformers[sentencepiece]==4.46.3", "onnxruntime==1.16.3", "numpy==1.26.4"]
[project.optional-dependencies]
export = ["onnx==1.17.0", "optimum==1.23.3"]
all = ["speech[export]"]
[dependency-groups]
dev = ["pytest", { include-group = "lint" }]
lint = ["ruff"]
"""


def written(folder: Path, *arguments: str) -> dict:
    code, out, err = harness(folder, "init", *arguments)
    assert code == 0, err
    assert out.splitlines()[0].startswith("wrote ")
    path = folder / out.splitlines()[0].removeprefix("wrote ")
    load.load(path)
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_a_project_with_extras_groups_and_loose_bounds(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    found = written(tmp_path, "--from", "pyproject.toml", "--runtime", "1.16.3")
    assert found["axes"] == {
        "python": ["3.10"],
        "torch": ["<2.10,>=2.6; latest", "; latest"],
        "transformers": ["4.46.3", "; latest"],
        "onnx": ["1.17.0", "; latest"],
        "onnxruntime": ["1.16.3"],
        "optimum": ["1.23.3", "; latest"],
    }
    assert found["variants"]["exporters"] == ["torchscript", "dynamo", "optimum"]
    text = (tmp_path / "matrix.toml").read_text(encoding="utf-8")
    assert '# numpy = ["1.26.4"]' in text


def test_a_requirements_file_without_some_of_them(tmp_path):
    (tmp_path / "requirements.txt").write_text("torch==2.1.2\nonnxruntime>=1.16  # where it runs\nonnx\n")
    found = written(tmp_path, "--from", "requirements.txt", "--output", "mine.toml", "--python", "3.11")
    assert found["axes"] == {
        "python": ["3.11"],
        "torch": ["2.1.2", "; latest"],
        "transformers": ["; latest"],
        "onnx": ["; latest"],
        "onnxruntime": [">=1.16; latest", "; latest"],
    }
    text = (tmp_path / "mine.toml").read_text(encoding="utf-8")
    assert 'onnx = ["; latest"]  # you leave it open: the newest' in text
    assert 'transformers = ["; latest"]  # not in your set: the newest' in text


def test_all_bounds_count_and_a_build_of_onnxruntime_has_its_version(tmp_path):
    (tmp_path / "requirements.txt").write_text("torch>=2.0\ntorch<2.6\nonnxruntime-gpu==1.16.3\n")
    axes = written(tmp_path, "--from", "requirements.txt")["axes"]
    assert axes["torch"] == [">=2.0,<2.6; latest", "; latest"]
    assert axes["onnxruntime"] == ["1.16.3", "; latest"]
    axes = written(tmp_path, "--output", "two.toml", "--runtime", "1.16.3", "--runtime", "1.16.3")["axes"]
    assert axes["onnxruntime"] == ["1.16.3"]


def test_a_live_environment_and_nothing_at_all(tmp_path):
    found = written(tmp_path, "--from", sys.prefix)
    assert found["axes"]["python"] == [PYTHON]
    assert written(tmp_path, "--output", "other.toml")["axes"]["torch"] == ["; latest"]


def test_a_file_that_is_there_is_kept(tmp_path):
    (tmp_path / "matrix.toml").write_text("# mine\n")
    code, _, err = harness(tmp_path, "init")
    assert code == 2
    assert "matrix.toml exists already" in err
    assert (tmp_path / "matrix.toml").read_text() == "# mine\n"
    written(tmp_path, "--force")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[project]\ndependencies = ["torch==2.1.2\\n-e /tree"]\n', "cannot read the requirement"),
        ("[project]\ndependencies = [1]\n", "expected a text, not 1"),
        ('[project]\ndependencies = ["torch @ file:///x"]\n', "names no distribution"),
        ('[project]\nname = 3\ndependencies = ["torch"]\n', "is not read as a pyproject.toml"),
        (
            '[dependency-groups]\na = [{ include-group = "b" }]\nb = [{ include-group = "a" }]\n',
            "is not read as a pyproject.toml",
        ),
        ("[project\n", "is not read as a pyproject.toml"),
        ("[tool]\n", "names no distribution"),
    ],
)
def test_a_project_that_cannot_be_read(tmp_path, content, problem):
    (tmp_path / "pyproject.toml").write_text(content)
    code, _, err = harness(tmp_path, "init", "--from", "pyproject.toml")
    assert code == 2
    assert problem in err
    assert "Traceback" not in err
    assert not (tmp_path / "matrix.toml").exists()


def test_a_name_of_a_file_is_a_comment_and_nothing_else(tmp_path):
    (tmp_path / "a\n[variants]\n.txt").write_text("torch==2.1.2\n")
    assert written(tmp_path, "--from", "a\n[variants]\n.txt")["axes"]["torch"] == ["2.1.2", "; latest"]


@pytest.mark.parametrize("version", ["latest", "1.16.3\n-e /tree"])
def test_a_runtime_is_a_version(tmp_path, version):
    code, _, err = harness(tmp_path, "init", "--runtime", version)
    assert code == 2
    assert "--runtime" in err
