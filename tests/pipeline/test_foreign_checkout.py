"""`python -m harness` in a folder with modules of somebody else: it imports none of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project import RUNNER, harness

ROOT = RUNNER.parents[1]
MODULES = ("argcomplete", "argparse", "covertable", "json", "packaging", "psutil", "pydantic", "rich", "tomllib", "uv")
OPTIONAL = ("distributed", "email_validator", "fsspec")
"""Not found elsewhere, if they are not installed."""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """Every module there, and a plugin of pydantic, leaves a file when it is imported."""
    left = tmp_path / "imported"
    left.mkdir()
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in (*MODULES, *OPTIONAL, "plugin"):
        (folder / f"{name}.py").write_text(f"open({str(left / name)!r}, 'w')\nraise SystemExit(0)\n", encoding="utf-8")
    described = folder / "foreign.egg-info"
    described.mkdir()
    (described / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n", encoding="utf-8")
    (described / "entry_points.txt").write_text("[pydantic]\nplugin = plugin:plugin\n", encoding="utf-8")
    (folder / "requirements.txt").write_text("torch==2.1.0\n", encoding="utf-8")
    return folder


@pytest.fixture
def imported(tmp_path):
    """Returns the modules of the checkout that were imported so far."""
    return lambda: sorted(path.name for path in (tmp_path / "imported").iterdir())


def test_modules_beside_the_requirements(checkout, imported):
    code, _, err = harness(checkout, "check", "--from", "requirements.txt")
    assert (code, imported()) == (2, [])
    assert "requirements.txt has torch; transformers, onnx, onnxruntime missing" in err
    code, out, _ = harness(checkout, "lookup", "No module named 'foo'")
    assert (code, imported()) == (1, [])
    assert out.startswith("unknown: no published report has this message")


def python(folder: Path, *arguments: str, path: str) -> subprocess.CompletedProcess[str]:
    """Python in `folder`, with this PYTHONPATH."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": path}, check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("path", [f"{os.pathsep}{ROOT}", f"{ROOT}{os.pathsep}", f".{os.pathsep}{ROOT}"])
def test_the_current_folder_in_pythonpath(checkout, imported, path):
    script = ["-c", "import sys; from harness.__main__ import main; sys.exit(main(['show', 'nothing']))"]
    for arguments in (["-m", "harness", "show", "nothing"], ["-P", "-m", "harness", "show", "nothing"], ["-P", *script]):
        done = python(checkout, *arguments, path=path)
        assert (done.returncode, imported()) == (2, []), done.stderr


def test_the_folder_in_which_the_program_lies(checkout, imported):
    """It is found there, as in a clone that is not installed, and is found again by processes that dask starts."""
    shutil.copytree(ROOT / "harness", checkout / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "matrix.toml", checkout)
    for name in (*OPTIONAL, "plugin"):
        (checkout / f"{name}.py").unlink()
    done = python(checkout, "-m", "harness", "check", "--from", "requirements.txt", path="")
    assert (done.returncode, imported()) == (2, []), done.stderr
    assert "requirements.txt has torch; transformers, onnx, onnxruntime missing" in done.stderr
    places = f"import sys, harness.__main__; print(sys.path.count({str(checkout)!r}), sys.path[-1])"
    done = python(checkout, "-c", places, path="")
    assert done.stdout == f"1 {checkout}\n"
