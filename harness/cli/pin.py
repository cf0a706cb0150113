"""The command pin: options in, a lock and its exit code out. Part of the command line (commands.py)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rich.console import Console
from rich.text import Text

from harness import merge, pipeline
from harness.cli.given import settings_of
from harness.cli.progress import listener
from harness.cli.version_sets import INCONCLUSIVE, experiments, given_set, page, say, write_json
from harness.decide import choose, version_sets
from harness.decide import pin as pinning
from harness.decide.experiments import Unanswered
from harness.decide.regressions import named
from harness.decide.remedied import remedied
from harness.decide.version_sets import Versions
from harness.diagnose import assembly
from harness.errors import VersionsError
from harness.execution.opening import opened, opened_for_questions
from harness.execution.session import Session
from harness.matrix.plan import Planned
from harness.matrix.selection import VARIANT_FIELDS
from harness.model import Cell, Status, Variant
from harness.report import answers, files, recipe
from harness.stack import REQUIRED_AXES
from harness.store.access import Access
from harness.verdicts.judge import Verdict
from harness.verdicts.report_model import ReportedCell


def pin(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Choose among observed working sets, or take the one that is named, and write its lock."""
    settings = settings_of(options)
    files.require_writable(options.reports)
    if options.from_ is not None:
        return _pin_given(options, out, err)
    for name, value in (
        ("--with", options.with_),
        ("--exporter", options.exporter),
        ("--opset", options.opset),
        ("--layout", options.layout),
    ):
        if value:
            raise VersionsError(f"{name} goes with --from; of the matrix's cells choose with --require, --select and --exclude")
    requires = [version_sets.requirement(text, "--require") for text in options.require]
    prefer, like = _preference(options)
    with listener(err, quiet=options.quiet) as listen:
        known = opened(settings, listen, acts=False, access=Access.ADD)
        verdicts = known.verdicts()
        report = pipeline.report(known, verdicts)
        able = remedied(known, verdicts, assembly.remedies(known, verdicts))
        observed = {one.cell.id: one for one in verdicts} | able
        published = options.reports / "matrix.json"
        if not choose.working_cells(report) and not able and published.is_file():
            needed = [axis for axis in REQUIRED_AXES if axis in known.matrix.axes]
            report, observed, able = choose.complete(merge.read(published), needed, str(published)), {}, {}
        chosen = choose.choose(report, requires, prefer, like, able)
        if chosen is None:
            asked = f" satisfies {', '.join(map(str, requires))}" if requires else ""
            details = choose.nearest(report, requires)
            if not observed and any(cell.status is Status.WORKS_WITH_REMEDY for cell in report.cells):
                details.append("what works with a remedy is pinned where that was run: `python -m harness run`, then `pin`")
            _answer_no(f"no observed working set{asked}", details, options, out)
            return 1
        session = opened_for_questions(settings, listen).with_matrix(known.matrix)
        verdict = observed[chosen.id] if observed else _asked(session, _as_reported(chosen, requires))
        if verdict.resolved.foreign:
            # Of a merged store: the same question, solved here before anything is installed.
            verdict = _asked(session, verdict.resolved.planned)
        remedy = "; ".join(chosen.remedies) if chosen.id in able else ""
        written = pinning.write(
            session, verdict, choose.support(report, verdict), options.reports, recipe=recipe.render, remedy=remedy
        )
    _tell_pin(written, options, out, remedy)
    return 0


def _pin_given(options: argparse.Namespace, out: Console, err: Console) -> int:
    if options.require or options.prefer or options.select or options.exclude:
        raise VersionsError("--from names the set: leave out --require, --prefer, --select and --exclude")
    with experiments(options, err) as (desk, _):
        try:
            (asked,) = desk.ask([desk.complete(given_set(options.from_, desk, options))])
        except Unanswered as reason:
            _answer_no(str(reason), [], options, out)
            return INCONCLUSIVE
        verdict = asked.verdict
        if verdict.status is not Status.WORKS:
            ends = dict.fromkeys(answers.ending(one) for one in verdict.variants if one.status is not Status.WORKS)
            hint = f"`check --from {options.from_}` tries what mends it; --with, --opset, … take it here"
            _answer_no(f"{asked.versions.source} does not work, and is not pinned", [*ends, hint], options, out)
            return 1 if verdict.status is Status.FAILS else INCONCLUSIVE
        written = pinning.write(desk.session, verdict, {}, options.reports, recipe=recipe.render)
    _tell_pin(written, options, out)
    return 0


def _preference(options: argparse.Namespace) -> tuple[str, Versions | None]:
    match options.prefer:
        case None | ["newest"]:
            return "newest", None
        case ["robust"]:
            return "robust", None
        case ["smallest-change-from", file]:
            return "smallest-change", version_sets.read(Path(file), options.python, None)
        case _:
            said = " ".join(options.prefer)
            raise VersionsError(f"--prefer {said}: expected newest, robust or smallest-change-from FILE")


def _as_reported(chosen: ReportedCell, requires: Sequence[Requirement]) -> Planned:
    """A cell that a report recommends, with every version as the report has it."""
    cell = Cell(id=chosen.id, python=chosen.python, pins=tuple(chosen.pins.items()), setup=chosen.environment)
    # Of a handoff only what both sides have alike can hold for both.
    sides = chosen.resolved_sides.values()
    alike = {
        name: version for name, version in chosen.resolved.items() if all(side.get(name, version) == version for side in sides)
    }
    bounds = [f"{name}=={version}" for name, version in alike.items() if name not in chosen.pins]
    # What they have otherwise is resolved anew, and what is required holds for it too.
    given = {"python", *chosen.pins, *alike}
    bounds += [str(one) for one in requires if one.specifier and canonicalize_name(one.name) not in given]
    variants = tuple(Variant(**{name: getattr(one, name) for name in VARIANT_FIELDS}) for one in chosen.variants)
    return Planned(cell=cell, variants=variants, bounds=tuple(bounds))


def _asked(session: Session, planned: Planned) -> Verdict:
    """What `planned` comes to on this machine."""
    with session:
        (verdict,) = session.ask([planned])
    return verdict


def _answer_no(said: str, details: Sequence[str], options: argparse.Namespace, out: Console) -> None:
    match options.format:
        case "json":
            write_json({"pinned": None, "why": said, "details": list(details)})
        case "markdown":
            sys.stdout.write(page(said, details))
        case _:
            out.print(Text(said, style="bold"))
            say(details, out)


def _tell_pin(written: pinning.WrittenPin, options: argparse.Namespace, out: Console, remedy: str = "") -> None:
    cell = written.verdict.cell
    title = f"{cell.id}{f' with {remedy}' if remedy else ''}"
    versions = ", ".join(f"{name} {version}" for name, version in cell.pins)
    details = [f"Python {cell.python}, {versions}", f"export: {named(written.variant)}"]
    details += [str(written.folder / name) for name in written.files]
    match options.format:
        case "json":
            write_json(
                {
                    "pinned": cell.id,
                    "folder": str(written.folder),
                    "files": list(written.files),
                    "python": cell.python,
                    "pins": dict(cell.pins),
                    "variant": written.variant.id,
                    "remedy": remedy or None,
                }
            )
        case "markdown":
            sys.stdout.write(page(f"{title} works, and was confirmed in a fresh environment", details))
        case _:
            out.print(Text(f"{title}  works, and was confirmed in a fresh environment", style="bold"))
            say(details, out)
