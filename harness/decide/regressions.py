"""Whether what works with one set of versions works with another, and what it fails of: pure."""

from __future__ import annotations

from collections.abc import Collection

from harness.matrix.plan import deciding
from harness.matrix.schema import Variants
from harness.model import Stage, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.messages import headline, plain
from harness.verdicts.signature import signature

_KNOWN = {Status.WORKS: True, Status.FAILS: False}


def survives(now: Verdict, then: Verdict, wanted: Variants) -> bool | None:
    """Whether whoever uses the set of `now` can use that of `then` without changing anything else; None: it is not known.

    Under `require = "any"` one way of exporting and running that works now must still work; otherwise all of them
    must. A set that fails now can only get better: it is asked whether `then` works.
    """
    if now.status is not Status.WORKS:
        answer = _KNOWN.get(then.status)
        # Where it is not known how things are now, what works then may be another way.
        return None if answer and now.status is not Status.FAILS else answer
    ends = [_works(one) for one in _of(then, _kept(now, wanted))]
    decisive = wanted.require == "any"
    return decisive if decisive in ends else None if None in ends or not ends else not decisive


def lost(now: Verdict, then: Verdict, wanted: Variants) -> list[VariantVerdict]:
    """The variants that work now and not then, the furthest first; where nothing works now, all that decide and do not work."""
    kept = _kept(now, wanted) if now.status is Status.WORKS else deciding(wanted, then.cell, then.resolved.planned.variants)
    order = list(Stage)
    gone = [one for one in _of(then, kept) if one.status is not Status.WORKS]
    facts = [one for one in gone if one.status is Status.FAILS]
    return sorted(facts or gone, key=lambda one: -order.index(one.last.stage))


def faults(now: Verdict, then: Verdict, wanted: Variants) -> set[str]:
    """The signatures of what `then` fails of: two sets that share one fail alike."""
    return {signature(one.last.stage, one.error) for one in lost(now, then, wanted) if one.error}


def gained(now: Verdict, then: Verdict, wanted: Variants) -> list[VariantVerdict]:
    """The deciding variants that work then, and did not now: another way to export and run."""
    kept = _kept(now, wanted)
    others = [one for one in deciding(wanted, then.cell, then.resolved.planned.variants) if one not in kept]
    return [one for one in _of(then, others) if one.status is Status.WORKS]


def working(verdict: Verdict, wanted: Variants) -> list[VariantVerdict]:
    """The deciding variants that work."""
    return _of(verdict, _kept(verdict, wanted))


def named(variant: Variant) -> str:
    """A variant in a sentence."""
    return f"{variant.exporter} opset {variant.opset} {variant.layout}"


def last_line(one: VariantVerdict) -> str:
    """What the message comes to; Python and uv put that last, and PyTorch in brackets what it was doing."""
    text = one.error.message if one.error else one.last.data.get("reason", "")
    lines = [line.strip() for line in plain(text).splitlines() if line.strip()]
    return headline(" ".join(lines[-2:] if lines and lines[-1].startswith("(") else lines[-1:]))


def _works(one: VariantVerdict) -> bool | None:
    if one.status is Status.NOT_RUN:
        # What the probe itself leaves out cannot exist; what had no lock or was not begun is not known.
        return None if one.open or one.last.stage is Stage.RESOLVE else False
    return _KNOWN.get(one.status)


def _kept(now: Verdict, wanted: Variants) -> list[Variant]:
    names = deciding(wanted, now.cell, now.resolved.planned.variants)
    return [one.variant for one in _of(now, names) if one.status is Status.WORKS]


def _of(verdict: Verdict, names: Collection[Variant]) -> list[VariantVerdict]:
    return [one for one in verdict.variants if one.variant in names]
