"""The wire format of protobuf: the fields of a message in a file. Nothing is trusted, and nothing large is loaded.

The format is described at protobuf.dev/programming-guides/encoding. Groups, which ONNX never had, are refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

_WHOLE = 2**16
"""Bytes of a message up to which it is read at once; of a larger one a window of this size is held."""
_TENSOR_WINDOW = 2**10
_TAG_AND_LENGTH = 20
"""Bytes of the longest tag with the longest length, or number, behind it."""
FIELDS = 1_000_000
"""Fields that are read of one file. A merged decoder of two layers has 10,000."""
_TEXT = 2**26
"""Bytes of all texts that are kept of one file."""
_LONGEST_TEXT = 2**16


class MalformedError(Exception):
    """The bytes are no message, or more than is read; `str()` is the end of a sentence about the file."""


VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""How the value of a field is written."""


@dataclass(slots=True)
class _Limit:
    """What may still be read."""

    fields: int = field(default_factory=lambda: FIELDS)
    text: int = _TEXT


class Source:
    """The bytes of a file, or a part of them in memory; positions are those in the file."""

    def __init__(self, handle: int, held: bytes = b"", base: int = 0, budget: _Limit | None = None) -> None:
        self._handle = handle
        self._held = held
        self._base = base
        self.budget = budget or _Limit()

    def read(self, start: int, length: int) -> bytes:
        """The bytes from `start` on. Raises MalformedError if the file has fewer."""
        if self.holds(start, start + length):
            offset = start - self._base
            return self._held[offset : offset + length]
        content = os.pread(self._handle, length, start)
        if len(content) < length:
            raise MalformedError("ends in the middle, or changed while it was read")
        return content

    def holds(self, start: int, end: int) -> bool:
        """Whether those bytes are in memory."""
        return self._base <= start and end <= self._base + len(self._held)

    def holding(self, start: int, end: int) -> Source:
        """The same source, with those bytes in memory."""
        return self if self.holds(start, end) else Source(self._handle, self.read(start, end - start), start, self.budget)

    def held(self) -> tuple[bytes, int]:
        """(bytes in memory, position of the first of them)."""
        return self._held, self._base


class Message(NamedTuple):
    """A message, or a text, from one position to another."""

    source: Source
    start: int
    end: int

    @property
    def length(self) -> int:
        """Its bytes."""
        return self.end - self.start

    def content(self) -> bytes:
        """Its bytes; the caller has looked at their number."""
        return self.source.read(self.start, self.length)

    def text(self) -> str:
        """It as text; bytes that are no UTF-8 become U+FFFD."""
        self.source.budget.text -= self.length
        if self.length > _LONGEST_TEXT or self.source.budget.text < 0:
            raise MalformedError(f"has names of more than {_LONGEST_TEXT:,} bytes, or {_TEXT:,} bytes of names")
        return self.content().decode("utf-8", errors="replace")


class Field(NamedTuple):
    """A field of a message."""

    number: int
    wire: int
    value: int
    """Of a VARINT; of BYTES their number."""
    content: Message
    """Of BYTES, and of fixed numbers."""

    def message(self) -> Message:
        """The message in it. Raises MalformedError if it is something else."""
        if self.wire != BYTES:
            raise MalformedError(f"is no ONNX model: field {self.number} of a message is no message or text")
        return self.content

    def text(self) -> str:
        """The text in it. Raises MalformedError if it is something else, or too long."""
        return self.message().text()

    def integer(self) -> int:
        """The number in it, with its sign. Raises MalformedError if it is something else."""
        if self.wire != VARINT:
            raise MalformedError(f"is no ONNX model: field {self.number} of a message is no number")
        return _signed(self.value)


def fields(message: Message, *, tensor: bool = False) -> Iterator[Field]:
    """The fields of `message` in their order; of a `tensor` as little is read as possible.

    Raises:
        MalformedError: it is no message, or the file has too many fields.
    """
    source, pos, end = message
    size, budget = _TENSOR_WINDOW if tensor else _WHOLE, source.budget
    near, window, base, held = source, b"", pos, 0
    while pos < end:
        if pos + _TAG_AND_LENGTH > held:  # near the end of what is in memory, or of the message
            near = source.holding(pos, min(end, pos + size))
            window, base = near.held()
            held = base + len(window)
        tag, at = _varint(window, pos - base)
        wire, number, value = tag & 7, tag >> 3, 0
        if wire in {VARINT, BYTES}:
            value, at = _varint(window, at)
        start = base + at
        pos = start if wire == VARINT else start + _length(wire, value)
        budget.fields -= 1
        if pos > end or number == 0:
            raise MalformedError("is cut off, or no ONNX model: a field is longer than what it lies in")
        if budget.fields < 0:
            raise MalformedError(f"has more than {FIELDS:,} fields")
        yield Field(number, wire, value, Message(near if near.holds(start, pos) else source, start, pos))


def _length(wire: int, value: int) -> int:
    if wire == BYTES:
        return value
    if wire in {FIXED64, FIXED32}:
        return 8 if wire == FIXED64 else 4
    raise MalformedError("is no ONNX model: its bytes are no protobuf message")


def _varint(window: bytes, at: int) -> tuple[int, int]:
    """(number, index behind it); digits of base 128, the lowest first."""
    if at < len(window) and window[at] < 0x80:
        return window[at], at + 1
    number = shift = 0
    while at < len(window) and shift < 70:
        digit = window[at]
        at += 1
        number |= (digit & 0x7F) << shift
        if digit < 0x80:
            return number & (2**64 - 1), at
        shift += 7
    raise MalformedError("is cut off, or no ONNX model: a number has no end")


def _signed(value: int) -> int:
    """A VARINT as a number of 64 bits with a sign."""
    return value - 2**64 if value >= 2**63 else value


def packed(field: Field, limit: int) -> list[int]:
    """The numbers of a repeated VARINT field, packed or not, with signs.

    Raises:
        MalformedError: there are more than `limit`.
    """
    if field.wire == VARINT:
        return [_signed(field.value)]
    if field.wire != BYTES or field.content.length > limit * 10:
        raise MalformedError(f"has a list of more than {limit} numbers")
    content, at, numbers = field.content.content(), 0, []
    while at < len(content):
        number, at = _varint(content, at)
        numbers.append(_signed(number))
    return numbers
