"""The report as a page: which versions work together, and why others do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.model import Status
from harness.report import causes, failure_annotations, rules
from harness.report.failures import FailureGroup, failure_groups, not_run
from harness.report.feedback import comparisons, sentence
from harness.report.page import (
    Block,
    Example,
    Item,
    Items,
    Look,
    Page,
    Paragraph,
    Quote,
    Section,
    Span,
    Table,
    Text,
    code,
    items,
    strong,
)
from harness.report.tables import (
    GLYPH_LIMIT,
    cell_text,
    counted,
    facets,
    legend,
    recommendations,
    short_answer,
    tally,
    variant_names,
)
from harness.report.variants import by_variant
from harness.source_lines import NOWHERE, Places
from harness.stack import RUNTIME
from harness.verdicts.messages import headline
from harness.verdicts.report_schema import Report, ReportedCell, sorted_runtimes


def page(report: Report, options: str = "", places: Places = NOWHERE) -> Page[Report]:
    """The page of a report; `options` are those with which `explain` means the same matrix and store.

    `places` are the lines of the matrix.
    """
    groups = failure_groups(report)
    summary = f"{counted(len(report.cells), 'cell')}: {tally(report)}"
    return Page(
        title="Which versions work together",
        blocks=[
            *_introduction(report),
            *tables(report),
            newest_working(report),
            *_rules(report),
            *_feedback(report),
            *_suspects(report),
            _failures(report, groups),
        ],
        summary=summary,
        data=report,
        annotations=failure_annotations.of_report(summary, groups, places),
        cells=report.cells,
        source=report,
        answer=short_answer(report),
        options=options,
    )


def _introduction(report: Report) -> Iterator[Block]:
    """What the report came to, what was measured, and how to read the tables."""
    for comparison in comparisons(report):
        if advice := sentence(comparison):
            yield Paragraph(text=strong(advice))
    probe, names = report.probe, variant_names(report)
    newest = f"newest result {report.generated}" if report.generated else "nothing has run yet"
    measured = (
        f"{counted(len(report.cells), 'combination')}: {tally(report)}. Measured on {report.platform}, {newest}; "
        f"model {probe.model} ({probe.profile}, seed {probe.seed}), torch from: {report.torch}, probe "
    )
    sandbox = f". Probes were confined by: {'; '.join(report.sandbox)}." if report.sandbox else "."
    yield Paragraph(text=[measured, code(probe.id), sandbox], pictured=True)
    yield Paragraph(text=f"{legend(report)}.", pictured=True)
    if len(names) <= GLYPH_LIMIT:
        yield Paragraph(text=f"The glyphs in a cell stand for: {', '.join(names.values())}.", pictured=True)


def tables(report: Report) -> Iterator[Block]:
    """The tables of verdicts."""
    names = variant_names(report)

    def entry(cell: ReportedCell | None) -> Text:
        return Span(cell_text(cell, names), status=cell.status) if cell else ""

    for facet in facets(report):
        header = [*facet.row_axes, *("\n".join(runtime) for runtime in facet.columns)]
        blocks: list[Block] = [Table(header=header, rows=[[*row, *map(entry, cells)] for row, cells in facet.rows])]
        if len(names) > GLYPH_LIMIT:
            header, rows = by_variant(report, facet)
            blocks.append(Table(header=header, rows=rows))
        yield Section(title=facet.title, blocks=blocks, pictured=True)


def newest_working(report: Report) -> Section:
    """The newest working set for each runtime, under its usual title."""
    names = {runtime.name for runtime in sorted_runtimes(report.cells)} or {RUNTIME}
    return recommended(report, f"Newest working set for each {names.pop() if len(names) == 1 else 'runtime'}")


def recommended(report: Report, title: str) -> Section:
    """The newest working set for each runtime."""
    header, rows = recommendations(report)
    marked: list[list[Text]] = [[*row[:-1], code(row[-1]) if len(row) == len(header) else row[-1]] for row in rows]
    return Section(title=title, blocks=[Table(header=header, rows=marked)], pictured=True)


def _rules(report: Report) -> Iterator[Block]:
    shown, left_out = rules.shown_rules(report)
    blocks: list[Block] = []
    if shown:
        rows: list[list[Text]] = []
        for rule in shown:
            text = [code(rule.text, Status.FAILS)]
            rows.append(
                [
                    [*text, ", or as well ", code(rule.alternatives[0])] if rule.alternatives else text,
                    rules.support_text(rule),
                    "; ".join(map(rules.boundary_text, rule.boundaries)),
                    _listed([code(place.cell) for place in rule.examples]),
                ]
            )
        header = ["what fails", "explains", "tried on both sides", "for example"]
        blocks = [Paragraph(text=rules.MEANING), Table(header=header, rows=rows, records=True)]
    sentences = filter(None, (left_out, *rules.unexplained(report)))
    blocks += [Paragraph(text=f"{text[0].upper()}{text[1:]}.") for text in sentences]
    if blocks:
        yield Section(title="Rules", blocks=blocks, pictured=True)


def _listed(pieces: list[Span]) -> list[str | Span]:
    """`pieces` with commas between them."""
    return [part for piece in pieces for part in (", ", piece)][1:]


def _feedback(report: Report) -> Iterator[Block]:
    found = comparisons(report)
    if found:
        rows = [
            [row.layout, str(row.pairs), str(row.keep_cross_works), str(row.feed_all_works), "; ".join(row.messages)]
            for row in found
        ]
        header = ["layout", "pairs", "keep-cross works", "feed-all works", "how feed-all fails, where keep-cross works"]
        text = "The same artifact on the same runtime under both protocols; nothing else differs within a pair."
        table = Table(header=header, rows=rows, records=True)
        yield Section(title="What the decoding loop feeds back", blocks=[Paragraph(text=text), table], detail=True)


def _suspects(report: Report) -> Iterator[Block]:
    if rows := causes.rows(report):
        table = Table(header=causes.HEADER, rows=rows, records=True)
        yield Section(title="Causes", blocks=[Paragraph(text=f"{causes.summary(report)}."), table], detail=True)


def _failures(report: Report, groups: Sequence[FailureGroup]) -> Section:
    entries = [_failure_group(group) for group in groups]
    entries += [
        Item(text=[strong("not run", Status.NOT_RUN), f" — {counted(count, 'variant')}: {reason}"])
        for reason, count in not_run(report)
    ]
    blocks = [Items(items=entries)] if entries else [Paragraph(text="Everything worked.")]
    return Section(title="What did not work, and why", blocks=blocks)


def _failure_group(group: FailureGroup) -> Item:
    size = f"{counted(group.cells, 'cell')}, {counted(group.variants, 'variant')}"
    blocks: list[Block] = [Quote(text=headline(group.message, 400)), *_causes(group)]
    if group.remedies:
        blocks.append(
            items(
                *(Span(known.text, status=Status.WORKS_WITH_REMEDY if known.remedy.works else None) for known in group.remedies)
            )
        )
    head = strong(f"{group.status.value} · {group.stage}", group.status)
    return Item(text=[head, f" — {size}: {group.where}"], blocks=[*blocks, Example(cell=group.example, log=group.log)])


def _causes(group: FailureGroup) -> Iterator[Block]:
    """The causes of a group, and what they rest on in the example."""
    if group.repeated:
        yield Paragraph(text=["repeated in a fresh process: ", Span("; ".join(group.repeated), Look.QUOTED)])
    elif group.status is Status.FAILS:
        shown: list[str | Span] = []
        for cause, count in group.causes:
            shown += [", ", strong(cause), f" ({count})" if len(group.causes) > 1 else ""]
        yield Paragraph(text=[*shown[1:], ": ", Span("; ".join(group.evidence), Look.QUOTED)])
