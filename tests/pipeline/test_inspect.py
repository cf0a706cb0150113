"""`inspect` as somebody runs it who has installed the project: in an empty folder, on files of strangers."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import external, identity, merged, model, saved, value

ROOT = Path(__file__).resolve().parents[2]
LIMITS = json.loads((ROOT / "reports" / "runtimes.json").read_text(encoding="utf-8"))["runtimes"]


def inspect(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", "inspect", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_a_model_above_the_limits_of_some(tmp_path):
    saved(tmp_path / "model.onnx", identity(ir=10))
    code, out, err = inspect(tmp_path, "model.onnx")
    assert (code, err) == (0, "")
    reads = [version for version, limit in LIMITS.items() if limit["ir"] >= 10]
    refuses = [version for version, limit in LIMITS.items() if limit["ir"] < 10]
    title = out.splitlines()[0]
    assert title == f"IR 10, opset 18: onnxruntime {reads[0]} and later read it; {refuses[-1]} and older do not"
    assert "in published reports it mended" in out
    assert "ir-version 9 for onnxruntime" in out
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_the_command_that_is_suggested_works(tmp_path):
    saved(tmp_path / "my model.onnx", identity(ir=10))
    _, out, _ = inspect(tmp_path, "my model.onnx", "--runtime", "1.16.3")
    (line,) = [line for line in out.splitlines() if "apply it: " in line]
    command = shlex.split(line.partition("apply it: ")[2])
    subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, check=True)
    assert onnx.load(tmp_path / "my model.ir9.onnx").ir_version == 9
    assert inspect(tmp_path, "my model.ir9.onnx", "--runtime", "1.16.3")[0] == 0


@pytest.mark.parametrize(
    ("runtimes", "code"),
    [(["1.16.3"], 1), (["1.18.1"], 0), (["1.18.1", "1.16.3"], 1), (["1.18.1", "1.20.1"], 0)],
)
def test_the_exit_code_is_about_the_runtimes_that_are_named(tmp_path, runtimes, code):
    saved(tmp_path / "model.onnx", identity(ir=10))
    options = [word for version in runtimes for word in ("--runtime", version)]
    found = inspect(tmp_path, "model.onnx", *options, "--format", "json")
    assert found[0] == code
    data = json.loads(found[1])
    assert list(data["limits"]) == sorted(runtimes)
    assert [answer["version"] for answer in data["models"][0]["runtimes"]] == sorted(runtimes)


@pytest.mark.parametrize(
    ("opsets", "domain", "code"),
    [({"ai.onnx.ml": 3}, "", 0), ({"ai.onnx.ml": 4}, "", 1), ({"my.own": 1}, "", 0), ({"my.own": 1}, "my.own", 3)],
)
def test_what_is_not_known_has_a_code_of_its_own(tmp_path, opsets, domain, code):
    made = identity(ir=8, opsets={"": 17, **opsets})
    made.graph.node[0].domain = domain
    saved(tmp_path / "model.onnx", made)
    assert inspect(tmp_path, "model.onnx", "--runtime", "1.16.3")[0] == code
    assert inspect(tmp_path, "model.onnx")[0] == 0


@pytest.mark.parametrize(("kind", "code"), [(TensorProto.FLOAT, 0), (TensorProto.BFLOAT16, 3), (TensorProto.INT4, 1)])
def test_the_first_line_and_the_exit_code_are_about_kernels_and_types_too(tmp_path, kind, code):
    product = helper.make_node("MatMul", ["x", "x"], ["y"])
    given = value("x", (2, 2), kind)
    saved(tmp_path / "model.onnx", model([product], [given], [value("y", (2, 2), kind)], ir=8, opsets={"": 17}))
    found, out, _ = inspect(tmp_path, "model.onnx", "--runtime", "1.16.3")
    said = {0: "reads it", 3: "may read it", 1: "refuses it"}[code]
    assert (found, out.splitlines()[0]) == (code, f"IR 8, opset 17: onnxruntime 1.16.3 {said}")


def test_several_models_have_one_answer(tmp_path):
    saved(tmp_path / "encoder.onnx", identity(ir=8))
    saved(tmp_path / "decoder.onnx", merged(np.zeros((0, 2, 1, 8), dtype=np.float32)))
    code, out, _ = inspect(tmp_path, "encoder.onnx", "decoder.onnx", "--format", "markdown")
    assert code == 0
    assert out.startswith("# 2 models: onnxruntime ")
    assert "and later read them all" in out
    assert "## decoder.onnx: IR 10" in out
    assert "returns 1 empty tensors (present.0.encoder.key)" in out
    assert inspect(tmp_path, "encoder.onnx", "decoder.onnx", "--runtime", "1.16.3")[0] == 1


def test_data_outside_of_the_folder_are_named_and_not_looked_at(tmp_path):
    weights = [external(f"w{number}", (4,), location="../secret") for number in range(2)]
    saved(tmp_path / "model" / "model.onnx", identity(ir=8, weights=weights))
    code, out, _ = inspect(tmp_path / "model", "model.onnx")
    refuses = [version for version, limit in LIMITS.items() if limit["external"]["outside"]]
    assert (code, refuses != []) == (0, True)
    assert f"{refuses[0]} and later do not" in out.splitlines()[0]
    assert "../secret: outside of the folder of the model" in out


@pytest.mark.parametrize(
    ("content", "problem"), [(b"", "is empty"), (b"\xff" * 50, "no ONNX model"), (b"version https://git-lfs", "Git LFS")]
)
def test_another_file_is_one_sentence(tmp_path, content, problem):
    (tmp_path / "model.onnx").write_bytes(content)
    saved(tmp_path / "good.onnx", identity())
    code, out, err = inspect(tmp_path, "good.onnx", "model.onnx")
    assert (code, out) == (2, "")
    assert err.startswith("error: model.onnx ")
    assert problem in err
    assert err.count("\n") == 1


def test_a_runtime_that_was_not_measured_is_refused(tmp_path):
    saved(tmp_path / "model.onnx", identity())
    code, _, err = inspect(tmp_path, "model.onnx", "--runtime", "1.16.1")
    assert code == 2
    assert "the limits of onnxruntime 1.16.1 were not measured; those of 1.14.1, " in err
    code, _, err = inspect(tmp_path, "missing.onnx")
    assert (code, err) == (2, "error: missing.onnx: No such file or directory\n")


def test_hostile_names_do_nothing_where_they_are_shown(tmp_path):
    made = identity()
    made.producer_name = "\x1b]0;x\x07\u202e::error::x"
    made.graph.input[0].name = made.graph.node[0].input[0] = "x\x1b[2J\n::error::y"
    made.graph.node[0].op_type = "<img src=x>"
    made.graph.node[0].domain = "d\x1b[31m"
    saved(tmp_path / "model.onnx", made)
    for name in ("text", "markdown", "github"):
        code, out, _ = inspect(tmp_path, "model.onnx", "--format", name)
        assert code == 0
        assert not {"\x1b", "\x07", "\u202e"} & set(out)
        assert "\n::error" not in out
    assert "<img" not in inspect(tmp_path, "model.onnx", "--format", "markdown")[1]
