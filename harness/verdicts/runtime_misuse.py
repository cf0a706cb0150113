"""What each onnxruntime says of a damaged file or a wrong feed: the contract of reports/misuse.json (docs/lookup.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.packaging_values import ExactVersion
from harness.verdicts import measured_file
from harness.verdicts.package_names import Places, unpacked

_FILE_LIMIT = 2**20
"""Bytes of the largest misuse.json that is read."""
_Text = Annotated[str, Field(min_length=1, max_length=1000)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Misuse:
    """One way to misuse onnxruntime, and what releases say of it."""

    way: _Text
    """`missing-input`."""
    stage: Literal["load", "decode"]
    what: _Text
    """What is wrong, in words; `{missing}` is what the message has in that place."""
    messages: dict[_Text, Places]
    """Message → the releases that have it. A name in braces stands for any one there; a release without a message takes it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredMisuse:
    """The whole file."""

    schema: Literal[1]
    releases: list[ExactVersion]
    """Those that were measured, the oldest first."""
    misuses: list[Misuse]

    def saying(self, places: Places) -> tuple[str, ...]:
        """The releases at `places`."""
        return tuple(self.releases[place] for place in unpacked(places) if place < len(self.releases))


ADAPTER = TypeAdapter(MeasuredMisuse)


def read(path: Path) -> MeasuredMisuse:
    """The misuses in the file at `path`.

    Raises:
        ReportError: it cannot be read, or is no misuse.json of this version.
    """
    return measured_file.read(path, ADAPTER, kind="misuse.json", limit=_FILE_LIMIT)
