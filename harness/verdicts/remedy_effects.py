"""The changes of a remedy, read off its text in a report. Pure.

A remedy was run on the very variant that it stands at. The two runs differ in its changes alone, so it is evidence of the
cause.
"""

from __future__ import annotations

from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from harness.matrix.selection import NUMBERED, VARIANT_FIELDS
from harness.packaging_values import is_version
from harness.verdicts.report_schema import ReportedVariant

_FIELDS = {name.replace("_", "-") for name in VARIANT_FIELDS}
_NUMBERED = {name.replace("_", "-") for name in NUMBERED}

SESSION = frozenset({"optimization", "memory-pattern"})
"""Fields that change how onnxruntime runs an artifact, and neither the artifact nor its inputs."""

CONSUMER = frozenset({"feedback", "binding"})
"""Fields that change the inputs of the runtime, and neither the artifact nor the session."""

EXPORT = frozenset({"exporter", "opset", "layout", "attention"})
"""Fields that change the artifact."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemedyEffect:
    """The changes of a variant that fails which made it work."""

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


def effects(variant: ReportedVariant) -> list[RemedyEffect]:
    """The changes of the remedies that were run on `variant`, the cheapest first."""
    texts = variant.remedies or ([variant.remedy] if variant.remedy else [])
    # The versions or opsets that do as well are more of the same kind.
    return [found for text in texts if (found := effect(text.partition(" (also ")[0]))]


def secondary_pins(variant: ReportedVariant) -> str | None:
    """The remedy of a failing variant that changed nothing but the versions of distributions on no axis."""
    return next((changed.text for changed in effects(variant) if changed.versions and not changed.pins), None)


def effect(remedy: str) -> RemedyEffect | None:
    """The changes of the remedy of that text; None if its text is something else."""
    fields, pins, bounds = set[str](), set[str](), set[str]()
    for part in _parts(remedy):
        name, _, value = part.partition(" ")
        # An axis may have the name of a field.
        if name in _FIELDS and value and (name in _NUMBERED or not is_version(value)):
            fields.add(name)
        elif is_version(value):
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
    if len(required) > 1 and not all(requirement.specifier for requirement in required):
        return None
    return {canonicalize_name(requirement.name) for requirement in required}
