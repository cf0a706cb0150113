"""One cell explained, as a page: what happened, what makes it work, what differs where it works, how to run it by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import invocation
from harness.diagnose import nearest_cell
from harness.diagnose.nearest_cell import CellDifference, by_family, difference
from harness.diagnose.remedies.found import MatrixRemedies
from harness.diagnose.remedies.interface import RemedySearch, Trial
from harness.diagnose.remedies.kinds.secondary_pin import SECONDARY_PIN
from harness.model import Status, Variant
from harness.report.page import Block, Item, Page, Paragraph, Quote, Section, Span, code, items, joined
from harness.report.pages.variant import cause, details, log_line, message, versions
from harness.report.remedies import RemedyText, RemedyTexts, families
from harness.report.tables import counted
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant
from harness.verdicts.signature import signature

_LINES = 12
"""Of a message; the log has all of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NearestWorking:
    """The nearest cell that works, and what differs there."""

    cell: str
    variant: Variant | None
    """What works there and fails in the explained cell, where that works otherwise."""
    difference: CellDifference


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedCell:
    """Everything that explains a cell of a report."""

    verdict: Verdict
    report: Report
    remedies: MatrixRemedies
    nearest: NearestWorking | None

    @property
    def cell(self) -> ReportedCell:
        """The cell as the report has it."""
        return next(cell for cell in self.report.cells if cell.id == self.verdict.cell.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class _ExplainedVariant:
    """What is known about a variant of the explained cell."""

    verdict: VariantVerdict
    reported: ReportedVariant
    remedy: RemedyText
    search: RemedySearch | None

    @property
    def alike(self) -> object:
        """Equal for variants that ended alike, for the same cause, and of which the same is known about remedies."""
        verdict, reported = self.verdict, self.reported
        end = signature(verdict.last.stage, verdict.error) if verdict.error else verdict.reason
        return verdict.status, verdict.stage, end, reported.cause, reported.certainty, self.remedy

    @property
    def details(self) -> object:
        """What may differ between variants that ended alike: the runs that the cause rests on, and what else was observed."""
        tried = tuple(trial.line for trial in self.search.trials) if self.search else ()
        reported = self.reported
        return tuple(reported.evidence), tuple(reported.findings), tuple(reported.opinions.items()), tried


def nearest_working(verdict: Verdict, others: Sequence[Verdict]) -> NearestWorking | None:
    """The nearest cell in which a variant works that fails here; `verdict` is the explained cell.

    None if nothing fails here, or if the failing variants of a working cell fail in all cells.
    """
    working = {variant.variant for other in others for variant in other.variants if variant.status is Status.WORKS}
    failing = [variant.variant for variant in verdict.variants if variant.status is Status.FAILS]
    works = verdict.status is Status.WORKS
    chosen = next((variant for variant in failing if variant in working), failing[0] if failing and not works else None)
    found = nearest_cell.nearest_working(verdict.resolved, chosen, others) if chosen else None
    if found is None:
        return None
    gap = difference(verdict.resolved, found.resolved)
    return NearestWorking(cell=found.cell.id, variant=chosen if works else None, difference=gap)


def page(explained: ExplainedCell, *, store: Path, options: str) -> Page[ExplainedCell]:
    """The page of a cell. Logs lie in `store`; `options` are what a command needs to mean the same matrix."""
    cell = explained.verdict.cell
    mended = cell.id in explained.remedies.mended
    status = Status.WORKS_WITH_REMEDY if mended else explained.verdict.status
    command = invocation.command("cell", f"{cell.id}{options}")
    again = items("runs it again where nothing is known, and keeps its environment")
    by_hand = Item(text=joined("by hand: ", code(command)), blocks=[again])
    return Page(
        title=Span(f"{cell.id}: {status.value}", status=status),
        blocks=[
            Paragraph(text=versions(cell)),
            *_remedies(explained, mended=mended),
            *(_section(group, store) for group in _groups(explained)),
            Section(title="What next", blocks=[items(*_nearest(explained.nearest), by_hand)]),
        ],
        data=_data(explained, command),
        cells=[explained.cell],
        source=explained,
        options=options,
    )


def _remedies(explained: ExplainedCell, *, mended: bool) -> Iterator[Block]:
    if found := explained.remedies.cells.get(explained.verdict.cell.id):
        remedies = "; ".join(dict.fromkeys(remedy.text for remedy in found))
        where = "" if mended else " (another cell: this one fails)"
        yield Paragraph(text=Span(f"works with: {remedies}{where}", status=Status.WORKS_WITH_REMEDY))


def _groups(explained: ExplainedCell) -> list[list[_ExplainedVariant]]:
    """Variants that ended alike, those that work last."""
    cell, texts = explained.cell, RemedyTexts(explained.report.cells)
    searches = explained.remedies.searches.get(cell.id, {})
    groups: dict[object, list[_ExplainedVariant]] = {}
    for verdict, reported in zip(explained.verdict.variants, cell.variants, strict=True):
        variant = _ExplainedVariant(
            verdict=verdict, reported=reported, remedy=texts.of(cell, reported), search=searches.get(verdict.variant)
        )
        groups.setdefault(variant.alike, []).append(variant)
    return sorted(groups.values(), key=lambda group: group[0].verdict.status is Status.WORKS)


def _section(group: Sequence[_ExplainedVariant], store: Path) -> Section:
    # The variants are alike, and remedies were searched on some only.
    shown = next((variant for variant in group if variant.search), group[0])
    verdict = shown.verdict
    names = ", ".join(variant.verdict.variant.id for variant in group)
    end = "works" if verdict.status is Status.WORKS else f"{verdict.status.value} at {verdict.stage}"
    title = joined(Span(end, status=verdict.status), f" — {counted(len(group), 'variant')}: {names}")
    if verdict.status is Status.WORKS:
        worst = max((variant.verdict.last.data.get("max_abs_diff") or 0.0 for variant in group), default=0.0)
        return Section(title=title, blocks=[items(f"largest difference from PyTorch {worst:.1e}")])
    lines: list[str | Span | Item] = [*details(verdict), *log_line(verdict, store)]
    if verdict.status is Status.FAILS:
        lines += [*cause(shown.reported), *_remedy_lines(shown)]
    blocks: list[Block] = [Quote(text=text)] if (text := _shortened(message(verdict))) else []
    if any(variant.details != shown.details for variant in group):
        lines = [
            Item(text=f"in detail, of {verdict.variant.id} (the others have details of their own):", blocks=[items(*lines)])
        ]
    return Section(title=title, blocks=[*blocks, items(*lines)] if lines else blocks)


def _shortened(text: str) -> str:
    lines = text.strip().splitlines()
    return "\n".join([*lines[: _LINES // 2], "[…]", *lines[-_LINES // 2 :]] if len(lines) > _LINES else lines)


def _remedy_lines(variant: _ExplainedVariant) -> Iterator[str | Span]:
    """What is known about a remedy, and what was tried, suspects apart."""
    remedy, search = variant.remedy, variant.search
    yield Span(remedy.text or "remedy: none was looked for", status=Status.WORKS_WITH_REMEDY if remedy.works else None)
    if search is None:
        return
    if search.open and not remedy.works:
        yield _next(search)
    proven = [trial for trial in search.trials if not trial.open and trial.status is Status.WORKS]
    for words, trials in (
        ("tried without success", [trial for trial in search.vain if not _blames(trial)]),
        ("dismissed", [trial for trial in search.vain if _blames(trial)]),
        ("proven", [trial for trial in proven if _blames(trial)]),
    ):
        if trials:
            yield f"{words}: {_listed(trials)}"


def _next(search: RemedySearch) -> str:
    """How an open search goes on."""
    retried = {trial.status.value for trial in search.unproven}
    options = "".join(f" --retry {status}" for status in sorted(retried))
    return f"`run{options}` tries {'again what proved nothing' if retried else 'what is left'}"


def _blames(trial: Trial) -> bool:
    """Whether a distribution that no axis pins was suspected."""
    return trial.kinds[-1:] in {(), (SECONDARY_PIN,)}


def _listed(trials: Sequence[Trial]) -> str:
    """Trials, those that ended alike together."""
    ends: dict[str, list[str]] = {}
    for trial in trials:
        ends.setdefault(trial.end, []).append(trial.text)
    return "; ".join(f"{', '.join(families(texts))} ({end})" for end, texts in ends.items())


def _nearest(near: NearestWorking | None) -> Iterator[Item]:
    if near:
        works = f"in which {near.variant.id} works" if near.variant else "that works"
        differing = [
            ", ".join(by_family({change.name: str(change) for change in changes}))
            for changes in (near.difference.axes, near.difference.others)
            if changes
        ]
        yield Item(text=f"nearest cell {works}: {near.cell}; here", blocks=[items(*differing)] if differing else [])


def _data(explained: ExplainedCell, command: str) -> Mapping[str, Any]:
    near = explained.nearest
    return {
        "cell": explained.cell,
        "nearest": near
        and {
            "cell": near.cell,
            "variant": near.variant and near.variant.id,
            "axes": near.difference.axes,
            "others": near.difference.others,
        },
        "command": command,
    }
