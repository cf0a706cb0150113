"""What `check` and `bisect` found, as text, Markdown, JSON and GitHub annotations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from harness.decide.bisect import Bisected, Release
from harness.decide.check import Checked, CheckResult, Upgrade, UpgradeStep, VersionChange
from harness.decide.experiments import Experiment
from harness.decide.regressions import last_line, named
from harness.foreign_text import visible
from harness.report.formats.markdown import escape, table
from harness.report.tables import counted
from harness.verdicts.judge import VariantVerdict
from harness.verdicts.report_model import ReportedCell
from harness.verdicts.reporting import reported

_CELL = TypeAdapter(ReportedCell)


def title(one: Upgrade) -> str:
    """What was asked: `transformers 4.46.3 → 5.23.0`."""
    return listed(one.changes) or "the set as it is"


def listed(changes: Sequence[VersionChange]) -> str:
    """Changes in one line."""
    return ", ".join(map(str, changes))


def ending(one: VariantVerdict) -> str:
    """How a variant ended, with the message's last line."""
    return f"{named(one.variant)}: {one.status.value} at {one.last.stage.value}: {last_line(one)}"


def endings(some: Sequence[VariantVerdict], store: Path) -> Iterator[str]:
    """How variants ended, those that ended alike in one line, each with its log."""
    alike: dict[tuple[object, ...], list[VariantVerdict]] = {}
    for one in some:
        alike.setdefault((one.status, one.last.stage, last_line(one), one.last.log), []).append(one)
    for same in alike.values():
        others = "".join(f"{named(one.variant)}, " for one in same[:-1])
        yield f"{others}{ending(same[-1])}"
        if log := same[0].last.log:
            yield f"    log: {store / log}"


def check_lines(one: Upgrade, store: Path) -> Iterator[str]:
    """What is to be said of an upgrade besides its answer and title; logs lie in `store`."""
    if one.why:
        yield f"not known: {one.why}"
    if one.forced:
        yield f"the resolver moves along: {listed(one.forced)}"
    if one.answer is CheckResult.SAFE and one.lost:
        yield "it works, but not in every way that works now:"
    if one.otherwise:
        yield "the current set fails too, in another way:"
        yield from endings(one.otherwise, store)
    others = [lost for lost in one.lost if lost not in one.otherwise]
    if others and one.answer is CheckResult.FAILS_ALREADY:
        yield "the current set fails in the same way:"
    yield from endings(others, store)
    for step in one.steps:
        yield step_line(step)
    if one.steps and all(step.safe for step in one.steps):
        yield "no part breaks alone: it is what they are together"
    if one.answer in {CheckResult.BREAKS, CheckResult.FAILS_ALREADY}:
        yield f"smallest change that makes it work: {one.mend.change}" if one.mend else _NO_MEND
        for reason in one.unanswered:
            yield f"not everything could be tried: {reason}"
        if one.nearest:
            yield f"nearest target that works: {_versions(one.nearest, one.changes)}"


_NO_MEND = "no change that was tried makes it work"


def step_line(step: UpgradeStep) -> str:
    """What one part of an upgrade did alone."""
    told = {True: "works", False: "breaks", None: "not known"}[step.safe]
    why = f": {ending(step.lost[0])}" if step.lost and step.safe is not True else ""
    return f"alone: {listed(step.changes)} {told}{why}"


def _versions(asked: Experiment, changes: Sequence[VersionChange]) -> str:
    return ", ".join(f"{change.name} {asked.versions.exact.get(change.name, 'absent')}" for change in changes)


def check_markdown(checked: Checked, store: Path) -> str:
    """For a job summary or a pull request."""
    lines = [f"# {checked.answer.value}", ""]
    rows = [[one.answer.value, title(one), ending(one.lost[0]) if one.lost else one.why or ""] for one in checked.upgrades]
    lines += [table(["", "change", "what worked and does not"], rows), ""]
    for one in checked.upgrades:
        if found := list(check_lines(one, store)):
            lines += [f"## {one.answer.value}: {escape(title(one))}", "", *(f"- {escape(line)}" for line in found), ""]
    if checked.current:
        lines += [f"{escape(now(checked.current))}.", ""]
    lines += [f"- {escape(note)}" for note in checked.notes]
    return "\n".join(lines).rstrip() + "\n"


def now(asked: Experiment) -> str:
    """The current set, and what becomes of it."""
    return f"now: {_set(asked)}: {_status(asked)}"


def _set(asked: Experiment) -> str:
    cell = asked.verdict.cell
    return f"Python {cell.python}, " + ", ".join(f"{name} {version}" for name, version in cell.pins)


def _status(asked: Experiment) -> str:
    words = {"works": "works", "fails": "fails", "flaky": "is flaky", "error": "ended in an error"}
    return words.get(asked.verdict.status.value, "was not run")


def check_json(checked: Checked) -> dict[str, Any]:
    """For programs."""
    return {
        "answer": checked.answer.value,
        "current": cell(checked.current),
        "upgrades": [
            {
                "answer": one.answer.value,
                "why": one.why,
                "changes": _changes(one.changes),
                "forced": _changes(one.forced),
                "target": cell(one.target),
                "lost": [ends(lost) for lost in one.lost],
                "otherwise": [ends(other) for other in one.otherwise],
                "steps": [
                    {"changes": _changes(step.changes), "safe": step.safe, "lost": [ends(lost) for lost in step.lost]}
                    for step in one.steps
                ],
                "mend": {"change": one.mend.change, "cell": cell(one.mend.asked or one.target)} if one.mend else None,
                "unanswered": list(one.unanswered),
                "nearest": cell(one.nearest),
            }
            for one in checked.upgrades
        ],
        "notes": list(checked.notes),
    }


def check_annotations(checked: Checked, store: Path) -> str:
    """GitHub's workflow commands: an annotation for each upgrade that is not safe, and one line where all are."""
    level = {CheckResult.SAFE: "notice", CheckResult.BREAKS: "error"}
    lines = []
    for one in checked.upgrades:
        text = visible("\n".join([title(one), *check_lines(one, store)]))
        lines.append(f"::{level.get(one.answer, 'warning')} title=export-matrix check%3A {one.answer.value}::{_escaped(text)}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def cell(asked: Experiment | None) -> dict[str, Any] | None:
    """A set and its verdict, as a cell of matrix.json."""
    if asked is None:
        return None
    found: dict[str, Any] = _CELL.dump_python(reported(asked.verdict), mode="json")
    return found


def ends(one: VariantVerdict) -> dict[str, Any]:
    """How a variant ended."""
    return {
        "variant": one.variant.id,
        "status": one.status.value,
        "stage": one.last.stage.value,
        "message": last_line(one),
        "log": one.last.log,
    }


def _changes(changes: Sequence[VersionChange]) -> list[dict[str, str | None]]:
    return [{"name": one.name, "old": one.old, "new": one.new} for one in changes]


def culprit(found: Bisected) -> str:
    """The sentence that a bisection comes to."""
    if releases := found.mended_in:
        newest = f"{found.suspects[-1].name} {found.suspects[-1].version}"
        if len(releases) == 1:
            return f"mended in {_release(releases[0])}; {newest} still breaks"
        return f"mended in one of {', '.join(map(_release, releases))}; {newest} still breaks, the others could not be tried"
    if len(found.suspects) == 1:
        return f"{_release(found.suspects[0])} is the first that breaks"
    return f"one of {', '.join(map(_release, found.suspects))} is the first that breaks; the others could not be tried"


def _release(one: Release) -> str:
    return f"{one.name} {one.version}" + (f" (released {one.date})" if one.date else "")


def bisect_lines(found: Bisected, store: Path) -> Iterator[str]:
    """What is to be said of a bisection besides the sentence that it comes to; logs lie in `store`."""
    yield from endings(found.lost, store)
    for one in found.otherwise[:1]:
        yield f"the bad end fails of something else: {ending(one)}"
    if found.along:
        yield f"the resolver moved along, and it may be one of these: {listed(found.along)}"
    if found.skipped:
        yield f"could not be tried: {', '.join(map(_release, found.skipped))}"
    yield from found.how
    yield f"{counted(found.probes, 'probe')} among {counted(found.releases, 'release')}, both ends confirmed"
    yield f"last that works: {_set(found.last_good)}"


def bisect_markdown(found: Bisected, store: Path) -> str:
    """For a page or an issue."""
    return "\n".join([f"# {escape(culprit(found))}", "", *(f"- {escape(line)}" for line in bisect_lines(found, store)), ""])


def bisect_json(found: Bisected) -> dict[str, Any]:
    """For programs."""

    def releases(some: Sequence[Release]) -> list[dict[str, str | None]]:
        return [{"name": one.name, "version": one.version, "date": one.date.isoformat() if one.date else None} for one in some]

    return {
        "suspects": releases(found.suspects),
        "mended_in": releases(found.mended_in),
        "skipped": releases(found.skipped),
        "along": _changes(found.along),
        "lost": [ends(lost) for lost in found.lost],
        "otherwise": [ends(one) for one in found.otherwise],
        "probes": found.probes,
        "releases": found.releases,
        "how": list(found.how),
        "good": cell(found.good),
        "bad": cell(found.bad),
        "last_good": cell(found.last_good),
        "first_bad": cell(found.first_bad),
    }
