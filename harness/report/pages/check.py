"""What `check` found, as a page: whether an upgrade breaks, which part of it, and what makes it work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from harness.decide.check import Checked, CheckResult, Upgrade
from harness.decide.experiments import Experiment
from harness.decide.set_differences import version_in
from harness.decide.upgrade_steps import UpgradeStep
from harness.decide.version_sets import VersionChange
from harness.hashing import digest
from harness.model import Status
from harness.report.page import UNKNOWN, Annotation, Block, Item, Page, Paragraph, Section, Span, Table, items, lines
from harness.report.pages.set_outcomes import cell_data, ending, ending_data, endings, listed, version_set
from harness.source_lines import NOWHERE, Places
from harness.verdicts.signature import signature

_STATUS = {
    CheckResult.SAFE: Status.WORKS,
    CheckResult.BREAKS: Status.FAILS,
    CheckResult.FAILS_ALREADY: Status.FAILS,
    CheckResult.UNKNOWN: Status.ERROR,
}
_LEVELS: dict[CheckResult, Literal["notice", "error"]] = {CheckResult.SAFE: "notice", CheckResult.BREAKS: "error"}


def page(checked: Checked, store: Path, places: Places = NOWHERE) -> Page[Checked]:
    """The page of a check; logs lie in `store`, and `places` are the lines of the files with the sets.

    A single upgrade needs no section of its own.
    """
    details = [list(upgrade_lines(upgrade, store)) for upgrade in checked.upgrades]
    blocks: list[Block] = []
    if len(checked.upgrades) == 1:
        title = _title(checked.upgrades[0])
        blocks += [items(*details[0])] if details[0] else []
    else:
        title = [_answer(checked.answer)]
        blocks.append(Table(header=["", "change", "what worked and does not"], rows=list(map(_row, checked.upgrades))))
        blocks += [
            Section(title=_title(upgrade), blocks=[items(*lines)])
            for upgrade, lines in zip(checked.upgrades, details, strict=True)
            if lines
        ]
    if checked.current:
        blocks.append(Paragraph(text=f"now: {version_set(checked.current)}: {_status(checked.current)}."))
    if checked.notes:
        blocks.append(items(*checked.notes))
    return Page(
        title=title,
        blocks=blocks,
        data=_data(checked),
        annotations=sorted((_annotation(upgrade, places) for upgrade in checked.upgrades), key=_severity),
        source=checked,
        answer=checked.answer.value,
    )


def _answer(answer: CheckResult) -> Span:
    return Span(answer.value, status=_STATUS[answer])


def _change(upgrade: Upgrade) -> str:
    """The requested change: `transformers 4.46.3 → 5.23.0`."""
    return listed(upgrade.changes) or "the set as it is"


def _title(upgrade: Upgrade) -> list[str | Span]:
    return [_answer(upgrade.answer), f": {_change(upgrade)}"]


def _row(upgrade: Upgrade) -> list[str | Span]:
    end = upgrade.reason or (ending(upgrade.lost[0]) if upgrade.lost else "")
    return [_answer(upgrade.answer), _change(upgrade), end]


def upgrade_lines(upgrade: Upgrade, store: Path) -> Iterator[str | Item]:
    """The details of an upgrade below its answer; logs lie in `store`."""
    if upgrade.reason:
        yield f"not known: {upgrade.reason}"
    if upgrade.forced:
        yield f"the resolver also moves: {listed(upgrade.forced)}"
    if upgrade.answer is CheckResult.SAFE and upgrade.lost:
        yield "it works, but not in every way that works now:"
    if upgrade.otherwise:
        yield "the current set fails too, in another way:"
        yield from endings(upgrade.otherwise, store)
    others = [lost for lost in upgrade.lost if lost not in upgrade.otherwise]
    if others and upgrade.answer is CheckResult.FAILS_ALREADY:
        yield "the current set fails in the same way:"
    yield from endings(others, store)
    yield from map(_step_line, upgrade.steps)
    if upgrade.only_together is not None:
        otherwise = "nor do all together, but what else differs (extras, bounds)"
        yield f"no part breaks alone: {'only together they do' if upgrade.only_together else otherwise}"
    if upgrade.answer in {CheckResult.BREAKS, CheckResult.FAILS_ALREADY}:
        yield (
            f"smallest change that makes it work: {upgrade.remedy.change}{_along(upgrade.remedy.along)}"
            if upgrade.remedy
            else "no change that was tried makes it work"
        )
        for reason in upgrade.unanswered:
            yield f"not everything could be tried: {reason}"
        if upgrade.nearest:
            names = [change.name for change in upgrade.changes]
            versions = ", ".join(f"{name} {version_in(upgrade.nearest, name) or 'absent'}" for name in names)
            yield f"nearest target that works: {versions}{_along(upgrade.nearest_along)}"


def _step_line(step: UpgradeStep) -> str:
    """The result of one part of an upgrade alone."""
    result = {True: "works", False: "breaks", None: "not known"}[step.safe]
    reason = f": {ending(step.lost[0])}" if step.lost and step.safe is not True else ""
    return f"alone: {listed(step.changes)}{_along(step.along)} {result}{reason}"


def _along(changes: Sequence[VersionChange]) -> str:
    """What the resolver moved besides, which may be the reason as well."""
    return f" (the resolver also moves {listed(changes)})" if changes else ""


def _status(current: Experiment) -> str:
    words = {Status.WORKS: "works", Status.FAILS: "fails", Status.FLAKY: "is flaky", Status.ERROR: "ended in an error"}
    return words.get(current.verdict.status, "was not run")


def _severity(annotation: Annotation) -> int:
    """Sort key: what a limited number of annotations should not leave out comes first."""
    return ("error", "warning", "notice").index(annotation.level)


def _annotation(upgrade: Upgrade, places: Places) -> Annotation:
    """A remark at the line of what breaks alone, else of what changes. It leaves this machine: its logs are relative paths."""
    details = items(*upgrade_lines(upgrade, Path()))
    breaking = [change.name for step in upgrade.steps if step.safe is False for change in step.changes]
    names = [*breaking, *(change.name for change in upgrade.changes)]
    place = places.of(names)
    lost = upgrade.lost[0] if upgrade.lost else None
    proven = None if upgrade.answer is CheckResult.UNKNOWN else lost
    rule = "" if upgrade.answer is CheckResult.SAFE else proven.last.stage.value if proven else UNKNOWN
    fault = signature(lost.last.stage, lost.error) if lost and lost.error else upgrade.reason
    return Annotation(
        level=_LEVELS.get(upgrade.answer, "warning"),
        title=f"export-matrix check: {upgrade.answer.value}",
        text="\n".join([_change(upgrade), *lines(details)]),
        file=place.file,
        line=place.line,
        subject=_change(upgrade),
        status=_STATUS[upgrade.answer],
        rule=rule,
        # Without versions: the same failure with a newer release is the same problem.
        fingerprint=digest([rule, fault, sorted(set(names))]),
    )


def _data(checked: Checked) -> dict[str, Any]:
    return {
        "answer": checked.answer,
        "current": cell_data(checked.current),
        "upgrades": list(map(_upgrade_data, checked.upgrades)),
        "notes": checked.notes,
    }


def _upgrade_data(upgrade: Upgrade) -> dict[str, Any]:
    remedy = upgrade.remedy
    return {
        "answer": upgrade.answer,
        "why": upgrade.reason,
        "changes": upgrade.changes,
        "forced": upgrade.forced,
        "target": cell_data(upgrade.target),
        "lost": list(map(ending_data, upgrade.lost)),
        "otherwise": list(map(ending_data, upgrade.otherwise)),
        "steps": [
            {"changes": step.changes, "safe": step.safe, "lost": list(map(ending_data, step.lost)), "along": step.along}
            for step in upgrade.steps
        ],
        "only_together": upgrade.only_together,
        "mend": remedy
        and {"change": remedy.change, "cell": cell_data(remedy.experiment or upgrade.target), "along": remedy.along},
        "unanswered": upgrade.unanswered,
        "nearest": cell_data(upgrade.nearest),
        "nearest_along": upgrade.nearest_along,
    }
