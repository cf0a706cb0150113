"""The commands pin, check and bisect: options in, an answer and its exit code out. Part of the command line (cli.py)."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from rich.console import Console
from rich.text import Text

from harness import merge
from harness.board import listener
from harness.decide import choose, current, pin, told
from harness.decide.asking import Desk, Unanswered, asked_variants
from harness.decide.bisect import Bisect
from harness.decide.check import Answer, Check, Checked, Upgrade
from harness.decide.compare import named
from harness.decide.current import Versions
from harness.errors import VersionsError
from harness.events import Listener
from harness.lab import Lab
from harness.model import Cell, Status, Variant
from harness.plan import Planned
from harness.prepare import Prepared, Settings, prepare, workbench
from harness.report import files
from harness.report.contract import ReportedCell
from harness.select import VARIANT_FIELDS
from harness.verdict import Verdict

INCONCLUSIVE = 3


@contextmanager
def _desk(
    settings: Settings, options: argparse.Namespace, err: Console, *, constraints: bool
) -> Iterator[tuple[Desk, Listener]]:
    """A desk to ask at; what the matrix adds to a cell's requirements is left out unless `constraints`."""
    with listener(err, quiet=options.quiet) as listen:
        prepared = workbench(settings, listen)
        matrix, variants = asked_variants(prepared.matrix, options.exporter, options.opset, options.layout)
        if not constraints:
            matrix = matrix.model_copy(update={"constraint": []})
        prepared = replace(prepared, matrix=matrix)
        with Lab(prepared, settings, listen, act=True, refresh=settings.refresh) as lab:
            yield Desk(prepared, lab, variants), listen


def _set(path: Path | None, desk: Desk, options: argparse.Namespace) -> Versions:
    """The set in `path`, or what the matrix leaves no choice about, with `--python` and `--with`."""
    axes = desk.prepared.matrix.axes
    only = {axis: values[0] for axis, values in axes.items() if len(values) == 1 and ";" not in values[0]}
    if path is not None:
        found = current.read(path, options.python, only.get("python"))
    else:
        python = options.python or only.pop("python", None)
        exact = {axis: version for axis, version in only.items() if axis != "python" and version != "absent"}
        found = Versions(source="what is given", python=python, exact=exact)
    return found.with_(current.distribution(text, "--with") for text in options.with_)


def check(settings: Settings, options: argparse.Namespace, out: Console, err: Console) -> int:
    """Whether an upgrade breaks."""
    if options.to and options.outdated:
        raise VersionsError("--to and --outdated are two questions: leave out one")
    with _desk(settings, options, err, constraints=False) as (desk, _):
        try:
            question = Check(desk, _set(options.from_, desk, options), desk.remedy)
            if options.outdated:
                found = question.outdated()
            elif options.to:
                found = question.to(_targets(options.to, options.python))
            else:
                found = question.alone()
        except Unanswered as reason:
            unknown = Upgrade(answer=Answer.UNKNOWN, changes=(), forced=(), target=None, why=str(reason))
            found = Checked(answer=Answer.UNKNOWN, current=None, upgrades=(unknown,))
    _tell_check(found, desk.prepared.store.root, options, out)
    return {Answer.SAFE: 0, Answer.BREAKS: 1, Answer.UNKNOWN: INCONCLUSIVE}[found.answer]


def _targets(texts: Sequence[str], python: str | None) -> list[Requirement]:
    """Requirements, one by one or those of a file."""
    found: list[Requirement] = []
    for text in texts:
        if Path(text).exists():
            read = current.read(Path(text), python, None)
            found += [Requirement(f"{name}=={version}") for name, version in read.exact.items()]
            found += map(Requirement, read.open)
        elif Path(text).suffix in _FILES:
            raise VersionsError(f"--to {text}: no such file")
        else:
            found.append(current.distribution(text, "--to"))
    return found


_FILES = {".txt", ".in", ".toml", ".lock"}
"""How no requirement ends."""


def _tell_check(found: Checked, store: Path, options: argparse.Namespace, out: Console) -> None:
    match options.format:
        case "json":
            _write_json(told.check_json(found))
        case "markdown":
            sys.stdout.write(told.check_markdown(found, store))
        case "github":
            sys.stdout.write(told.check_annotations(found, store))
            if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
                with Path(summary).open("a", encoding="utf-8") as file:
                    file.write(told.check_markdown(found, store))
        case _:
            for one in found.upgrades:
                out.print(Text(f"{one.answer.value}  {told.title(one)}", style=_STYLES[one.answer]))
                _say(told.check_lines(one, store), out)
            _say([*([told.now(found.current)] if found.current else []), *found.notes], out)


_STYLES = {Answer.SAFE: "bold #009E73", Answer.BREAKS: "bold #D55E00", Answer.UNKNOWN: "bold #E69F00"}


def bisect(settings: Settings, options: argparse.Namespace, out: Console, err: Console) -> int:
    """Which release broke it."""
    with _desk(settings, options, err, constraints=False) as (desk, listen):
        try:
            suspect = canonicalize_name(options.axis) if options.axis else None
            found = Bisect(desk, listen).search(*_ends(desk, options), suspect)
        except Unanswered as reason:
            match options.format:
                case "json":
                    _write_json({"suspects": [], "why": str(reason)})
                case "markdown":
                    sys.stdout.write(f"# UNKNOWN\n\n{reason}\n")
                case _:
                    out.print(Text(f"UNKNOWN  {reason}"))
            return INCONCLUSIVE
    match options.format:
        case "json":
            _write_json(told.bisect_json(found))
        case "markdown":
            sys.stdout.write(told.bisect_markdown(found, desk.prepared.store.root))
        case _:
            out.print(Text(told.culprit(found), style="bold"))
            _say(told.bisect_lines(found, desk.prepared.store.root), out)
    return INCONCLUSIVE if found.unproven else 0


def _ends(desk: Desk, options: argparse.Namespace) -> tuple[Versions, Versions]:
    """The good set and the bad one: two files, or two versions of `--axis` in one set."""
    ends = []
    for option, text in (("--good", options.good), ("--bad", options.bad)):
        path = Path(text)
        if path.exists():
            ends.append(_set(path, desk, options))
        elif options.axis is None:
            raise VersionsError(f"{option} {text}: no such file; for a version name the distribution with --axis")
        elif not _is_version(text):
            raise VersionsError(f"{option} {text}: neither a file nor a version of {options.axis}")
        else:
            base = _set(options.from_, desk, options)
            named_end = current.distribution(f"{options.axis}=={text}", option)
            ends.append(replace(base.with_([named_end]), source=f"{options.axis} {text}"))
    return ends[0], ends[1]


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def pin_(settings: Settings, options: argparse.Namespace, out: Console, err: Console) -> int:
    """Choose among observed working sets, or take the one that is named, and write its lock."""
    files.require_writable(options.reports)
    if options.from_ is not None:
        return _pin_given(settings, options, out, err)
    for name, value in (
        ("--with", options.with_),
        ("--exporter", options.exporter),
        ("--opset", options.opset),
        ("--layout", options.layout),
    ):
        if value:
            raise VersionsError(f"{name} goes with --from; of the matrix's cells choose with --require, --select and --exclude")
    requires = [current.requirement(text, "--require") for text in options.require]
    prefer, like = _preference(options)
    with listener(err, quiet=options.quiet) as listen:
        known = prepare(settings, listen, ask=False)
        verdicts = known.verdicts()
        report, observed = known.report(verdicts), {one.cell.id: one for one in verdicts}
        published = options.reports / "matrix.json"
        if not choose.working_cells(report) and published.is_file():
            report, observed = merge.read(published), {}
        chosen = choose.choose(report, requires, prefer, like)
        if chosen is None:
            asked = ", ".join(map(str, requires)) or "anything"
            _answer_no(f"no observed working set satisfies {asked}", choose.nearest(report, requires), options, out)
            return 1
        prepared = replace(workbench(settings, listen), matrix=known.matrix)
        verdict = observed[chosen.id] if observed else _observe(prepared, settings, chosen, listen)
        written = pin.write(prepared, verdict, choose.support(report, verdict), options.reports)
    _tell_pin(written, options, out)
    return 0


def _pin_given(settings: Settings, options: argparse.Namespace, out: Console, err: Console) -> int:
    if options.require or options.prefer or options.select or options.exclude:
        raise VersionsError("--from names the set: leave out --require, --prefer, --select and --exclude")
    with _desk(settings, options, err, constraints=False) as (desk, _):
        try:
            (asked,) = desk.ask([desk.complete(_set(options.from_, desk, options))])
        except Unanswered as reason:
            _answer_no(str(reason), [], options, out)
            return INCONCLUSIVE
        verdict = asked.verdict
        if verdict.status is not Status.WORKS:
            ends = [told.ending(one) for one in verdict.variants]
            _answer_no(f"{asked.versions.source} does not work, and is not pinned", ends, options, out)
            return 1 if verdict.status is Status.FAILS else INCONCLUSIVE
        written = pin.write(desk.prepared, verdict, {}, options.reports)
    _tell_pin(written, options, out)
    return 0


def _preference(options: argparse.Namespace) -> tuple[str, Versions | None]:
    match options.prefer:
        case None | ["newest"]:
            return "newest", None
        case ["robust"]:
            return "robust", None
        case ["smallest-change-from", file]:
            return "smallest-change", current.read(Path(file), options.python, None)
        case _:
            said = " ".join(options.prefer)
            raise VersionsError(f"--prefer {said}: expected newest, robust or smallest-change-from FILE")


def _observe(prepared: Prepared, settings: Settings, chosen: ReportedCell, listen: Listener) -> Verdict:
    """What a set that a report recommends comes to on this machine, with every version as the report has it."""
    cell = Cell(id=chosen.id, python=chosen.python, pins=tuple(chosen.pins.items()), setup=chosen.environment)
    # Of a handoff only what both sides have alike can hold for both.
    sides = chosen.resolved_sides.values()
    alike = {
        name: version for name, version in chosen.resolved.items() if all(side.get(name, version) == version for side in sides)
    }
    bounds = tuple(f"{name}=={version}" for name, version in alike.items() if name not in chosen.pins)
    variants = tuple(Variant(**{name: getattr(one, name) for name in VARIANT_FIELDS}) for one in chosen.variants)
    with Lab(prepared, settings, listen, act=True) as lab:
        (verdict,) = lab.ask([Planned(cell=cell, variants=variants, bounds=bounds)])
    return verdict


def _answer_no(said: str, details: Sequence[str], options: argparse.Namespace, out: Console) -> None:
    match options.format:
        case "json":
            _write_json({"pinned": None, "why": said, "details": list(details)})
        case _:
            out.print(Text(said, style="bold"))
            _say(details, out)


def _tell_pin(written: pin.Pinned, options: argparse.Namespace, out: Console) -> None:
    cell = written.verdict.cell
    match options.format:
        case "json":
            _write_json(
                {
                    "pinned": cell.id,
                    "folder": str(written.folder),
                    "files": list(written.files),
                    "python": cell.python,
                    "pins": dict(cell.pins),
                    "variant": written.variant.id,
                }
            )
        case _:
            out.print(Text(f"{cell.id}  works, and was confirmed in a fresh environment", style="bold"))
            versions = ", ".join(f"{name} {version}" for name, version in cell.pins)
            details = [f"Python {cell.python}, {versions}", f"export: {named(written.variant)}"]
            _say([*details, *(str(written.folder / name) for name in written.files)], out)


def _say(lines: Iterable[str], out: Console) -> None:
    for line in lines:
        out.print(Text(f"  {line}"), soft_wrap=True)


def _write_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
