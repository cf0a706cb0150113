"""Kinds of failures at one stage: a rule is about one fault, and not about everything that fails there. Pure.

| stage | failures are of one kind that share |
|---|---|
| resolve, install | the stage: uv words each proof anew |
| import | the package that cannot be imported |
| eager, export, check | the cause and the class of the exception |
| load, decode, parity | cause, reason and operator (../causes/failure_kinds.py); of a gate or protocol, the cause |

Equal signatures are of one kind, unless several causes of them are proven. Packages word one fault anew from release to
release, so signatures alone would split it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.diagnose.causes.failure_kinds import failure_of, import_of
from harness.diagnose.rules.outcomes import Seen, union
from harness.model import Cause, Certainty, Stage
from harness.stack import RUN_SIDE
from harness.tasks.records import ABOVE
from harness.verdicts.messages import is_above
from harness.verdicts.report_schema import ReportedVariant

MOST = 8
"""Largest number of kinds of one stage; beyond it the rarest are one kind together."""

_CERTAINTY = list(Certainty)
_ALONE = {Cause.FORMAT_GATE, Cause.CONSUMER_PROTOCOL}
"""Causes that determine the kind alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureKind:
    """Failures of one kind, at one stage; sets of variants are integers, see conditions.py."""

    failed: int
    first: bool = False
    """Whether every other failure of its stage comes after it: whatever failed in another way has passed this one."""
    run_side: bool = False
    """Whether it occurs on a handoff cell's run side."""


def kinds(seen: Seen, stage: Stage) -> list[FailureKind]:
    """The failures at `stage` by kind, the most frequent first."""
    found: dict[object, int] = {}
    gates, run_side = set[object](), set[object]()
    for places in seen.by_signature(seen.failed.get(stage, 0)).values():
        for cause, alike in _by_cause(seen, places).items():
            first = seen.members[alike[0]][1]
            kind = _kind(first, stage, cause)
            found[kind] = found.get(kind, 0) | seen.set_of(alike)
            if cause is Cause.FORMAT_GATE:
                gates.add(kind)
            if on_run_side(first, stage):
                run_side.add(kind)
    ordered = sorted(found, key=lambda kind: -found[kind].bit_count())
    # A stamp is read before anything else of a file is.
    made = [FailureKind(failed=found[kind], first=kind in gates, run_side=kind in run_side) for kind in ordered[:MOST]]
    rest = union(found[kind] for kind in ordered[MOST:])
    return [*made, FailureKind(failed=rest, run_side=not run_side.isdisjoint(ordered[MOST:]))] if rest else made


def on_run_side(variant: ReportedVariant, stage: Stage) -> bool:
    """Whether a failure at `stage` is one of a handoff cell's run side, or may be."""
    if stage is Stage.IMPORT:
        return import_of(variant.error or "") in {None, *RUN_SIDE}
    return stage.number >= Stage.LOAD.number


def _by_cause(seen: Seen, places: Sequence[int]) -> dict[Cause | None, list[int]]:
    """Failures with one signature, by cause: the proven one, or the surest, since evidence was not run for each."""
    members = [seen.members[place][1] for place in places]
    known = [variant for variant in members if variant.cause and variant.certainty]
    surest = min(known, key=lambda variant: _CERTAINTY.index(variant.certainty or Certainty.OPEN)).cause if known else None
    proven = {variant.cause for variant in known if variant.certainty is Certainty.PROVEN}
    found: dict[Cause | None, list[int]] = {}
    for place, variant in zip(places, members, strict=True):
        found.setdefault(variant.cause if variant.cause in proven else surest, []).append(place)
    return found


def _kind(variant: ReportedVariant, stage: Stage, cause: Cause | None) -> object:
    if stage in {Stage.RESOLVE, Stage.INSTALL, Stage.IMPORT}:
        return fault(variant, stage)
    return cause if cause in _ALONE else (cause, fault(variant, stage))


def fault(variant: ReportedVariant, stage: Stage) -> object:
    """The kind of a failure at `stage`, apart from its cause."""
    match stage:
        case Stage.RESOLVE | Stage.INSTALL:
            return stage
        case Stage.IMPORT:
            return import_of(variant.error or "") or variant.signature
        case Stage.EAGER | Stage.EXPORT | Stage.CHECK:
            return variant.error_type
        case _:
            if is_above(variant.error or "") or (
                stage is Stage.LOAD and any(finding.startswith(ABOVE) for finding in variant.findings)
            ):
                return Cause.FORMAT_GATE
            failure = failure_of(stage, variant.error or "", (variant.node or {}).get("op_type"))
            # At parity the place is the output that is compared first.
            return failure.reason, None if stage is Stage.PARITY else failure.place
