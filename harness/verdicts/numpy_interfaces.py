"""Which C interface each numpy has, as its headers say: the contract of reports/numpy.json (docs/lookup.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from packaging.version import Version
from pydantic import Field, TypeAdapter

from harness.packaging_values import ExactVersion
from harness.verdicts import measured_file

_FILE_LIMIT = 2**20
"""Bytes of the largest numpy.json that is read."""
_Number = Annotated[int, Field(ge=1, lt=2**32)]


@dataclass(frozen=True, kw_only=True, slots=True)
class NumpyInterface:
    """What modules that are compiled against a numpy are bound to."""

    abi: _Number
    """NPY_ABI_VERSION: a module that was compiled with the headers of numpy 1 runs with a numpy of the same one."""
    api: _Number
    """NPY_API_VERSION: it only grows; a module runs with a numpy that has at least the one it asks for.

    What was compiled with the headers of numpy 2 asks for nothing else.
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredNumpys:
    """The whole file."""

    schema: Literal[1]
    releases: dict[ExactVersion, NumpyInterface]


ADAPTER = TypeAdapter(MeasuredNumpys)


def read(path: Path) -> dict[str, NumpyInterface]:
    """Release of numpy → its interface, the oldest first.

    Raises:
        ReportError: the file cannot be read, or is no numpy.json of this version.
    """
    found = measured_file.read(path, ADAPTER, kind="numpy.json", limit=_FILE_LIMIT).releases
    return dict(sorted(found.items(), key=lambda item: Version(item[0])))
