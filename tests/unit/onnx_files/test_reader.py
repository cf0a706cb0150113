"""The reader of ONNX files against onnx itself, and against what is no ONNX file."""

from __future__ import annotations

import contextlib
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import INT, every_feature, external, identity, model, saved, value, weight

from harness.errors import ModelFileError
from harness.onnx_files import onnx_model, protobuf
from harness.onnx_files.reader import PARTS, read_model

MESSAGES = {
    "ModelProto": {"ir_version": 1, "producer_name": 2, "producer_version": 3, "graph": 7, "opset_import": 8, "functions": 25},
    "OperatorSetIdProto": {"domain": 1, "version": 2},
    "GraphProto": {"node": 1, "name": 2, "initializer": 5, "input": 11, "output": 12, "sparse_initializer": 15},
    "NodeProto": {"input": 1, "output": 2, "name": 3, "op_type": 4, "attribute": 5, "domain": 7, "overload": 8},
    "AttributeProto": {
        "name": 1, "i": 3, "t": 5, "g": 6, "ints": 8, "tensors": 10, "graphs": 11, "sparse_tensor": 22, "sparse_tensors": 23
    },
    "TensorProto": {
        "dims": 1, "data_type": 2, "int64_data": 7, "name": 8, "raw_data": 9, "external_data": 13, "data_location": 14
    },
    "StringStringEntryProto": {"key": 1, "value": 2},
    "SparseTensorProto": {"values": 1, "indices": 2},
    "ValueInfoProto": {"name": 1, "type": 2},
    "TypeProto": {"tensor_type": 1, "sequence_type": 4, "map_type": 5, "sparse_tensor_type": 8, "optional_type": 9},
    "FunctionProto": {"name": 1, "node": 7, "opset_import": 9, "domain": 10, "overload": 13},
}  # fmt: skip
"""The fields that the reader names by number."""


@pytest.mark.parametrize("message", MESSAGES)
def test_the_numbers_of_fields_are_those_of_onnx(message):
    fields = getattr(onnx, message).DESCRIPTOR.fields_by_name
    assert {name: fields[name].number for name in MESSAGES[message]} == MESSAGES[message]
    assert TensorProto.EXTERNAL == 1


def test_the_element_types_are_those_of_onnx_and_came_with_its_ir_versions():
    names = {"float": "float32", "double": "float64"}
    known = {number: names.get(name.lower(), name.lower()) for name, number in TensorProto.DataType.items() if number}
    assert {number: kind.name for number, kind in onnx_model.ELEMENT_TYPES.items() if number in known} == {
        number: name for number, name in known.items() if number in onnx_model.ELEMENT_TYPES
    }
    text = (Path(onnx.__file__).parent / "onnx.proto").read_text(encoding="utf-8")
    for ir, added in re.findall(r"IR VERSION (\d+) published on.*\n((?:\s+//.*\n)+)", text):
        for kind in onnx_model.ELEMENT_TYPES.values():
            if re.search(rf"\b{kind.name.upper()}\b", added):
                assert kind.ir == int(ir), kind


def test_a_model_is_read_as_onnx_reads_it(tmp_path):
    made = every_feature()
    read = read_model(saved(tmp_path / "model.onnx", made))
    assert (read.ir, read.producer, read.opsets) == (10, "pytorch 2.6.0", {"ai.onnx": 18, "own": 1})
    assert [node.op_type for node in read.graph.nodes] == [node.op_type for node in made.graph.node]
    assert sorted(node.op_type for node in read.nodes()) == sorted(
        ["If", "Constant", "Reshape", "Constant", "Cast", "Add", "Twice", "Add", "Twice", "Add"]
    )
    assert [(value.name, value.kind, value.dims) for value in read.graph.inputs] == [
        ("a", "tensor", (None, "s0", 3)),
        ("condition", "tensor", ()),
        ("sequence", "sequence", None),
    ]
    assert [(tensor.name, tensor.dims) for tensor in read.graph.initializers] == [
        ("big", (100, 100)), ("few", (1,)), ("where", (1,))
    ]  # fmt: skip
    assert [(function.domain, function.name, function.overload) for function in read.functions] == [("own", "Twice", "x")]
    assert read.graph.nodes[1].integers == (("value_ints", (0, -1)),)
    assert read.graph.nodes[3].tensors[0].numbers == (1, 2)
    assert read.graph.nodes[4].integer("to") == TensorProto.BFLOAT16


def test_shapes_in_either_form_are_read_and_weights_are_not(tmp_path):
    shapes = [
        weight("raw", np.asarray([0, -1], dtype=np.int64)),
        helper.make_tensor("listed", INT, [2], [0, -1]),
        weight("large", np.zeros(10_000, dtype=np.int64)),
        external("elsewhere", (2,), INT, location="x"),
    ]
    read = read_model(saved(tmp_path / "model.onnx", identity(weights=shapes)))
    assert [tensor.numbers for tensor in read.graph.initializers] == [(0, -1), (0, -1), None, None]
    assert read.graph.initializers[3].external == onnx_model.External(location="x", offset="", length="")


def test_the_default_domain_has_one_name(tmp_path):
    made = identity(opsets={"": 17, "ai.onnx": 18, "com.microsoft": 1})
    assert read_model(saved(tmp_path / "model.onnx", made)).opsets == {"ai.onnx": 18, "com.microsoft": 1}


def test_a_large_model_is_read_through_its_headers(tmp_path):
    """Two gigabytes of weights on paper: a sparse file. What is not a header is not read."""
    path = tmp_path / "model.onnx"
    made = identity().SerializeToString()
    size = 2**31 - 200 - len(made)
    tensor = TensorProto(name="w", dims=[size], data_type=TensorProto.UINT8).SerializeToString()
    field = tensor + b"\x4a" + _varint(size)  # raw_data
    inner = b"\x2a" + _varint(len(field) + size) + field  # initializer
    graph = b"\x3a" + _varint(len(inner) + size + len(b"\x12\x01g")) + b"\x12\x01g" + inner
    with path.open("wb") as file:
        file.write(b"\x08\x0a\x42\x04\x0a\x00\x10\x12" + graph)
        file.truncate(file.tell() + size)
    read = read_model(path)
    assert read.graph.initializers[0].dims == (size,)
    assert read.opset == 18


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def nested(depth: int) -> bytes:
    """A model of Ifs within each other, deeper than protobuf would write it."""
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [], [value("y")]).SerializeToString()
    for _ in range(depth):
        attribute = b"\x0a\x0bthen_branch" + b"\x32" + _varint(len(graph)) + graph
        node = b"\x22\x02If" + b"\x2a" + _varint(len(attribute)) + attribute
        graph = b"\x0a" + _varint(len(node)) + node
    return b"\x08\x0a\x3a" + _varint(len(graph)) + graph


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a pointer of Git LFS"),
        (b"<!DOCTYPE html><html>", "is an HTML page"),
        (b"PK\x03\x04....", "is a ZIP archive"),
        (b"\x1c\x00\x00\x00ORTM....", "is in the format of onnxruntime"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "no ONNX model"),
        (b"\xff" * 100, "no ONNX model: a number has no end"),
        (b"\x08\x0a", "is no ONNX model: it has no graph"),
        (b"\x3a\x00", "is no ONNX model: it has no IR version"),
        (b"\x08\x0a\x3a\x00\x3a\x00", "has two graphs"),
        (b"\x08\x0a\x3a\x7f", "is cut off"),
        (b"\x08\x0a\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "is cut off"),
        (b"\x0a\x01x\x3a\x00", "field 1 of a message is no number"),
        (nested(200), "graphs within graphs"),
    ],
)
def test_what_is_no_model_is_one_sentence(tmp_path, content, problem):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as refused:
        read_model(path)
    assert problem in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_no_file_is_refused_and_a_named_link_is_followed(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    saved(tmp_path / "real.onnx", identity())
    (tmp_path / "link.onnx").symlink_to(tmp_path / "real.onnx")
    for name in ("fifo", "circle", ".", "missing"):
        with pytest.raises(ModelFileError):
            read_model(tmp_path / name)
    assert read_model(tmp_path / "link.onnx").ir == 10
    with (tmp_path / "huge.onnx").open("wb") as file:
        file.truncate(2**31 + 1)
    with pytest.raises(ModelFileError, match="more than the 2,147,483,648 that are read"):
        read_model(tmp_path / "huge.onnx")


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_are_read_or_refused(tmp_path, seed):
    """Each truncation of a small model, and a few hundred with other bytes."""
    chosen = random.Random(seed)
    whole = [every_feature(), identity(), nested_small()][seed].SerializeToString()
    damaged = [whole[:end] for end in chosen.sample(range(len(whole)), min(150, len(whole)))]
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(chosen.randint(1, 4)):
            content[chosen.randrange(len(content))] = chosen.randrange(256)
        damaged.append(bytes(content))
    path, read = tmp_path / "model.onnx", 0
    for content in damaged:
        path.write_bytes(content)
        with contextlib.suppress(ModelFileError):
            read += bool(read_model(path))
    assert 0 < read < len(damaged)


def nested_small() -> onnx.ModelProto:
    return onnx.load_model_from_string(nested(5))


HOSTILE = {
    "many-nodes": ("has more than 250,000 nodes", lambda: _graph(b"\x0a\x00" * (PARTS + 1))),
    "a-long-name": ("has names", lambda: _graph(b"\x12" + _varint(2**23) + b"x" * 2**23)),
    "a-long-list": ("more than 1000", lambda: _graph(_tensor(b"\x0a" + _varint(2**23) + b"\x01" * 2**23))),
    "many-dimensions": ("more than 1000", lambda: _graph(_tensor(b"\x08\x01" * 100_000))),
}


def _tensor(content: bytes) -> bytes:
    return b"\x2a" + _varint(len(content)) + content


def _graph(content: bytes) -> bytes:
    return b"\x08\x0a\x3a" + _varint(len(content)) + content


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused_in_bounded_memory(tmp_path, case):
    problem, content = HOSTILE[case]
    path = tmp_path / "model.onnx"
    path.write_bytes(content())
    script = (
        "import resource, sys; from pathlib import Path; from harness.errors import ModelFileError\n"
        "from harness.onnx_files.reader import read_model\n"
        "resource.setrlimit(resource.RLIMIT_AS, (600_000_000, 600_000_000))\n"
        "try: read_model(Path(sys.argv[1]))\n"
        "except ModelFileError as refused: print(refused)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert problem in done.stdout, done.stderr


def test_fields_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(protobuf, "FIELDS", 1000)
    path = tmp_path / "model.onnx"
    path.write_bytes(_graph(b"\x68\x00" * 990))
    assert read_model(path).ir == 10
    path.write_bytes(_graph(b"\x68\x00" * 1000))
    with pytest.raises(ModelFileError, match="has more than 1,000 fields"):
        read_model(path)


def test_the_budget_lets_a_deep_model_through(tmp_path):
    layers = [helper.make_node("Add", [f"t{n}", f"w{n}"], [f"t{n + 1}"], name=f"/layers.{n}/Add") for n in range(5_000)]
    weights = [weight(f"w{n}", np.zeros(4, dtype=np.float32)) for n in range(5_000)]
    made = model(layers, [value("t0")], [value("t5000")], weights=weights)
    read = read_model(saved(tmp_path / "model.onnx", made))
    assert len(read.graph.nodes) == len(read.graph.initializers) == 5_000
