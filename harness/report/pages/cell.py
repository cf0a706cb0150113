"""One cell as a page: its stages, variant by variant, with what was found out about each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.model import Stage, Status
from harness.report.page import Block, Page, Paragraph, Quote, Section, Span, Table, Text, code, items, joined
from harness.report.pages.variant import cause, details, log_line, message, versions
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.report_schema import ReportedCell, ReportedVariant


def page(verdict: Verdict, reported: ReportedCell, *, store: Path, environments: Sequence[Path] = ()) -> Page[Verdict]:
    """The page of a cell, with causes as `reported` has them; logs lie in `store`."""
    rows = [[variant.variant.id, *_stages(variant)] for variant in verdict.variants]
    kept = [
        joined("environment: ", code(str(folder)), " (enter it with: ", code(f"source {folder}/bin/activate"), ")")
        for folder in environments
    ]
    return Page(
        title=[Span(f"{verdict.cell.id}: {verdict.status.value}", status=verdict.status)],
        blocks=[
            Paragraph(text=versions(verdict.cell)),
            Table(header=["variant", *(stage.value for stage in Stage)], rows=rows),
            *(_section(*pair, store) for pair in zip(verdict.variants, reported.variants, strict=True)),
            *(Paragraph(text=line) for line in kept),
        ],
        data=reported,
        cells=[reported],
        source=verdict,
    )


def _stages(variant: VariantVerdict) -> Iterator[Text]:
    """The time of each stage that ended well, the status of one that did not."""
    results = {result.stage: result for result in variant.results}
    for stage in Stage:
        result = results.get(stage)
        if result is None:
            yield ""
        else:
            yield Span(f"{result.seconds:.1f} s" if result.ok else result.status.value, status=result.status)


def _section(variant: VariantVerdict, reported: ReportedVariant, store: Path) -> Section:
    """How it ended, and everything that was found out about it."""
    lines = [*details(variant)]
    if peak := max((result.data.get("peak_memory", 0) for result in variant.results), default=0):
        lines.append(f"peak memory: {peak / 10**6:.0f} MB")
    blocks: list[Block] = [Quote(text=text)] if (text := message(variant)) else []
    if variant.error and variant.error.traceback:
        blocks.append(Quote(text=variant.error.traceback.rstrip()))
    if variant.status is not Status.WORKS:
        lines += log_line(variant, store)
    found = items(*lines, *cause(reported))
    return Section(title=_ending(variant), blocks=[*blocks, found] if found.items else blocks)


def _ending(variant: VariantVerdict) -> Span:
    if variant.status is not Status.WORKS:
        return Span(f"{variant.variant.id}: {variant.status.value} at {variant.last.stage.value}", status=variant.status)
    difference = variant.last.data.get("max_abs_diff")
    found = "" if difference is None else f", largest difference from PyTorch {difference:.1e}"
    return Span(f"{variant.variant.id}: works{found}", status=variant.status)
