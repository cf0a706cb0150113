"""Which names each release of a package defines, and in which modules: the contract of reports/names.json (docs/lookup.md)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from harness.packaging_values import ExactVersion
from harness.verdicts import measured_file

_FILE_LIMIT = 2**25
"""Bytes of the largest names.json that is read."""

Places = Annotated[str, StringConstraints(pattern=r"^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$")]
"""Releases by their places in a list, neighbours together: `0-3,7`."""
_Name = Annotated[str, Field(max_length=300)]


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageNames:
    """The modules and names of one package that some of its measured releases have, and others have not."""

    releases: list[ExactVersion]
    """All that were measured, the oldest first."""
    modules: dict[_Name, Places]
    """Module → the releases that have it; those that all have are not there."""
    names: dict[_Name, dict[_Name, Places]]
    """Module → name → the releases that define it there; only names that a release with this module lacks."""

    def having(self, module: str, name: str) -> tuple[str, ...]:
        """The releases that define `name` in `module`, the oldest first; empty if that is not known to differ."""
        return self._releases(self.names.get(module, {}).get(name))

    def having_module(self, module: str) -> tuple[str, ...]:
        """The releases with this module, the oldest first; empty if that is not known to differ."""
        return self._releases(self.modules.get(module))

    def _releases(self, places: Places | None) -> tuple[str, ...]:
        chosen = unpacked(places) if places else ()
        return tuple(self.releases[place] for place in chosen if place < len(self.releases))


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredNames:
    """The whole file."""

    schema: Literal[1]
    packages: dict[_Name, PackageNames]
    """Name of a distribution, which is that of its module too, with its names."""


def packed(places: Collection[int]) -> Places:
    """Places as text."""
    runs: list[list[int]] = []
    for place in sorted(places):
        if runs and place == runs[-1][-1] + 1:
            runs[-1][1:] = [place]
        else:
            runs.append([place])
    return ",".join("-".join(map(str, run)) for run in runs)


def unpacked(places: Places) -> tuple[int, ...]:
    """The places that a text has."""
    pairs = (run.partition("-") for run in places.split(","))
    return tuple(place for first, _, last in pairs for place in range(int(first), int(last or first) + 1))


ADAPTER = TypeAdapter(MeasuredNames)


def read(path: Path) -> MeasuredNames:
    """The names in the file at `path`.

    Raises:
        ReportError: it cannot be read, or is no names.json of this version.
    """
    return measured_file.read(path, ADAPTER, kind="names.json", limit=_FILE_LIMIT)
