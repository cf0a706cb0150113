"""Refusals in a pasted text, by onnxruntime and by exporters, and what they say about remedies. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from packaging.version import Version

from harness.decide.exporter_refusals import ExporterRefusal, exporter_refusals
from harness.decide.known_messages import Admits
from harness.decide.lookup import Recognised
from harness.decide.model_support import Reading
from harness.decide.runtime_refusals import RuntimeRefusal, runtime_refusals
from harness.packaging_values import is_version
from harness.stack import RUNTIME
from harness.verdicts.exporter_operators import ExporterOperators
from harness.verdicts.runtime_kernels import Operators
from harness.verdicts.runtime_limits import RuntimeLimits

Refusal = RuntimeRefusal | ExporterRefusal


def refusals(
    text: str,
    *,
    limits: Callable[[], Mapping[str, RuntimeLimits]],
    kernels: Callable[[], Operators],
    exporters: Callable[[], ExporterOperators],
) -> list[Refusal]:
    """The refusals that `text` has, each once; the others read what was measured, if a sentence needs it."""
    return [*exporter_refusals(text, exporters), *runtime_refusals(text, limits, kernels)]


def admits(match: Recognised, refusals: Sequence[Refusal]) -> Admits:
    """Which remedies of a known message may hold for the text: with numbers that were not measured, limits rule out some."""
    return lambda failure, change: match.admits(failure, change) and (match.measured or not _is_refused(change, refusals))


def _is_refused(change: str, refusals: Sequence[Refusal]) -> bool:
    """Whether a change names a release that refuses what one of `refusals` is about, as does one that came after it."""
    return any(_later(refusal, version) is Reading.REFUSES for refusal in refusals for version in _named(change, refusal))


def _named(change: str, refusal: Refusal) -> Iterator[Version]:
    """The versions in a change of the package that refuses."""
    package = "torch" if isinstance(refusal, ExporterRefusal) else RUNTIME
    return map(Version, filter(is_version, re.findall(rf"(?:^|, ){package} (\d[^\s,]*)", change)))


def _later(refusal: Refusal, version: Version) -> Reading | None:
    """What the first measured release from `version` on makes of it; None if none was measured."""
    return next((reading for measured, reading in refusal.readings.items() if Version(measured) >= version), None)
