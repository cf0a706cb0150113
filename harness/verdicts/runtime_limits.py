"""What each onnxruntime was measured to read: the contract of reports/runtimes.json (docs/inspect.md)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from packaging.version import Version
from pydantic import Field, TypeAdapter

from harness.onnx_files.external_data import DataPlace
from harness.packaging_values import ExactVersion
from harness.verdicts import measured_file

_FILE_LIMIT = 2**22
"""Bytes of the largest runtimes.json that is read."""

_Stamp = Annotated[int, Field(ge=1, le=10_000)]
_Message = Annotated[str, Field(max_length=1000)]


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeLimits:
    """The limits of one onnxruntime, each measured with models of one node on the CPU."""

    ir: _Stamp
    """The largest IR version with which a model runs."""
    opset: _Stamp
    """The largest opset of the default domain with which a model of one Identity runs."""
    opset_some: _Stamp
    """The largest with which a model of one Softsign runs; above `opset` kernels of some operators are missing."""
    oldest_ir: _Stamp
    oldest_opset: _Stamp
    refusal_ir: _Message
    """What it says of a model with the next IR version."""
    refusal_opset: _Message
    """What it says of a model with the next opset."""
    external: dict[DataPlace, _Message | None]
    """Place of external data → what it says of them; null if it reads them."""
    domains: dict[Annotated[str, Field(max_length=100)], _Stamp] | None = None
    """Each other domain of which it gates imports → the largest version with which a model runs that uses nothing of it."""
    api: _Stamp | None = None
    """The newest version of its C API, which programs in other languages call; None if its library was not asked."""
    refusal_api: _Message | None = None
    """What its library says of the next version."""
    measured: dt.date
    platform: str
    python: str
    numpy: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredRuntimes:
    """The whole file."""

    schema: Literal[1]
    runtimes: dict[ExactVersion, RuntimeLimits]
    """Version of onnxruntime → its limits, the oldest first."""


ADAPTER = TypeAdapter(MeasuredRuntimes)


def read(path: Path) -> dict[str, RuntimeLimits]:
    """The limits in the file at `path`, the oldest version first.

    Raises:
        ReportError: it cannot be read, or is no runtimes.json of this version.
    """
    found = measured_file.read(path, ADAPTER, kind="runtimes.json", limit=_FILE_LIMIT).runtimes
    return dict(sorted(found.items(), key=lambda item: Version(item[0])))
