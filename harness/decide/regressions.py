"""Whether what works with one set of versions works with another, and what it fails of: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields

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
    gone = [one for one in _of(then, kept) if one.status is not Status.WORKS]
    facts = [one for one in gone if one.status is Status.FAILS]
    return _furthest(facts or gone)


@dataclass(frozen=True, kw_only=True, slots=True)
class Losses:
    """What fails at a target of a set that does not work as a whole itself, variant by variant; the furthest first."""

    broken: tuple[VariantVerdict, ...]
    """What works now and not then."""
    alike: tuple[VariantVerdict, ...]
    """What fails then as it does now: at the same stage, of the same."""
    otherwise: tuple[VariantVerdict, ...]
    """What fails then, and does not work now either: of something else."""
    unknown: tuple[VariantVerdict, ...]
    """Ends, of now or then, that leave open whether something is lost."""


def losses(now: Verdict, then: Verdict, wanted: Variants) -> Losses:
    """What becomes of each deciding variant: only its own earlier failure excuses it, and not what another fails of."""
    before = {one.variant: one for one in now.variants}
    found: dict[str, list[VariantVerdict]] = {field.name: [] for field in fields(Losses)}
    for one in _of(then, deciding(wanted, then.cell, then.resolved.planned.variants)):
        earlier = before[one.variant]
        match _works(earlier), _works(one):
            case (True, False):
                found["broken"].append(one)
            case (False, False) if one.status is Status.FAILS:
                found["alike" if _fault(earlier) == _fault(one) else "otherwise"].append(one)
            case (True, None):
                found["unknown"].append(one)
            case (None, False | None):
                found["unknown"].append(earlier)
    return Losses(**{name: tuple(_furthest(some)) for name, some in found.items()})


def faults(now: Verdict, then: Verdict, wanted: Variants) -> set[str]:
    """The signatures of what `then` fails of: two sets that share one fail alike."""
    return {fault for one in lost(now, then, wanted) if (fault := _fault(one))}


def gained(now: Verdict, then: Verdict, wanted: Variants) -> list[VariantVerdict]:
    """The deciding variants that work then, and did not now: another way to export and run."""
    kept = _kept(now, wanted)
    others = [one for one in deciding(wanted, then.cell, then.resolved.planned.variants) if one not in kept]
    return [one for one in _of(then, others) if one.status is Status.WORKS]


def needed(now: Verdict, then: Verdict, wanted: Variants) -> list[Variant]:
    """What must work where `require` is not `any`: what works now; of a set that fails now, all that decides and can exist."""
    if now.status is Status.WORKS:
        return _kept(now, wanted)
    every = _of(then, deciding(wanted, then.cell, then.resolved.planned.variants))
    return [one.variant for one in every if one.status is Status.FAILS or _works(one) is not False]


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


def _fault(one: VariantVerdict) -> str | None:
    return signature(one.last.stage, one.error) if one.error else None


def _furthest(some: Iterable[VariantVerdict]) -> list[VariantVerdict]:
    order = list(Stage)
    return sorted(some, key=lambda one: -order.index(one.last.stage))


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
