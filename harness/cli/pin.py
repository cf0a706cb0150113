"""The command pin."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rich.console import Console

from harness import invocation, pipeline, published_reports, report_locations
from harness.cli.console import show
from harness.cli.progress import listener
from harness.cli.published_reports import same_question
from harness.cli.settings import settings_of
from harness.cli.version_sets import INCONCLUSIVE, given, opened_experiments
from harness.decide import choose, version_files, version_sets
from harness.decide import pin as pinning
from harness.decide.complete_sets import Unanswered
from harness.decide.remedied_cells import remedied
from harness.decide.version_sets import Versions
from harness.diagnose import assembly
from harness.errors import VersionsError
from harness.execution import extra_cells
from harness.execution.preparation import opened, opened_without_cells
from harness.execution.session import Session
from harness.matrix.plan import Planned
from harness.matrix.selection import VARIANT_FIELDS
from harness.model import Cell, Status, Variant
from harness.report import files, recipe
from harness.report.page import Page
from harness.report.pages import pin as pages
from harness.report.pages.set_outcomes import ending
from harness.stack import required_axes
from harness.store.access import Access
from harness.verdicts.judge import Verdict
from harness.verdicts.report_schema import Report, ReportedCell


def pin(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Choose among observed working sets, or take the one that is named, and write its lock."""
    if options.list:
        if options.from_ or options.prefer or options.python:
            raise VersionsError("--list lists the working sets of the matrix: leave out --from, --prefer and --python")
        requires = [version_sets.requirement(text, "--require") for text in options.require]
        show(pages.listing(choose.newest(_listed(options, err), requires)), options.format, out)
        return 0
    files.require_writable(options.reports)
    if options.from_ is not None:
        return _pin_given(options, out, err)
    _refuse_what_changes_a_set(options)
    settings = settings_of(options)
    requires = [version_sets.requirement(text, "--require") for text in options.require]
    prefer, like = _preference(options)
    with listener(err, quiet=options.quiet) as listen:
        candidates = _candidates(opened(settings, listen, acts=False, access=Access.ADD), options)
        chosen = choose.choose(candidates.report, requires, prefer, like, candidates.remedied)
        if chosen is None:
            show(_nothing(candidates, requires), options.format, out)
            return 1
        session = opened_without_cells(settings, listen)
        verdict = candidates.verdicts.get(chosen.id) or _verdict(session, _as_reported(chosen, requires))
        if verdict.resolved.foreign:
            # Of a merged store: the same question, solved here before anything is installed.
            verdict = _verdict(session, _with_bounds(verdict.resolved.planned, requires))
        if missed := choose.missed(verdict, requires):
            answer = f"{chosen.id} does not satisfy {missed} with today's releases, and is not pinned"
            show(pages.nothing(answer, []), options.format, out)
            return 1
        remedy = "; ".join(chosen.remedies) if chosen.id in candidates.remedied else ""
        support = choose.support(candidates.report, verdict)
        written = pinning.write(session, verdict, support, options.reports, recipe=recipe.render, remedy=remedy)
    show(pages.page(written, remedy), options.format, out)
    return 0


def _refuse_what_changes_a_set(options: argparse.Namespace) -> None:
    """Raise VersionsError if an option changes a set, and none is given."""
    for name in ("with_", "exporter", "opset", "layout"):
        if getattr(options, name):
            raise VersionsError(
                f"--{name.rstrip('_')} goes with --from; of the matrix's cells choose with --require, --select and --exclude"
            )
    if options.python and (options.prefer or [""])[0] != "smallest-change-from":
        given = f"--python {options.python}"
        raise VersionsError(f"{given} goes with --from or smallest-change-from: use --require python=={options.python}")


def _listed(options: argparse.Namespace, err: Console) -> Report:
    """The report whose working sets are listed: of the store; where that knows of none, a published one."""
    shipped = same_question(options)
    if shipped and isinstance(options.store, Path) and not options.store.exists():
        return shipped.report
    with listener(err, quiet=True) as listen:
        return _candidates(opened(settings_of(options), listen, acts=False, access=Access.ADD), options).report


@dataclass(frozen=True, kw_only=True, slots=True)
class _Candidates:
    """The cells to choose among."""

    report: Report
    verdicts: Mapping[str, Verdict]
    """Cell id → its verdict; empty if the report is a published one, and the store knows nothing."""
    remedied: Collection[str]
    """Ids of the cells that work with a remedy only."""


def _candidates(session: Session, options: argparse.Namespace) -> _Candidates:
    """What the store knows to work; if that is nothing, what the published report names."""
    verdicts = session.verdicts()
    report = pipeline.report(session, verdicts)
    able = remedied(session, verdicts, assembly.remedies(session, verdicts))
    report = choose.with_locks(report, able)
    own = report_locations.report_in(options.reports)
    other = published_reports.read(own) if own else same_question(options)
    if choose.working_cells(report) or able or other is None:
        known = {verdict.cell.id: verdict for verdict in verdicts} | able
        return _Candidates(report=report, verdicts=known, remedied=able.keys())
    needed = [axis for axis in required_axes(session.matrix.axes) if axis in session.matrix.axes]
    complete = choose.complete(other.report, needed, other.name)
    return _Candidates(report=complete, verdicts={}, remedied=())


def _nothing(candidates: _Candidates, requires: Sequence[Requirement]) -> Page[None]:
    """The page where no candidate satisfies the requirements."""
    required = f" satisfies {', '.join(map(str, requires))}" if requires else ""
    details = choose.nearest(candidates.report, requires)
    if not candidates.verdicts and candidates.report.count(Status.WORKS_WITH_REMEDY):
        details.append(f"what works with a remedy is pinned where that was run: `{invocation.command('run')}`, then `pin`")
    return pages.nothing(f"no observed working set{required}", details)


def _pin_given(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Pin the set in `--from`, if it works."""
    if options.require or options.prefer or options.select or options.exclude:
        raise VersionsError("--from names the set: leave out --require, --prefer, --select and --exclude")
    with opened_experiments(options, err) as (experiments, _):
        try:
            (found,) = experiments.run([experiments.complete(given(options).versions(options.from_, experiments))])
        except Unanswered as reason:
            show(pages.nothing(str(reason), []), options.format, out)
            return INCONCLUSIVE
        verdict = found.verdict
        if missing := found.versions.missing:
            result = "works" if verdict.status is Status.WORKS else "does not work"
            answer = f"{found.versions.source} {result} without what was not installed, and is not pinned"
            show(pages.nothing(answer, missing), options.format, out)
            return INCONCLUSIVE
        if verdict.status is not Status.WORKS:
            ends = dict.fromkeys(ending(variant) for variant in verdict.variants if variant.status is not Status.WORKS)
            hint = f"`check --from {options.from_}` looks for a change that makes it work; --with, --opset, … apply it here"
            answer = f"{found.versions.source} does not work, and is not pinned"
            show(pages.nothing(answer, [*ends, hint]), options.format, out)
            return 1 if verdict.status is Status.FAILS else INCONCLUSIVE
        written = pinning.write(experiments.session, verdict, {}, options.reports, recipe=recipe.render)
    show(pages.page(written), options.format, out)
    return 0


def _preference(options: argparse.Namespace) -> tuple[str, Versions | None]:
    match options.prefer:
        case None | ["newest"]:
            return "newest", None
        case ["robust"]:
            return "robust", None
        case ["smallest-change-from", file]:
            return "smallest-change", version_files.read(Path(file), options.python, None)
        case _:
            given = " ".join(options.prefer)
            raise VersionsError(f"--prefer {given}: expected newest, robust or smallest-change-from FILE")


def _as_reported(chosen: ReportedCell, requires: Sequence[Requirement]) -> Planned:
    """A cell of a report, with every version as the report has it."""
    cell = Cell(id=chosen.id, python=chosen.python, pins=tuple(chosen.pins.items()), setup=chosen.environment)
    # A bound holds for both sides of a handoff, so only versions that both have can be bounds.
    sides = chosen.resolved_sides.values()
    alike = {
        name: version for name, version in chosen.resolved.items() if all(side.get(name, version) == version for side in sides)
    }
    bounds = [f"{name}=={version}" for name, version in alike.items() if name not in chosen.pins]
    variants = tuple(Variant(**{name: getattr(variant, name) for name in VARIANT_FIELDS}) for variant in chosen.variants)
    planned = Planned(cell=cell, variants=variants, bounds=tuple(bounds))
    # The rest is resolved again, and the requirements hold for it too.
    return _with_bounds(planned, [bound for bound in requires if canonicalize_name(bound.name) not in alike])


def _with_bounds(planned: Planned, requires: Sequence[Requirement]) -> Planned:
    """`planned`, whose lock satisfies the requirements too; those of its own versions it satisfies already."""
    given = {"python", *dict(planned.cell.pins)}
    bounds = [str(bound) for bound in requires if bound.specifier and canonicalize_name(bound.name) not in given]
    return replace(planned, bounds=tuple(dict.fromkeys([*planned.bounds, *bounds])))


def _verdict(session: Session, planned: Planned) -> Verdict:
    """The verdict on `planned`, on this machine."""
    with session:
        (verdict,) = extra_cells.run(session, [planned])
    return verdict
