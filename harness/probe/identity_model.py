"""A model of one Identity node as protobuf bytes: the environment of a run holds no onnx that could write it.

Field numbers are those of onnx.proto, which never change: ModelProto ir_version 1, graph 7, opset_import 8;
GraphProto node 1, name 2, input 11, output 12; NodeProto input 1, output 2, name 3, op_type 4;
ValueInfoProto name 1, type 2; TypeProto tensor_type 1; Tensor elem_type 1, shape 2; OperatorSetId domain 1, version 2.
"""

from __future__ import annotations

_FLOAT = 1
_VARINT, _BYTES = 0, 2


def identity_model(ir: int, opset: int) -> bytes:
    """Return a model that maps the float tensor `x` of shape (1,) to the equal `y`."""
    node = _field(1, "x") + _field(2, "y") + _field(3, "identity") + _field(4, "Identity")
    graph = _field(1, node) + _field(2, "probe") + _field(11, _value("x")) + _field(12, _value("y"))
    return _field(1, ir) + _field(7, graph) + _field(8, _field(1, "") + _field(2, opset))


def _value(name: str) -> bytes:
    dimension = _field(1, _field(1, 1))  # TensorShapeProto.dim, whose dim_value is 1
    return _field(1, name) + _field(2, _field(1, _field(1, _FLOAT) + _field(2, dimension)))


def _field(number: int, content: int | str | bytes) -> bytes:
    if isinstance(content, int):
        return _varint(number << 3 | _VARINT) + _varint(content)
    data = content.encode("utf-8") if isinstance(content, str) else content
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    """Return base-128 digits, the lowest first, with the high bit set on all but the last."""
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)
