"""The frames of requests and answers: a head, a header (a JSON object), and a body (the bytes of tensors)."""

from __future__ import annotations

import json
import math
import struct
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

import numpy as np

MAGIC = b"RUN1"
"""The first bytes of a frame; the digit is the version of the protocol."""
HEAD = struct.Struct("<4sIQ")
"""MAGIC, the length of the header, the length of the body."""
HEADER_LIMIT = 16 * 2**20
"""Bytes of the longest header."""

DTYPES = frozenset(
    "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64".split()  # noqa: SIM905 - a line
)
"""What can be sent and read: numpy's names."""


class Head(NamedTuple):
    """The lengths that a frame begins with."""

    header: int
    body: int


class NoFrameError(ValueError):
    """Bytes that are no frame."""


def frame(header: Mapping[str, Any], arrays: Sequence[Any]) -> Iterator[memoryview]:
    """Yield the pieces of a frame with the content of `arrays`."""
    text = json.dumps(header).encode("ascii")
    pieces = [_content(array) for array in arrays]
    yield memoryview(HEAD.pack(MAGIC, len(text), sum(map(len, pieces))))
    yield memoryview(text)
    yield from pieces


def head_in(data: bytearray) -> Head:
    """Return the lengths in the first bytes of a frame."""
    magic, header, body = HEAD.unpack(data)
    if magic != MAGIC or header > HEADER_LIMIT:
        raise NoFrameError
    return Head(header, body)


def header_in(data: bytearray) -> dict[str, Any]:
    """Return the object in a header."""
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise NoFrameError from exc
    if not isinstance(header, dict):
        raise NoFrameError
    return header


def byte_size(dtype: str, shape: Sequence[int]) -> int:
    """Return the number of bytes of a tensor of one of DTYPES."""
    return math.prod(shape) * int(np.dtype(dtype).itemsize)


def arrays_in(body: bytearray, forms: Sequence[tuple[str, Sequence[int]]]) -> list[Any]:
    """Return the arrays of these dtypes and shapes, which stand one after another in `body`."""
    arrays, start = [], 0
    for dtype, shape in forms:
        end = start + byte_size(dtype, shape)
        # A copy, which is aligned, and can be written to as an array of onnxruntime's can.
        arrays.append(np.frombuffer(body[start:end], dtype=dtype).reshape(shape))
        start = end
    return arrays


def _content(array: Any) -> memoryview:
    return memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
