"""Whether what works with one version set works with another, and which variants fail there. Pure.

`rule` is the `[variants]` section of a matrix: its `require` says which variants decide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields

from harness.matrix.schema import Variants
from harness.matrix.variants import deciding
from harness.model import Stage, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.messages import headline, plain

_KNOWN = {Status.WORKS: True, Status.FAILS: False}


def survives(current: Verdict, target: Verdict, rule: Variants) -> bool | None:
    """Whether a user of the current set can use the target without any other change; None if that is unknown.

    With `require = "any"` one variant that works in the current set must still work; otherwise all of them must. If the
    current set fails, the question is whether the target works.
    """
    if current.status is not Status.WORKS:
        answer = _KNOWN.get(target.status)
        # If the current set is unknown, the variant that works in the target may be another one.
        return None if answer and current.status is not Status.FAILS else answer
    ends = [_works(variant) for variant in _of(target, _working(current, rule))]
    decisive = rule.require == "any"
    return decisive if decisive in ends else None if None in ends or not ends else not decisive


def lost(current: Verdict, target: Verdict, rule: Variants) -> list[VariantVerdict]:
    """The variants that work in the current set and not in the target, the furthest first.

    If the current set does not work: all deciding variants that do not work in the target.
    """
    required = _working(current, rule) if current.status is Status.WORKS else _deciding(target, rule)
    not_working = [variant for variant in _of(target, required) if variant.status is not Status.WORKS]
    failing = [variant for variant in not_working if variant.status is Status.FAILS]
    return _furthest(failing or not_working)


@dataclass(frozen=True, kw_only=True, slots=True)
class Losses:
    """The deciding variants that fail in the target of a current set that fails as a whole; the furthest first."""

    broken: tuple[VariantVerdict, ...]
    """Works in the current set, fails in the target."""
    alike: tuple[VariantVerdict, ...]
    """Fails in both, with the same signature."""
    otherwise: tuple[VariantVerdict, ...]
    """Fails in both, with another signature."""
    unknown: tuple[VariantVerdict, ...]
    """Unknown in one of the two, so that it may be lost."""


def losses(current: Verdict, target: Verdict, rule: Variants) -> Losses:
    """The failures in the target, each compared with the same variant in the current set."""
    before = {variant.variant: variant for variant in current.variants}
    found: dict[str, list[VariantVerdict]] = {field.name: [] for field in fields(Losses)}
    for variant in _of(target, _deciding(target, rule)):
        earlier = before[variant.variant]
        match _works(earlier), _works(variant):
            case (True, False):
                found["broken"].append(variant)
            case (False, False) if variant.status is Status.FAILS:
                found["alike" if earlier.signature == variant.signature else "otherwise"].append(variant)
            case (True, None):
                found["unknown"].append(variant)
            case (None, False | None):
                found["unknown"].append(earlier)
    return Losses(**{name: tuple(_furthest(variants)) for name, variants in found.items()})


def signatures(current: Verdict, target: Verdict, rule: Variants) -> set[str]:
    """The signatures of the lost variants: two targets that share one fail alike."""
    return {found for variant in lost(current, target, rule) if (found := variant.signature)}


def gained(current: Verdict, target: Verdict, rule: Variants) -> list[VariantVerdict]:
    """The deciding variants that work in the target and not in the current set."""
    kept = _working(current, rule)
    return [variant for variant in working(target, rule) if variant.variant not in kept]


def needed(current: Verdict, target: Verdict, rule: Variants) -> list[Variant]:
    """The variants that must work if `require` is not `any`.

    These work in the current set; if that fails, they are all deciding variants that can exist.
    """
    if current.status is Status.WORKS:
        return _working(current, rule)
    variants = _of(target, _deciding(target, rule))
    return [variant.variant for variant in variants if variant.status is Status.FAILS or _works(variant) is not False]


def working(verdict: Verdict, rule: Variants) -> list[VariantVerdict]:
    """The deciding variants that work."""
    return [variant for variant in _of(verdict, _deciding(verdict, rule)) if variant.status is Status.WORKS]


def unknown_reason(verdict: Verdict) -> str:
    """Why it is unknown whether a set works."""
    for variant in verdict.variants:
        if variant.status in {Status.ERROR, Status.FLAKY, Status.NOT_RUN}:
            return unknown_end(variant)
    if verdict.status is Status.NOT_RUN:
        return "no requested variant decides: feed-all is a diagnostic"
    return verdict.status.value


def unknown_end(variant: VariantVerdict) -> str:
    """How a variant ended that proves nothing: `error at load: …`."""
    lines = variant.error.message.strip().splitlines() if variant.error else []
    return f"{variant.status.value} at {variant.last.stage.value}: {variant.reason or (lines[-1] if lines else '')}"


def variant_text(variant: Variant) -> str:
    """A variant in a sentence."""
    return f"{variant.exporter} opset {variant.opset} {variant.layout}"


def last_line(variant: VariantVerdict) -> str:
    """The essence of a message: its last line. PyTorch adds a line in brackets about what it was doing."""
    text = variant.error.message if variant.error else variant.last.data.get("reason", "")
    lines = [line.strip() for line in plain(text).splitlines() if line.strip()]
    return headline(" ".join(lines[-2:] if lines and lines[-1].startswith("(") else lines[-1:]))


def _furthest(variants: Iterable[VariantVerdict]) -> list[VariantVerdict]:
    order = list(Stage)
    return sorted(variants, key=lambda variant: -order.index(variant.last.stage))


def _works(variant: VariantVerdict) -> bool | None:
    if variant.status is Status.NOT_RUN:
        # A variant that the probe leaves out cannot exist; one without a lock, or not begun, is unknown.
        return None if variant.open or variant.last.stage is Stage.RESOLVE else False
    return _KNOWN.get(variant.status)


def _working(verdict: Verdict, rule: Variants) -> list[Variant]:
    return [variant.variant for variant in working(verdict, rule)]


def _deciding(verdict: Verdict, rule: Variants) -> Collection[Variant]:
    return deciding(rule, verdict.cell, verdict.resolved.planned.variants)


def _of(verdict: Verdict, variants: Collection[Variant]) -> list[VariantVerdict]:
    return [variant for variant in verdict.variants if variant.variant in variants]
