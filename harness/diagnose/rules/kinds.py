"""Which failures of one stage are of one kind, so that a rule speaks of one fault and not of a stage. Pure.

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
from harness.verdicts.cross_checks import ABOVE
from harness.verdicts.messages import is_above
from harness.verdicts.report_model import ReportedVariant

MOST = 8
"""Kinds of one stage that are told apart; the rarest of more are one kind together."""

_CERTAINTY = list(Certainty)
_ALONE = {Cause.FORMAT_GATE, Cause.CONSUMER_PROTOCOL}
"""Causes that say what the failure is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureKind:
    """Failures of one kind, at one stage; sets of variants are integers, see conditions.py."""

    failed: int
    first: bool = False
    """Whether it is met before every other kind of its stage: whatever failed there otherwise has passed this one."""
    run_side: bool = False
    """Whether it is met on a handoff cell's run side."""


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
    return list(Stage).index(stage) >= list(Stage).index(Stage.LOAD)


def _by_cause(seen: Seen, places: Sequence[int]) -> dict[Cause | None, list[int]]:
    """Failures with one signature by their cause: one that is proven, or the surest, since not each was asked about as much."""
    members = [seen.members[place][1] for place in places]
    sure = [one for one in members if one.cause and one.certainty]
    surest = min(sure, key=lambda one: _CERTAINTY.index(one.certainty or Certainty.OPEN)).cause if sure else None
    proven = {one.cause for one in sure if one.certainty is Certainty.PROVEN}
    found: dict[Cause | None, list[int]] = {}
    for place, one in zip(places, members, strict=True):
        found.setdefault(one.cause if one.cause in proven else surest, []).append(place)
    return found


def _kind(variant: ReportedVariant, stage: Stage, cause: Cause | None) -> object:
    if stage in {Stage.RESOLVE, Stage.INSTALL, Stage.IMPORT}:
        return fault(variant, stage)
    return cause if cause in _ALONE else (cause, fault(variant, stage))


def fault(variant: ReportedVariant, stage: Stage) -> object:
    """What tells the kind of a failure at `stage`, whatever it is due to."""
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
            # At parity the place is the output that happens to be compared first.
            return failure.reason, None if stage is Stage.PARITY else failure.place
