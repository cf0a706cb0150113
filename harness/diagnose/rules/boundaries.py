"""Boundaries of rules, closed: the versions on the index between the last that failed and the first that passed, bisected.

Two bounds may depend on each other: a graph merged by onnx 1.19 needs a newer onnxruntime than one merged by onnx 1.16.
So a rule is closed at its corner, the cell in which all its bounds are at their last failing version, and the corner moves
along with each bound: the strongest claim of the rule was observed. The versions that were found stand in the rule and not
among the cells of the matrix; they are in the store, so that a later report finds them by the same steps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness import bisection
from harness.diagnose.rules.conditions import contradicted, holds
from harness.diagnose.rules.kinds import fault, on_run_side
from harness.environments import published_versions
from harness.environments.interface import ProviderFailure
from harness.environments.resolved import Resolved
from harness.errors import ConfigError
from harness.execution.extra_cells import ExtraCells, Pending
from harness.execution.session import Session
from harness.matrix.plan import Planned, by_version
from harness.model import ABSENT, Cause, Stage, Status
from harness.verdicts.judge import VariantVerdict
from harness.verdicts.report_schema import Report, ReportedVariant
from harness.verdicts.reporting import reported
from harness.verdicts.rule_model import Boundary, Condition, ConditionKind, Rule, Tried, text
from harness.verdicts.stages_passed import imports_all, passed

PROBES = 12
"""Largest number of cells for one boundary: enough for hundreds of versions, and for some that prove nothing."""

FAILS, PASSES = "fails", "passes"
_COARSE = "latest-per-minor"


def known(report: Report, session: Session) -> Report:
    """The report with the boundaries closed as far as the store knows."""
    return closed(report, session, ExtraCells(session, acts=False, cross_checked=True), axes=frozenset())


def close(report: Report, extra: ExtraCells) -> None:
    """Collect the cells that close the boundaries on the axes that the settings name; without names, on all."""
    session = extra.session
    acting = frozenset(session.settings.close_boundaries or report.axes)
    found = closed(report, session, extra, axes=acting)
    if not extra.work():
        boundaries = [boundary for rule in found.rules for boundary in rule.boundaries if boundary.name in acting]
        done = sum(boundary.closed for boundary in boundaries)
        session.note(f"boundaries closed: {done} of {len(boundaries)}; cells run for it: {len(extra.fresh)}")


def closed(report: Report, session: Session, acting: ExtraCells, *, axes: frozenset[str]) -> Report:
    """The report with the boundaries closed as far as `acting` knows on `axes`, and as far as the store knows elsewhere."""
    passive = ExtraCells(session, acts=False, cross_checked=True)
    by_axis = {axis: acting if axis in axes else passive for axis in report.axes if axis != "python"}
    closer = _Closer(report=report, session=session, extra=by_axis)
    rules = []
    for rule in report.rules:
        try:
            rules.append(closer.rule(rule))
        except Pending:
            rules.append(rule)
    return replace(report, rules=rules)


class _NotFinished(Exception):  # noqa: N818 -- no error: the boundary stays open
    """A bisection may run no more cells, or what it needs is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Closer:
    report: Report
    session: Session
    extra: Mapping[str, ExtraCells]
    """Axis → the extra cells with its versions."""

    def rule(self, rule: Rule) -> Rule:
        """The rule with closed boundaries, and with its atoms at them."""
        corner: Planned | None = None
        boundaries = [self._known(boundary) for boundary in rule.boundaries]
        for place, boundary in enumerate(boundaries):
            if boundary.closed or boundary.name not in self.extra or self._between(boundary, _COARSE) is None:
                continue
            corner = corner or self._corner(rule, self.extra[boundary.name])
            if corner is None:
                break
            boundaries[place] = self._boundary(rule, corner, boundary)
            corner = _with(corner, boundary.name, boundaries[place].fails)
        atoms = [_moved(atom, boundaries) for atom in rule.atoms]
        if atoms == rule.atoms or contradicted(
            self.report.cells, list(self.report.axes), atoms, rule.stage, run_side=self._run_side(rule)
        ):
            return replace(rule, boundaries=boundaries)
        return replace(rule, atoms=atoms, boundaries=boundaries, text=text(atoms, rule.stage))

    def _support(self, rule: Rule) -> list[ReportedVariant]:
        """The variants with failures that the rule explains."""
        return [variant for variant in self._failing(rule.stage) if variant.signature in rule.signatures]

    def _failing(self, stage: Stage) -> Iterator[ReportedVariant]:
        for cell in self.report.cells:
            yield from (variant for variant in cell.variants if variant.stage is stage and variant.status is Status.FAILS)

    def _run_side(self, rule: Rule) -> bool:
        return any(on_run_side(variant, rule.stage) for variant in self._support(rule))

    def _known(self, boundary: Boundary) -> Boundary:
        """The boundary with the recorded versions between its two sides."""
        if boundary.closed or boundary.name not in self.extra:
            return boundary
        recorded = self._between(boundary, "all", recorded=True)
        if recorded is None:
            return boundary
        between = list(_left(recorded, boundary))
        return replace(boundary, between=between, closed=not between and not _is_open(boundary))

    def _corner(self, rule: Rule, extra: ExtraCells) -> Planned | None:
        """The cell at all bounds, with one variant of the support; None if that variant is not seen to fail."""
        at = rule.boundaries[0].fails_at
        planned = self._resolved(at.cell).planned
        corner = replace(planned, variants=tuple(variant for variant in planned.variants if variant.id == at.variant))
        for boundary in rule.boundaries:
            corner = _with(corner, boundary.name, boundary.fails)
        return corner if self._trial(extra, corner, rule) == FAILS else None

    def _boundary(self, rule: Rule, corner: Planned, boundary: Boundary) -> Boundary:
        # The newest of every minor version first, then all between the two that are left.
        for policy in (_COARSE, "all"):
            versions = self._between(boundary, policy)
            if versions is None:
                return boundary
            boundary, finished = self._bisected(rule, corner, boundary, versions)
            if not finished:
                return self._known(boundary)
        return replace(boundary, between=[], closed=not _is_open(boundary))

    def _resolved(self, cell: str) -> Resolved:
        return next(resolved for resolved, _ in self.session.cells if resolved.cell.id == cell)

    def _trial(self, extra: ExtraCells, planned: Planned, rule: Rule) -> str | None:
        """The outcome of the only variant at the rule's stage; None if it is not known."""
        try:
            (verdict,) = extra.verdicts([planned])
        except ConfigError as error:
            # The matrix has been run: a version that the index has withdrawn since must not cost its report.
            self.session.note(f"{planned.cell.id} was not asked: {error}")
            return None
        outcome = _outcome(verdict.variants[0], rule.stage)
        if outcome not in {FAILS, PASSES}:
            return outcome
        if astray := self._astray(verdict.resolved, rule):
            return astray
        cell = reported(verdict)
        (variant,) = cell.variants
        if outcome == PASSES:
            tried = rule.stage is not Stage.IMPORT or imports_all(cell) or not self._run_side(rule)
            return PASSES if tried else f"{variant.status} at {variant.stage}"
        if self._fails_alike(variant, rule):
            return FAILS
        # A stamp is read before anything else of a file is.
        return PASSES if set(rule.causes) == {Cause.FORMAT_GATE} else f"fails in another way at {rule.stage}"

    def _fails_alike(self, variant: ReportedVariant, rule: Rule) -> bool:
        """Whether `variant`, which fails at the rule's stage, fails in the way that the rule explains."""
        if variant.signature in rule.signatures:
            return True
        if any(other.signature == variant.signature for other in self._failing(rule.stage)):
            return False
        return fault(variant, rule.stage) in {fault(other, rule.stage) for other in self._support(rule)}

    def _astray(self, resolved: Resolved, rule: Rule) -> str | None:
        """The condition of the rule that the lock of a trial does not meet: then it is no trial of the rule."""
        if resolved.lock is None:
            return None
        versions = {**resolved.lock.versions}
        if not self._run_side(rule) and (side := resolved.sides.get("export")):
            versions |= side.versions
        for atom in rule.atoms:
            version = versions.get(atom.name, ABSENT)
            if atom.kind is ConditionKind.TRANSITIVE and not holds(atom, version):
                return f"resolves to {atom.name} {version}"
        return None

    def _between(self, boundary: Boundary, policy: str, *, recorded: bool = False) -> list[str] | None:
        """The versions of the index between the two sides, oldest first; None if they are unknown, or not `recorded`."""
        session, name = self.session, boundary.name
        interpreter = self._resolved(boundary.fails_at.cell).interpreter
        older, newer = sorted((boundary.fails, boundary.passes), key=by_version)
        # An index that is not asked may have versions that are not recorded.
        acts = self.extra[name].acts and not recorded
        ask = acts and not session.uv.offline and time.monotonic() < session.deadline
        look_up = f"{name} between {older} and {newer}"
        if interpreter is None or look_up in session.extra_cells.unanswered:
            return None
        provider, asked_for = session.provider(name, interpreter)
        try:
            found = published_versions.between(
                name, (older, newer), policy, answers=session.answers, provider=provider, python=asked_for, ask=ask
            )
        except ProviderFailure as failure:
            session.extra_cells.unanswered.add(look_up)
            *_, reason = str(failure).strip().splitlines() or [failure.type.value]
            session.note(f"{look_up} stays open: {reason.strip()}")
            return None
        if found is None and acts and session.uv.offline:
            session.note(f"{look_up} stays open: no index is asked (--offline)")
        return found

    def _bisected(self, rule: Rule, corner: Planned, boundary: Boundary, versions: Sequence[str]) -> tuple[Boundary, bool]:
        """The boundary between two neighbours of `versions`, and whether the bisection came to its end."""
        newest_first = [*_left(versions, boundary)][::-1]
        newest = max(boundary.fails, boundary.passes, key=by_version)
        older, newer = (PASSES, FAILS) if newest == boundary.fails else (FAILS, PASSES)

        def probe(places: Sequence[int]) -> list[bool | None]:
            nonlocal boundary
            if len(boundary.tried) >= PROBES:
                raise _NotFinished
            (version,) = (newest_first[place - 1] for place in places)
            outcome = self._trial(self.extra[boundary.name], _with(corner, boundary.name, version), rule)
            if outcome is None:
                raise _NotFinished
            boundary = _narrowed(boundary, Tried(version=version, outcome=outcome))
            return [{newer: True, older: False}.get(outcome)]

        try:
            bisection.transition(len(newest_first) + 1, probe)
        except _NotFinished:
            return boundary, False
        return boundary, True


def _with(planned: Planned, axis: str, version: str) -> Planned:
    """`planned` with that version on `axis`, if it has one there."""
    return planned if planned.cell.version(axis) in {version, None} else planned.with_version(axis, version)


def _left(versions: Sequence[str], boundary: Boundary) -> Iterator[str]:
    """The `versions` between the two sides that were not tried yet, without pre-releases."""
    older, newer = sorted(map(by_version, (boundary.fails, boundary.passes)))
    tried = {trial.version for trial in boundary.tried}
    for version in versions:
        if version not in tried and older < by_version(version) < newer and not by_version(version).is_prerelease:
            yield version


def _is_open(boundary: Boundary) -> bool:
    """Whether a version that was tried ended in an error or flaky, which proves nothing."""
    return any(trial.outcome.startswith((Status.ERROR, Status.FLAKY)) for trial in boundary.tried)


def _outcome(verdict: VariantVerdict, stage: Stage) -> str | None:
    """`fails` or `passes` the stage; how it ended if it is neither; None if it was not run."""
    if passed(verdict, stage):
        return PASSES
    if verdict.open or verdict.status is Status.NOT_RUN:
        return None
    if verdict.stage is stage and verdict.status is Status.FAILS:
        return FAILS
    return f"{verdict.status.value} at {verdict.stage}"


def _narrowed(boundary: Boundary, tried: Tried) -> Boundary:
    """The boundary after one more trial."""
    boundary = replace(boundary, tried=[*boundary.tried, tried])
    match tried.outcome:
        case "fails":
            failed = sorted([*boundary.failed, tried.version], key=by_version)
            return replace(boundary, fails=tried.version, failed=failed)
        case "passes":
            passed = sorted([*boundary.passed, tried.version], key=by_version)
            return replace(boundary, passes=tried.version, passed=passed)
        case _:
            return boundary


def _moved(atom: Condition, boundaries: Sequence[Boundary]) -> Condition:
    """The atom with its bound at the boundary."""
    for boundary in boundaries:
        if atom.kind is ConditionKind.AXIS and atom.name == boundary.name:
            upper = by_version(boundary.fails) < by_version(boundary.passes)
            if atom.op == "<" and upper:
                return replace(atom, value=boundary.passes)
            if atom.op == ">=" and not upper:
                return replace(atom, value=boundary.fails)
    return atom
