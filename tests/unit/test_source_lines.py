"""Which line of a file names a version."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.source_lines import NOWHERE, FilePlace, Places, line_in, line_of

REQUIREMENTS = """\
# torch==9
Torch==2.1.0 \\
    --hash=sha256:00
onnx-runtime-extensions==1.0  # not onnxruntime
onnxruntime>=1.16 # the oldest
My_Package[extra] ; python_version < "4"
twice==1; python_version < "3.12"
twice==2; python_version >= "3.12"
bare
"""
PYPROJECT = """\
[project]
name = "torch"
keywords = ["onnx"]
description = '''
[project]
dependencies = ["numpy==1"]
'''
dependencies = [
  "torch>=2",  # "onnx"
  "transformers[torch] >=4.46",
]
[project.optional-dependencies]
onnx = ["onnx==1.16.2"]
[dependency-groups]
dev = ["torch"]
[tool.other]
names = ["onnx", "pytest"]
"""
UV_LOCK = """\
requires-python = ">=3.11"
[[package]]
name = "onnx"
version = "1.16.2"
dependencies = [
    { name = "numpy" },
]
[[package]]
name = "numpy"
version = "1.26.4"
[[package]]
name = "twice"
version = "1"
[[package]]
name = "twice"
version = "2"
"""
PYLOCK = """\
[[packages]]
name = "onnx"
version = "1.16.2"
[[packages.wheels]]
name = "numpy"
"""
MATRIX = """\
# "2.0"
[axes]
torch = [
  "2.1", # "2.3"
  "2.0",
]
"onnx" = ["1.0", ">=1.1; latest"]
[[exclude]]
torch = "2.2"
numpy = "2.1"
"""


@pytest.mark.parametrize(
    ("file", "text", "lines"),
    [
        (
            "requirements.txt",
            REQUIREMENTS,
            {"torch": 2, "onnxruntime": 5, "my-package": 6, "bare": 9, "twice": None, "onnx": None},
        ),
        ("pyproject.toml", PYPROJECT, {"transformers": 10, "onnx": 13, "torch": None, "numpy": None}),
        ("uv.lock", UV_LOCK, {"onnx": 3, "numpy": 9, "twice": None}),
        ("pylock.toml", PYLOCK, {"onnx": 2, "numpy": None}),
        ("matrix.toml", MATRIX, {"torch": 3, "onnx": 7, "numpy": None}),
        ("matrix-of-another-suffix", MATRIX, {"torch": 3, "onnx": 7}),
        ("windows.txt", "a==1\r\ntorch==2\r\n", {"torch": 2}),
        ("a-form-feed-ends-no-line.txt", "a==1\f\ntorch==2\n", {"torch": 2}),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "",
)
def test_a_line_counts_where_it_is_certainly_the_one(file, text, lines):
    assert {wanted: line_of(Path(file), text, wanted) for wanted in lines} == lines


def test_a_version_of_an_axis_is_found_at_its_line():
    found = {version: line_of(Path("matrix.toml"), MATRIX, "torch", version) for version in ("2.0", "2.1", "2.2", "2.3")}
    # Of a version that a selector stands for, the line of the axis.
    assert found == {"2.0": 5, "2.1": 4, "2.2": 3, "2.3": 3}
    assert line_of(Path("matrix.toml"), MATRIX, "onnx", "1.0") == 7


def test_the_first_name_that_has_a_line_else_the_first_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "new.txt").write_text("torch==2.4\n")
    (tmp_path / "old.txt").write_text("onnx==1\ntorch==2.1\n")
    places = Places([Path("sub/new.txt"), tmp_path / "old.txt"])
    assert places.of(["torch", "onnx"]) == FilePlace(file="sub/new.txt", line=1)
    assert places.of(["numpy", "onnx"]) == FilePlace(file="old.txt", line=1)
    assert places.of(["numpy"]) == places.of() == FilePlace(file="sub/new.txt")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_line_of_a_file_that_windows_has_written(tmp_path, encoding):
    path = tmp_path / "r.txt"
    path.write_bytes("torch==2.1\r\nonnx==1\r\n".encode(encoding))
    assert [line_in(path, name) for name in ("torch", "onnx")] == [1, 2]


def test_what_has_no_lines_or_lies_elsewhere_is_no_place(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "outside.txt").write_text("torch==2\n")
    (tmp_path / "here" / "bytes.txt").write_bytes(b"\xfftorch==2\n")
    paths = [tmp_path / "outside.txt", Path("../outside.txt"), Path(), Path("nothing.txt"), Path("bytes.txt")]
    assert Places(paths).of(["torch"]) == NOWHERE.of(["torch"]) == FilePlace()
    # A line is known all the same.
    assert line_in(tmp_path / "outside.txt", "torch") == 1
    assert line_in(Path("nothing.txt"), "torch") is None
