"""A report from its answers on, as a page: what to pin for each runtime, what never works together, then the table."""

from __future__ import annotations

from collections.abc import Iterator

from harness.published_reports import Published
from harness.report import rules
from harness.report.page import Block, Page, Paragraph, Section, items
from harness.report.pages import matrix
from harness.report.tables import answer, tally
from harness.verdicts.report_schema import Report


def page(shown: Published) -> Page[Report]:
    """The page of a report that was published."""
    report = shown.report
    blocks: list[Block] = [
        Paragraph(text=f"{tally(report)}; {shown.source}; model {report.probe.model} ({report.probe.profile}).", pictured=True),
        matrix.recommended(report, "Pin this"),
        *_rules(report),
        *matrix.tables(report),
    ]
    return Page(title=answer(report), blocks=blocks, data=report, cells=report.cells, source=report)


def _rules(report: Report) -> Iterator[Block]:
    shown, left_out = rules.shown_rules(report)
    if shown:
        sentences = [f"{rule.text}: {rules.support_text(rule)}" for rule in shown]
        yield Section(
            title="What fails, without exception", blocks=[items(*sentences, *filter(None, [left_out]))], pictured=True
        )
