"""A cell of a published report, explained as a page, as far as matrix.json knows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness import invocation
from harness.diagnose.nearest_cell import Neighbours, compared
from harness.model import Stage, Status
from harness.published_reports import Published
from harness.report.page import Block, Item, Page, Paragraph, Quote, Section, Span, Table, Text, code, items, joined
from harness.report.pages.variant import cause, finding_lines
from harness.report.published_logs import is_published
from harness.report.remedies import RemedyText, RemedyTexts
from harness.report.tables import GLYPHS, counted
from harness.stack import ECOSYSTEMS, PROGRAMS
from harness.verdicts.messages import headline
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant
from harness.verdicts.stages_passed import passed_count

_NAMED = 4
"""Variants in a heading, at most; the table of stages names them all."""
_PLACES = {Status.WORKS: 1, Status.NOT_RUN: 2}
"""What did not work comes first."""
_STAGES = tuple(Stage)
_HEADER = ["variant", *(stage.value for stage in Stage), "all"]
"""Of the table of stages."""
_Group = list[tuple[ReportedVariant, RemedyText]]


def page(published: Published, cell: ReportedCell) -> Page[ReportedCell]:
    """The page of a cell."""
    return Page(
        title=Span(f"{cell.id}: {cell.status.value}", status=cell.status),
        blocks=[
            Paragraph(text=versions(cell)),
            Paragraph(text=f"not run here; from the published report {published.source}"),
            *ReportExplained(published.report).blocks(cell),
        ],
        data={"cell": cell, "published": published.name, "generated": published.report.generated},
        cells=[cell],
        source=cell,
    )


def versions(cell: ReportedCell) -> str:
    """`Python 3.11, torch 2.1.2, …, together`."""
    return f"Python {cell.python}, {', '.join(f'{name} {version}' for name, version in cell.pins.items())}, {cell.setup.value}"


class ReportExplained:
    """The cells of one report explained; what it takes of the whole report is computed once."""

    def __init__(self, report: Report, options: str = "") -> None:
        """`options` are those with which another command means the same matrix."""
        self._options = options
        self._texts = RemedyTexts(report.cells)
        self._neighbours = Neighbours(report.cells)

    def blocks(self, cell: ReportedCell) -> list[Block]:
        """What is known about `cell`."""
        remedies = Span(f"works with: {'; '.join(cell.remedies)}", status=Status.WORKS_WITH_REMEDY)
        return [
            *([Paragraph(text=remedies)] if cell.remedies else []),
            *map(_section, self._groups(cell)),
            Section(title="What next", blocks=[items(*self._next(cell))]),
            Section(title="Stages", blocks=[_stages(cell)], detail=True),
            *_locks(cell),
        ]

    def _groups(self, cell: ReportedCell) -> Sequence[_Group]:
        """Variants that ended alike: what did not work, what works, what was not run."""
        groups: dict[object, _Group] = {}
        for variant in cell.variants:
            remedy = self._texts.of(cell, variant)
            end = variant.signature if variant.error else variant.reason
            alike = variant.status, variant.stage, end, variant.cause, variant.certainty, remedy
            groups.setdefault(alike, []).append((variant, remedy))
        return sorted(groups.values(), key=lambda group: _PLACES.get(group[0][0].status, 0))

    def _next(self, cell: ReportedCell) -> Iterator[Item]:
        if cell.status is not Status.WORKS and (near := self._neighbours.nearest(cell, Stage.PARITY, [])):
            yield Item(text=f"nearest cell that works: {near.id}; there {compared(cell, near)}")
        yield Item(text=joined("by hand: ", code(invocation.command("cell", f"{cell.id}{self._options}"))))


def _stages(cell: ReportedCell) -> Table:
    """The time of each stage that ended well, where the report has it; the status of the one that did not."""
    rows: list[list[Text]] = [[variant.id, *_ends(variant), f"{variant.seconds:.1f} s"] for variant in cell.variants]
    return Table(header=_HEADER, rows=rows)


def _ends(variant: ReportedVariant) -> list[Text]:
    """An entry for each stage."""
    seconds = {ran.stage: f"{ran.seconds:.1f} s" for ran in variant.stages}
    works, count = GLYPHS[Status.WORKS], passed_count(variant)
    ends: list[Text] = [seconds.get(stage, works) for stage in _STAGES[:count]]
    ends += [""] * (len(_STAGES) - count)
    if variant.stage:
        ends[variant.stage.number] = Span(variant.status.value, status=variant.status)
    return ends


def _locks(cell: ReportedCell) -> Iterator[Section]:
    """The distributions of a cell; of a handoff cell, those of each side."""
    sides = {f"Lock, {side} side": lock for side, lock in cell.resolved_sides.items()} or {"Lock": cell.resolved}
    if cell.packages:
        yield Section(title=_packages(cell), blocks=[Quote(text=_listed(cell.packages, "@"))], detail=True)
    for title, lock in sides.items():
        if lock:
            yield Section(title=title, blocks=[Quote(text=_listed(lock, "=="))], detail=True)


def _packages(cell: ReportedCell) -> str:
    runtime = cell.runtime.name if cell.runtime else ""
    kind = ECOSYSTEMS.get(runtime, "packages")
    return f"Lock of {kind}, for {PROGRAMS.get(kind, 'its program')} {cell.program}"


def _listed(lock: Mapping[str, str], sign: str) -> str:
    return "\n".join(f"{name}{sign}{version}" for name, version in lock.items())


def _section(group: _Group) -> Section:
    variant, remedy = group[0]
    end = "works" if variant.status is Status.WORKS else f"{variant.status.value} at {variant.stage}"
    names = [member.id for member, _ in group[:_NAMED]]
    more = f" and {len(group) - _NAMED} more" if len(group) > _NAMED else ""
    title = joined(Span(end, status=variant.status), f" — {counted(len(group), 'variant')}: {', '.join(names)}{more}")
    message = headline(variant.error, limit=600) if variant.error else variant.reason
    blocks: list[Block] = [Quote(text=message)] if message else []
    lines = [*cause(variant), *(Item(text=text) for text in finding_lines(variant.findings))]
    if remedy.text:
        lines.append(Item(text=Span(remedy.text, status=Status.WORKS_WITH_REMEDY if remedy.works else None)))
    if is_published(variant.log):
        lines.append(Item(text=joined("log: ", code(variant.log))))
    return Section(title=title, blocks=[*blocks, items(*lines)] if lines else blocks)
