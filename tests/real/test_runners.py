"""onnxruntime-node beside onnxruntime's Python package of the same version: the same outputs, and the same refusals."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import pytest
import uv
from node_environment import NEEDS_NODE, runner_of
from onnx import TensorProto, helper
from runner_wire import RawRunner, RefusedRequestError

pytestmark = [pytest.mark.real, NEEDS_NODE]

IN_PYTHON = """
import json, sys
import numpy as np, onnxruntime
folder, options = sys.argv[1], onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
options.log_severity_level = 4
refusals = {}
for name in json.loads(sys.argv[2]):
    inputs = dict(np.load(f"{folder}/{name}.inputs.npz"))
    try:
        session = onnxruntime.InferenceSession(f"{folder}/{name}.onnx", options, providers=["CPUExecutionProvider"])
        outputs = session.run(None, inputs)
    except Exception as error:
        refusals[name] = str(error)
    else:
        np.savez(f"{folder}/{name}.outputs.npz", **dict(zip([one.name for one in session.get_outputs()], outputs)))
print(json.dumps(refusals))
"""
_PREFIX = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : ")
RANDOM = np.random.default_rng(17)


def attention() -> Any:
    """softmax(x·w)·x: what a decoder computes most, in several kinds of nodes that onnxruntime fuses."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["h", "t"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "x"], ["y"]),
    ]
    weight = onnx_models.weight("w", RANDOM.standard_normal((32, 32), np.float32))
    x, y = (onnx_models.value(name, ("n", 32)) for name in "xy")
    return onnx_models.model(nodes, [x], [y], weights=[weight], ir=8, opsets={"": 17})


def kinds() -> Any:
    """A gather by int64, a comparison to bool, an argmax, and a scalar."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("Greater", ["rows", "zero"], ["positive"]),
        helper.make_node("ArgMax", ["rows"], ["best"], axis=-1),
        helper.make_node("ReduceSum", ["rows"], ["sum"], keepdims=0),
    ]
    weights = [
        onnx_models.weight("table", RANDOM.standard_normal((9, 4), np.float32)),
        onnx_models.weight("zero", np.float32(0)),
    ]
    outputs = [
        onnx_models.value("sum", ()),
        onnx_models.value("best", ("n", 1), onnx_models.INT),
        onnx_models.value("positive", ("n", 4), onnx_models.BOOL),
    ]
    ids = onnx_models.value("ids", ("n",), onnx_models.INT)
    return onnx_models.model(nodes, [ids], outputs, weights=weights, ir=8, opsets={"": 17})


def merged() -> Any:
    """The If of a merged decoder, whose cached branch returns an empty cross-attention cache."""
    made = onnx_models.merged(np.zeros((0, 2, 1, 8), np.float32))
    made.ir_version = 8
    del made.opset_import[:]
    made.opset_import.append(helper.make_opsetid("", 17))
    return made


def reshape() -> Any:
    shape = onnx_models.weight("shape", np.array([4, -1]))
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"], name="cut")]
    x, y = onnx_models.value("x", ("n",)), onnx_models.value("y", (4, "m"))
    return onnx_models.model(nodes, [x], [y], weights=[shape], ir=8, opsets={"": 17})


X = RANDOM.standard_normal((5, 32)).astype(np.float32)
PAST = RANDOM.standard_normal((1, 2, 3, 8)).astype(np.float32)
MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "attention": (attention(), {"x": X}),
    "nothing": (attention(), {"x": X[:0]}),
    "kinds": (kinds(), {"ids": np.array([3, 0, 8])}),
    "first": (merged(), {"x": PAST, "past_key_values.0.encoder.key": PAST, "use_cache_branch": np.array([False])}),
    "cached": (merged(), {"x": PAST, "past_key_values.0.encoder.key": PAST, "use_cache_branch": np.array([True])}),
    "fits": (reshape(), {"x": np.ones(8, np.float32)}),
    "misfit": (reshape(), {"x": np.ones(7, np.float32)}),
    "wrong type": (reshape(), {"x": np.ones(8)}),
    "future": (onnx_models.identity(ir=8, opsets={"": 999}), {"x": np.ones((1, 4), np.float32)}),
    "unknown": (
        onnx_models.model(
            [helper.make_node("Nonesuch", ["x"], ["y"])],
            [onnx_models.value("x")],
            [onnx_models.value("y")],
            ir=8,
            opsets={"": 17},
        ),
        {"x": np.ones((1, 4), np.float32)},
    ),
    "element": (
        onnx_models.model(
            [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.BOOL)],
            [onnx_models.value("x")],
            [onnx_models.value("y", element=TensorProto.BOOL)],
            ir=8,
            opsets={"": 17},
        ),
        {"x": np.array([[0, 1, np.nan, -1]], np.float32)},
    ),
}
"""Name → the model, and inputs; some models and inputs are refused."""

Outcomes = dict[str, dict[str, Any] | str]
"""Name of a model → its outputs in order, or the refusal."""


@pytest.fixture(scope="module", params=["1.16.3", "latest"])
def both(request, tmp_path_factory) -> tuple[Outcomes, Outcomes]:
    """What Node.js and Python make of all models."""
    folder = tmp_path_factory.mktemp("models")
    for name, (model, inputs) in MODELS.items():
        onnx_models.saved(folder / f"{name}.onnx", model)
        np.savez(folder / f"{name}.inputs.npz", **inputs)
    with RawRunner(runner_of(request.param, tmp_path_factory.mktemp("npm"))) as runner:
        version = runner.hello()["versions"]["onnxruntime-node"]
        in_node = {name: outcome_in_node(runner, folder / f"{name}.onnx", inputs) for name, (_, inputs) in MODELS.items()}
    return in_node, outcomes_in_python(version, folder, tmp_path_factory.mktemp("venv"))


def outcome_in_node(runner: RawRunner, path: Path, inputs: dict[str, Any]) -> dict[str, Any] | str:
    try:
        values = runner.run(runner.load(path), **inputs)
        return dict(zip(values, runner.read(*values.values()), strict=True))
    except RefusedRequestError as refusal:
        return f"{refusal.kind}: {refusal}"


def outcomes_in_python(version: str, folder: Path, environment: Path) -> Outcomes:
    def run(*command: str | Path) -> str:
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    python = environment / "bin" / "python"
    run(uv.find_uv_bin(), "venv", "--allow-existing", "--python", "3.11", environment)
    numpy = "numpy<2" if version.startswith("1.16.") else "numpy"
    run(uv.find_uv_bin(), "pip", "install", "--python", python, f"onnxruntime=={version}", numpy)
    refusals = json.loads(run(python, "-c", IN_PYTHON, folder, json.dumps([*MODELS])))
    return {name: refusals.get(name) or dict(np.load(folder / f"{name}.outputs.npz")) for name in MODELS}


@pytest.mark.parametrize("name", MODELS)
def test_both_give_the_same(both, name):
    node, python = (outcomes[name] for outcomes in both)
    if isinstance(python, str):
        assert node == "runtime: " + _PREFIX.sub("", python, count=1)
        return
    assert [*node] == [*python]
    for output, array in python.items():
        assert (node[output].dtype, node[output].shape) == (array.dtype, array.shape)
        np.testing.assert_allclose(node[output], array, rtol=1e-6, atol=1e-6)


def test_some_of_the_models_are_refused(both):
    refused = {"misfit", "wrong type", "future", "unknown"}
    assert {name for name, outcome in both[0].items() if isinstance(outcome, str)} == refused
