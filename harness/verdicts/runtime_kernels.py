"""Which operators each onnxruntime has kernels for: the contract of reports/kernels.json (docs/inspect.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.packaging_values import ExactVersion
from harness.verdicts import measured_file

_FILE_LIMIT = 2**24
"""Bytes of the largest kernels.json that is read."""

_Text = Annotated[str, Field(max_length=200)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kernel:
    """A kernel on the CPU."""

    types: dict[_Text, tuple[_Text, ...]]
    """Parameter of the operator's types (`T`) → the types that it takes (`tensor(float)`); without an entry, any."""
    runtimes: frozenset[ExactVersion]
    """The onnxruntimes that have it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operator:
    """An operator as an opset brought it, or changed it."""

    inputs: tuple[_Text, ...]
    """Of each its parameter (`T`) or its only type (`tensor(int64)`); `+`: it repeats, `*`: each time with another type."""
    outputs: tuple[_Text, ...]
    kernels: tuple[Kernel, ...]


Operators = dict[str, dict[str, dict[int, Operator]]]
"""Domain → operator → the opset that brought this form of it → the operator."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredKernels:
    """The whole file."""

    schema: Literal[1]
    operators: Operators


ADAPTER = TypeAdapter(RegisteredKernels)


def read(path: Path) -> Operators:
    """The operators in the file at `path`.

    Raises:
        ReportError: it cannot be read, or is no kernels.json of this version.
    """
    return measured_file.read(path, ADAPTER, kind="kernels.json", limit=_FILE_LIMIT).operators
