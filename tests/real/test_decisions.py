"""pin, check and bisect on the real packages, one after the other as somebody would use them."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from harness_run import ROOT, run

pytestmark = pytest.mark.real

CONFIG = """
[axes]
python = ["3.11"]
torch = ["2.13.0"]
transformers = ["4.46.3"]
onnx = ["1.17.0"]
onnxruntime = ["1.16.3"]

[[constraint]]
when = "onnxruntime<1.19"
add = ["numpy<2"]
reason = "built against numpy 1"

[variants]
exporters = ["torchscript"]
layouts = ["pair"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("decisions")
    (made / "matrix.toml").write_text(CONFIG)
    run(made, made / "matrix.toml")
    return made


def answer(folder: Path, *arguments: str, code: int) -> dict:
    command = [sys.executable, "-m", "harness", *arguments, "--quiet", "--format", "json"]
    done = subprocess.run(
        [*command, "--config", str(folder / "matrix.toml"), "--store", str(folder / "store")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def pinned(folder) -> Path:
    told = answer(folder, "pin", "--require", "onnxruntime==1.16.3", "--reports", str(folder / "reports"), code=0)
    return Path(told["folder"])


def test_a_pin_holds_what_was_run(folder, pinned):
    (cell,) = json.loads((folder / "reports" / "matrix.json").read_text())["cells"]
    lock = tomllib.loads((pinned / "pylock.toml").read_text())
    assert {package["name"]: package["version"] for package in lock["packages"]} == cell["resolved"]
    assert "IR version" in (pinned / "export-recipe.md").read_text()


def test_of_a_whole_lock_the_resolver_moves_no_more_than_it_must(folder, pinned):
    """All of a lock's pins hold at both ends; onnxruntime 1.20.1 runs with the old numpy too."""
    told = answer(folder, "check", "--from", str(pinned / "requirements.txt"), "--to", "onnxruntime==1.20.1", code=0)
    (upgrade,) = told["upgrades"]
    assert (upgrade["answer"], upgrade["forced"]) == ("SAFE", [])
    assert upgrade["target"]["resolved"]["numpy"].startswith("1.")


def test_numpy_2_is_found_to_be_what_breaks_onnxruntime_1_16(folder, pinned):
    ends = ["--axis", "numpy", "--good", "1.26.4", "--bad", "2.0.2"]
    found = answer(folder, "bisect", *ends, "--from", str(pinned / "requirements.txt"), code=0)
    (suspect,) = found["suspects"]
    assert (suspect["name"], suspect["version"]) == ("numpy", "2.0.0")
    assert suspect["date"] in {None, "2024-06-16"}  # not every index says when
    assert found["lost"][0]["stage"] == "import"
    assert found["probes"] <= 2
