"""Refusals in a pasted text, by resolvers, imports, exporters and onnxruntime, and what they say about remedies. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import Version

from harness.decide.exporter_refusals import ExporterRefusal, exporter_refusals
from harness.decide.known_messages import Admits
from harness.decide.lookup import Recognised
from harness.decide.missing_releases import MissingRelease, missing_releases
from harness.decide.misuse_refusals import MisuseRefusal, misuse_refusals
from harness.decide.model_support import Reading
from harness.decide.name_refusals import NameRefusal, name_refusals
from harness.decide.numpy_refusals import NumpyRefusal, numpy_refusals
from harness.decide.parameter_refusals import ParameterRefusal, parameter_refusals
from harness.decide.runtime_refusals import RuntimeRefusal, runtime_refusals
from harness.decide.version_conflicts import VersionConflict, version_conflicts
from harness.packaging_values import is_version
from harness.published_reports import Published
from harness.stack import RUNTIME
from harness.verdicts.exporter_operators import ExporterOperators
from harness.verdicts.numpy_interfaces import NumpyInterface
from harness.verdicts.package_names import MeasuredNames
from harness.verdicts.runtime_kernels import Operators
from harness.verdicts.runtime_limits import RuntimeLimits
from harness.verdicts.runtime_misuse import MeasuredMisuse

Refusal = (
    RuntimeRefusal
    | ExporterRefusal
    | NameRefusal
    | ParameterRefusal
    | NumpyRefusal
    | VersionConflict
    | MissingRelease
    | MisuseRefusal
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurements:
    """What was measured beside the runs; each part is read if a sentence needs it."""

    limits: Callable[[], Mapping[str, RuntimeLimits]]
    kernels: Callable[[], Operators]
    exporters: Callable[[], ExporterOperators]
    names: Callable[[], MeasuredNames]
    parameters: Callable[[], MeasuredNames]
    numpys: Callable[[], Mapping[str, NumpyInterface]]
    misuse: Callable[[], MeasuredMisuse]


def refusals(text: str, measured: Measurements, reports: Sequence[Published]) -> list[Refusal]:
    """The refusals that `text` has, each once."""
    return [
        *version_conflicts(text, reports),
        *missing_releases(text, reports),
        *name_refusals(text, measured.names),
        *parameter_refusals(text, measured.parameters),
        *numpy_refusals(text, measured.numpys),
        *exporter_refusals(text, measured.exporters),
        *runtime_refusals(text, measured.limits, measured.kernels),
        *misuse_refusals(text, measured.misuse),
    ]


def package_of(refusal: Refusal) -> str:
    """The distribution that refuses."""
    match refusal:
        case ExporterRefusal():
            return "torch"
        case NumpyRefusal():
            return "numpy"
        case NameRefusal() | ParameterRefusal() | VersionConflict() | MissingRelease():
            return refusal.package
        case _:
            return RUNTIME


def admits(match: Recognised, refusals: Sequence[Refusal]) -> Admits:
    """Which remedies of a known message may hold for the text: with numbers that were not measured, limits rule out some."""
    return lambda failure, change: match.admits(failure, change) and (match.measured or not _is_refused(change, refusals))


def _is_refused(change: str, refusals: Sequence[Refusal]) -> bool:
    """Whether a change names a release that refuses what one of `refusals` is about, as does one that came after it."""
    return any(_later(refusal, version) is Reading.REFUSES for refusal in refusals for version in _named(change, refusal))


def _named(change: str, refusal: Refusal) -> Iterator[Version]:
    """The versions in a change of the package that refuses."""
    return map(Version, filter(is_version, re.findall(rf"(?:^|, ){package_of(refusal)} (\d[^\s,]*)", change)))


def _later(refusal: Refusal, version: Version) -> Reading | None:
    """What the first measured release from `version` on makes of it; None if none was measured."""
    if isinstance(refusal, VersionConflict | MissingRelease):
        return Reading.REFUSES if refusal.version and version == Version(refusal.version) else None
    return next((reading for measured, reading in refusal.readings.items() if Version(measured) >= version), None)
