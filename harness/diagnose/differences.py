"""What a remedy changed, read off its text in a report. Pure.

A remedy was run on the very variant that it stands at. What it changed is all in which the two runs differ, so it is
evidence of the cause.
"""

from __future__ import annotations

from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from harness.matrix.selection import VARIANT_FIELDS
from harness.verdicts.report_model import ReportedVariant

_FIELDS = {name.replace("_", "-") for name in VARIANT_FIELDS}

SESSION = frozenset({"optimization", "memory-pattern"})
"""Fields that change how onnxruntime runs an artifact, and neither the artifact nor what is fed to it."""

CONSUMER = frozenset({"feedback", "binding"})
"""Fields that change what is fed to the runtime, and neither the artifact nor the session."""

EXPORT = frozenset({"exporter", "opset", "layout", "attention"})
"""Fields that change what is exported."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemedyEffect:
    """What was changed about a variant that fails, and made it work."""

    text: str
    fields: frozenset[str] = frozenset()
    """Fields of the variant, as matrix.toml spells them."""
    pins: frozenset[str] = frozenset()
    """Axes that were given another version; `python` is one."""
    bounds: frozenset[str] = frozenset()
    """Distributions, on no axis, that were bounded or added."""

    @property
    def versions(self) -> frozenset[str]:
        """The distributions in whose versions it differs; empty where it differs in anything else too."""
        return frozenset() if self.fields else self.pins | self.bounds

    def only(self, fields: frozenset[str]) -> bool:
        """Whether it differs in some of `fields`, and in nothing else."""
        return bool(self.fields) and self.fields <= fields and not self.pins and not self.bounds


def differences(variant: ReportedVariant) -> list[RemedyEffect]:
    """What the remedies that were run on `variant` changed, the cheapest first."""
    texts = variant.remedies or ([variant.remedy] if variant.remedy else [])
    # The versions or opsets that do as well are more of the same kind.
    found = (difference(text.partition(" (also ")[0]) for text in texts)
    return [one for one in found if one]


def difference(remedy: str) -> RemedyEffect | None:
    """What the remedy of that text changed; None where its text says something else."""
    fields, pins, bounds = set[str](), set[str](), set[str]()
    for part in _parts(remedy):
        name, _, value = part.partition(" ")
        if name in _FIELDS and value:
            fields.add(name)
        elif _is_version(value) and " " not in value:
            pins.add(canonicalize_name(name))
        else:
            named = _required(part.split())
            if named is None:
                return None
            bounds |= named
    return RemedyEffect(text=remedy, fields=frozenset(fields), pins=frozenset(pins), bounds=frozenset(bounds))


def _parts(remedy: str) -> list[str]:
    """The changes of a remedy. Within a requirement there is a comma as well, and no space after it."""
    return [part for part in remedy.split(", ") if part]


def _required(texts: list[str]) -> set[str] | None:
    """The distributions that requirements name; None for words that are none: several need a bound each."""
    try:
        required = [Requirement(text) for text in texts]
    except InvalidRequirement:
        return None
    if len(required) > 1 and not all(one.specifier for one in required):
        return None
    return {canonicalize_name(one.name) for one in required}


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
