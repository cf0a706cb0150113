"""Boundaries of rules, closed: the versions on the index between the last that failed and the first that passed, bisected.

Each is tried in an otherwise equal cell, with the one variant (lab.py). What was found out stands in the rule and not
among the cells of the matrix; it is in the store, so that a later report finds it again by the same steps.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness import axes
from harness.diagnose.terms import Atom, Boundary, Kind, Rule, Tried, text
from harness.errors import SelectionError, did_you_mean
from harness.events import Listener, Note
from harness.lab import Lab
from harness.model import Stage, Status
from harness.plan import Planned, by_version
from harness.prepare import Prepared, Settings
from harness.report.contract import Report
from harness.uv import UvFailure
from harness.verdict import VariantVerdict

PROBES = 12
"""Cells that are asked for one boundary, at most: enough for hundreds of versions, and for some that say nothing."""

FAILS, PASSES = "fails", "passes"


def require_known(names: Sequence[str], axes: Iterable[str]) -> None:
    """Raise SelectionError where one of `names` is no axis whose versions an index has."""
    able = [axis for axis in axes if axis != "python"]
    for name in names:
        if name not in able:
            raise SelectionError(
                f"--close-boundaries names {name!r}, which is no axis of distributions{did_you_mean(name, able)}"
            )


def close(report: Report, prepared: Prepared, settings: Settings, listen: Listener, *, act: bool) -> Report:
    """The report with the boundaries closed on the axes that `settings` name; without `act`, as far as that is known.

    Raises:
        Interrupted: Ctrl-C; what was finished is stored.
    """
    named = settings.close_boundaries if act else ()
    wanted = set(named or report.axes) - {"python"}
    with Lab(prepared, settings, listen, act=act) as lab:
        closer = _Closer(prepared=prepared, lab=lab, listen=listen, act=act, wanted=wanted)
        closed = replace(report, rules=[closer.rule(rule) for rule in report.rules])
        if act:
            boundaries = [one for rule in closed.rules for one in rule.boundaries if one.name in wanted]
            done = sum(one.closed for one in boundaries)
            listen(Note(text=f"boundaries closed: {done} of {len(boundaries)}; cells run for it: {lab.asked}"))
    return closed


@dataclass(frozen=True, kw_only=True, slots=True)
class _Closer:
    prepared: Prepared
    lab: Lab
    listen: Listener
    act: bool
    wanted: set[str]

    def rule(self, rule: Rule) -> Rule:
        """The rule with the versions that were found."""
        boundaries = [self._boundary(rule, one) if one.equal and one.name in self.wanted else one for one in rule.boundaries]
        atoms = [_moved(atom, boundaries) for atom in rule.atoms]
        return replace(rule, atoms=atoms, boundaries=boundaries, text=text(atoms, rule.stage))

    def _boundary(self, rule: Rule, boundary: Boundary) -> Boundary:
        planned = self._planned(boundary)
        # The newest of every minor version first, then all between the two that are left.
        for policy in ("latest-per-minor", "all"):
            versions = self._between(planned, boundary, policy)
            if versions is None:
                return boundary
            boundary, finished = self._bisected(rule.stage, planned, boundary, versions)
            if not finished:
                return boundary
        return replace(boundary, closed=not any(one.outcome.startswith(Status.ERROR) for one in boundary.tried))

    def _planned(self, boundary: Boundary) -> Planned:
        """The cell that fails, with the one variant."""
        planned = next(one.planned for one, _ in self.prepared.cells if one.cell.id == boundary.fails_at.cell)
        return replace(planned, variants=tuple(one for one in planned.variants if one.id == boundary.fails_at.variant))

    def _between(self, planned: Planned, boundary: Boundary, policy: str) -> list[str] | None:
        """What the index has between the two sides, oldest first; None where nobody knows."""
        prepared, name = self.prepared, boundary.name
        interpreter = next(one.interpreter for one, _ in prepared.cells if one.cell.id == planned.cell.id)
        older, newer = sorted((boundary.fails, boundary.passes), key=by_version)
        # What an index that is not asked does not name may be there all the same.
        ask = self.act and not prepared.uv.offline and time.monotonic() < prepared.deadline
        if interpreter is None:
            return None
        try:
            return axes.between(name, (older, newer), policy, store=prepared.store, uv=prepared.uv, python=interpreter, ask=ask)
        except UvFailure as failure:
            said = str(failure).strip().splitlines()[-1:]
            self.listen(Note(text=f"{name} between {older} and {newer} stays open: {''.join(said)}"))
            return None

    def _bisected(self, stage: Stage, planned: Planned, boundary: Boundary, versions: Sequence[str]) -> tuple[Boundary, bool]:
        """The boundary between two of `versions` with nothing of them between, and whether it came to that."""
        while left := list(_left(versions, boundary)):
            if len(boundary.tried) >= PROBES:
                return boundary, False
            version = left[len(left) // 2]
            (verdict,) = self.lab.ask([_with(planned, boundary.name, version)])
            outcome = _outcome(verdict.variants[0], stage)
            if outcome is None:
                return boundary, False
            boundary = _narrowed(boundary, Tried(version=version, outcome=outcome))
        return boundary, True


def _with(planned: Planned, axis: str, version: str) -> Planned:
    """The same with another version on one axis, which no matrix has an id for."""
    pins = tuple((name, version if name == axis else pinned) for name, pinned in planned.cell.pins)
    return replace(planned, cell=replace(planned.cell, id=f"{planned.cell.id} with {axis} {version}", pins=pins))


def _left(versions: Sequence[str], boundary: Boundary) -> Iterator[str]:
    """Those of `versions` that lie between the two sides and were not tried yet; no pre-releases."""
    older, newer = sorted(map(by_version, (boundary.fails, boundary.passes)))
    tried = {one.version for one in boundary.tried}
    for version in versions:
        if version not in tried and older < by_version(version) < newer and not by_version(version).is_prerelease:
            yield version


def _outcome(verdict: VariantVerdict, stage: Stage) -> str | None:
    """`fails` or `passes` the stage; how it ended where that says nothing; None where it was not run."""
    order = list(Stage).index
    if verdict.stage is None or order(verdict.stage) > order(stage):
        return PASSES
    if verdict.open or verdict.status is Status.NOT_RUN:
        return None
    if verdict.stage is stage and verdict.status is Status.FAILS:
        return FAILS
    return f"{verdict.status.value} at {verdict.stage.value}"


def _narrowed(boundary: Boundary, tried: Tried) -> Boundary:
    """The boundary with what was tried."""
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


def _moved(atom: Atom, boundaries: Sequence[Boundary]) -> Atom:
    """The atom with its bound at the boundary, as it was found."""
    for one in boundaries:
        if atom.kind is Kind.AXIS and atom.name == one.name:
            upper = by_version(one.fails) < by_version(one.passes)
            if atom.op == "<" and upper:
                return replace(atom, value=one.passes)
            if atom.op == ">=" and not upper:
                return replace(atom, value=one.fails)
    return atom
