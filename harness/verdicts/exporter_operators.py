"""Which operators the exporters of each torch translate: the contract of reports/exporters.json (docs/lookup.md)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.packaging_values import ExactVersion
from harness.verdicts import measured_file

_FILE_LIMIT = 2**23
"""Bytes of the largest exporters.json that is read."""

_Text = Annotated[str, Field(max_length=200)]
_Opset = Annotated[int, Field(ge=1, le=1000)]


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredTorch:
    """A torch whose exporters were asked."""

    opsets: tuple[_Opset, _Opset]
    """The oldest opset that was asked for, and the newest that its torchscript exporter knows."""
    onnxscript: ExactVersion | None
    """The onnxscript beside it, in which some of the functions of the dynamo exporter lie."""
    dynamo: bool
    """Whether its dynamo exporter could be asked: before torch 2.5 it could not."""
    measured: dt.date
    platform: _Text
    python: _Text


@dataclass(frozen=True, kw_only=True, slots=True)
class ExporterOperators:
    """The whole file."""

    schema: Literal[1]
    torch: dict[ExactVersion, MeasuredTorch]
    """The oldest first."""
    torchscript: dict[_Text, dict[_Opset, frozenset[ExactVersion]]]
    """Operator (`aten::add`) → the first opset with a translation → the torches in which it is that one."""
    dynamo: dict[_Text, frozenset[ExactVersion]]
    """Operator and overload (`aten.add.Tensor`) → the torches that have a function for it."""


ADAPTER = TypeAdapter(ExporterOperators)


def read(path: Path) -> ExporterOperators:
    """The operators in the file at `path`.

    Raises:
        ReportError: it cannot be read, or is no exporters.json of this version.
    """
    return measured_file.read(path, ADAPTER, kind="exporters.json", limit=_FILE_LIMIT)
