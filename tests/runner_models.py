"""ONNX files for tests of runners, written without onnx: fields as in harness/probe/identity_model.py."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from harness.probe.identity_model import _field

ELEMENTS = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10,
    "float64": 11, "uint32": 12, "uint64": 13,
}  # fmt: skip
"""numpy's name → TensorProto.DataType."""
_STRING = 8

Value = tuple[str, str, Sequence[int | str]]
"""Name, dtype, dimensions."""


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], name: str, **attributes: int) -> bytes:
    names = [_field(1, one) for one in inputs] + [_field(2, one) for one in outputs]
    # AttributeProto: name 1, i 3, type 20 (2 is INT).
    integers = [_field(5, _field(1, key) + _field(3, number) + _field(20, 2)) for key, number in attributes.items()]
    return b"".join(names) + _field(3, name) + _field(4, operator) + b"".join(integers)


def model(
    nodes: Sequence[bytes],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    *,
    ir: int = 8,
    opset: int = 13,
    weights: Sequence[bytes] = (),
) -> bytes:
    graph = [_field(1, one) for one in nodes] + [_field(2, "graph")] + [_field(5, one) for one in weights]
    graph += [_field(11, _value(*one)) for one in inputs] + [_field(12, _value(*one)) for one in outputs]
    return _field(1, ir) + _field(7, b"".join(graph)) + _field(8, _field(1, "") + _field(2, opset))


def _value(name: str, dtype: str, dims: Sequence[int | str]) -> bytes:
    shape = b"".join(_field(1, _field(1 if isinstance(size, int) else 2, size)) for size in dims)
    return _field(1, name) + _field(2, _field(1, _field(1, {**ELEMENTS, "string": _STRING}[dtype]) + _field(2, shape)))


def identity(folder: Path, dtype: str = "float32", rank: int = 1) -> Path:
    """x → y, of any sizes."""
    dims = [f"size{axis}" for axis in range(rank)]
    return _saved(
        folder / f"identity-{dtype}-{rank}.onnx",
        model([node("Identity", ["x"], ["y"], "copy")], [("x", dtype, dims)], [("y", dtype, dims)]),
    )


def two_outputs(folder: Path) -> Path:
    """(second, first) → (z: a copy of `first`, a: the sum), in an order that no sorting gives."""
    nodes = [node("Identity", ["first"], ["z"], "copy"), node("Add", ["second", "first"], ["a"], "sum")]
    inputs = [("second", "float32", ["n"]), ("first", "float32", ["n"])]
    return _saved(folder / "two.onnx", model(nodes, inputs, [("z", "float32", ["n"]), ("a", "float32", ["n"])]))


def growing(folder: Path) -> Path:
    """(past (1, length), token (1, 1)) → present (1, length + 1): a cache as a decoder grows it."""
    nodes = [node("Concat", ["past", "token"], ["present"], "append", axis=1)]
    inputs = [("past", "float32", [1, "length"]), ("token", "float32", [1, 1])]
    return _saved(folder / "growing.onnx", model(nodes, inputs, [("present", "float32", [1, "longer"])]))


def reshaping(folder: Path) -> Path:
    """(x, shape) → y: fails in the node `cut` where the sizes do not fit."""
    nodes = [node("Reshape", ["x", "shape"], ["y"], "cut")]
    inputs = [("x", "float32", ["n"]), ("shape", "int64", ["rank"])]
    return _saved(folder / "reshaping.onnx", model(nodes, inputs, [("y", "float32", ["a", "b"])]))


def reshaping_by_a_weight(folder: Path) -> Path:
    """x → y of 2 rows; the shape is a weight, and by its place in the file an input too, as up to IR 3."""
    # TensorProto: dims 1, data_type 2, name 8, raw_data 9.
    weight = _field(1, 2) + _field(2, ELEMENTS["int64"]) + _field(8, "shape") + _field(9, struct.pack("<2q", 2, -1))
    nodes = [node("Reshape", ["x", "shape"], ["y"], "cut")]
    inputs = [("x", "float32", ["n"]), ("shape", "int64", [2])]
    content = model(nodes, inputs, [("y", "float32", ["a", "b"])], ir=3, opset=9, weights=[weight])
    return _saved(folder / "weight.onnx", content)


def words(folder: Path) -> Path:
    """x → y as text."""
    nodes = [node("Cast", ["x"], ["y"], "write", to=_STRING)]
    return _saved(folder / "words.onnx", model(nodes, [("x", "float32", ["n"])], [("y", "string", ["n"])]))


def copied_words(folder: Path) -> Path:
    """Text → the same text."""
    nodes = [node("Identity", ["x"], ["y"], "copy")]
    return _saved(folder / "copied.onnx", model(nodes, [("x", "string", ["n"])], [("y", "string", ["n"])]))


def mixed(folder: Path) -> Path:
    """Copies of a bool, an int64 and an int16, each of any length."""
    kinds = ("bool", "int64", "int16")
    nodes = [node("Identity", [f"x_{kind}"], [f"y_{kind}"], f"copy_{kind}") for kind in kinds]
    inputs = [(f"x_{kind}", kind, [f"n_{kind}"]) for kind in kinds]
    outputs = [(f"y_{kind}", kind, [f"n_{kind}"]) for kind in kinds]
    return _saved(folder / "mixed.onnx", model(nodes, inputs, outputs))


def unknown_operator(folder: Path) -> Path:
    nodes = [node("Nonesuch", ["x"], ["y"], "alien")]
    return _saved(folder / "alien.onnx", model(nodes, [("x", "float32", ["n"])], [("y", "float32", ["n"])]))


def _saved(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
