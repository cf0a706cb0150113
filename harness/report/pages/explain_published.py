"""A cell of a published report, explained as a page, as far as matrix.json knows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import invocation
from harness.diagnose.nearest_cell import Neighbours, compared
from harness.model import Stage, Status
from harness.published import Published
from harness.report.page import Block, Item, Page, Paragraph, Quote, Section, Span, code, items, joined
from harness.report.pages.variant import cause, finding_lines
from harness.report.remedies import RemedyText, RemedyTexts
from harness.report.tables import counted
from harness.verdicts.messages import headline
from harness.verdicts.report_schema import ReportedCell, ReportedVariant

_Group = list[tuple[ReportedVariant, RemedyText]]


def page(published: Published, cell: ReportedCell) -> Page[ReportedCell]:
    """The page of a cell."""
    pins = ", ".join(f"{name} {version}" for name, version in cell.pins.items())
    remedies = Span(f"works with: {'; '.join(cell.remedies)}", status=Status.WORKS_WITH_REMEDY)
    return Page(
        title=Span(f"{cell.id}: {cell.status.value}", status=cell.status),
        blocks=[
            Paragraph(text=f"Python {cell.python}, {pins}, {cell.setup.value}"),
            Paragraph(text=f"not run here; from the published report {published.source}"),
            *([Paragraph(text=remedies)] if cell.remedies else []),
            *map(_section, _groups(published, cell)),
            Section(title="What next", blocks=[items(*_next(published, cell))]),
        ],
        data={"cell": cell, "published": published.name, "generated": published.report.generated},
        cells=[cell],
        source=cell,
    )


def _groups(published: Published, cell: ReportedCell) -> Sequence[_Group]:
    """Variants that ended alike, those that work last."""
    texts = RemedyTexts(published.report.cells)
    groups: dict[object, _Group] = {}
    for variant in cell.variants:
        remedy = texts.of(cell, variant)
        end = variant.signature if variant.error else variant.reason
        alike = variant.status, variant.stage, end, variant.cause, variant.certainty, remedy
        groups.setdefault(alike, []).append((variant, remedy))
    return sorted(groups.values(), key=lambda group: group[0][0].status is Status.WORKS)


def _section(group: _Group) -> Section:
    variant, remedy = group[0]
    end = "works" if variant.status is Status.WORKS else f"{variant.status.value} at {variant.stage}"
    title = joined(
        Span(end, status=variant.status),
        f" — {counted(len(group), 'variant')}: ",
        ", ".join(variant.id for variant, _ in group),
    )
    message = headline(variant.error, limit=600) if variant.error else variant.reason
    blocks: list[Block] = [Quote(text=message)] if message else []
    lines = [*cause(variant), *(Item(text=text) for text in finding_lines(variant.findings))]
    if remedy.text:
        lines.append(Item(text=Span(remedy.text, status=Status.WORKS_WITH_REMEDY if remedy.works else None)))
    return Section(title=title, blocks=[*blocks, items(*lines)] if lines else blocks)


def _next(published: Published, cell: ReportedCell) -> Iterator[Item]:
    if cell.status is not Status.WORKS:
        near = Neighbours(published.report.cells).nearest(cell, Stage.PARITY, [])
        if near:
            yield Item(text=f"nearest cell that works: {near.id}; there {compared(cell, near)}")
    yield Item(text=joined("by hand: ", code(invocation.command("cell", cell.id))))
