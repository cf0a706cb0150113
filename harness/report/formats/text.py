"""The same tables on a terminal, in colours that every eye can tell apart (Okabe and Ito), each with its own glyph."""

from __future__ import annotations

from collections.abc import Collection

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.model import Status
from harness.report import rules
from harness.report.failures import faults, not_run
from harness.report.feedback import protocols, sentence
from harness.report.tables import CROWD, Facet, cell_text, counted, facets, legend, recommendations, slots, tally
from harness.report.variants import ways
from harness.verdicts.messages import headline
from harness.verdicts.report_model import Report, ReportedCell

# Bluish green, sky blue, vermilion, orange: Okabe & Ito, "Color Universal Design" (2008).
STYLES = {
    Status.WORKS: "#009E73",
    Status.WORKS_WITH_REMEDY: "#56B4E9",
    Status.FAILS: "bold #D55E00",
    Status.FLAKY: "#CC79A7",
    Status.ERROR: "reverse #E69F00",
    Status.NOT_RUN: "dim",
}


def show(report: Report, console: Console, *, options: str = "") -> None:
    """Print tables, recommendations and grouped failures to `console`.

    `options` is what the commands that it names need to mean the same matrix and store.
    """
    names = slots(report)
    for facet in facets(report):
        table = Table(title=facet.title, title_justify="left", header_style="bold")
        for axis in facet.row_axes:
            table.add_column(axis, overflow="fold")
        for version in facet.columns:
            table.add_column(f"onnxruntime\n{version}", overflow="fold")
        for row, cells in facet.rows:
            table.add_row(*row, *(styled(cell, names) for cell in cells))
        console.print(table)
        if len(names) > CROWD:
            _ways(report, facet, console)
    glyphs = f"\none glyph for each variant: {', '.join(names.values())}" if len(names) <= CROWD else ""
    console.print(f"{legend(report)}{glyphs}\n", style="dim")
    for protocol in protocols(report):
        if told := sentence(protocol):
            console.print(Text(f"{told}\n", style="bold"))
    _recommended(report, console)
    _rules(report, console)
    _faults(report, console, options)
    console.print(Text.assemble((f"{counted(len(report.cells), 'cell')}:", "bold"), f" {tally(report)}"))


def styled(cell: ReportedCell | None, names: Collection[tuple[object, ...]]) -> Text:
    """A table's entry for `cell`."""
    return Text(cell_text(cell, names), style=STYLES[cell.status]) if cell else Text("")


def _ways(report: Report, facet: Facet, console: Console) -> None:
    header, rows = ways(report, facet)
    table = Table(title="variants, counted", title_justify="left", header_style="bold")
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _recommended(report: Report, console: Console) -> None:
    header, rows = recommendations(report)
    table = Table(title="Newest working set for each onnxruntime", title_justify="left", header_style="bold")
    for name in header:
        # The id is what one copies; where even that does not fit, nothing is cut.
        table.add_column(name, overflow="fold", no_wrap=name == "cell")
    for row in rows:
        # What there is to say where nothing works belongs under the widest heading.
        entries = row if len(row) == len(header) else [row[0], *("-" for _ in header[2:]), row[1]]
        table.add_row(*(Text(entry, overflow="fold", no_wrap=False) for entry in entries))
    console.print(table)


def _rules(report: Report, console: Console) -> None:
    shown, left_out = rules.most(report)
    said = [left_out, *rules.unexplained(report)]
    if any((*shown, *said)):
        meaning = (
            ": without exception where a variant got as far as the stage; "
            "open: what lies between was not tried, not asked: nor looked up"
        )
        console.print(Text.assemble("\n", ("Rules", "bold"), meaning))
    for rule in shown:
        console.print(Text(rules.said(rule), style=STYLES[Status.FAILS]), Text(f" {rules.size(rule)}"))
        for boundary in rule.boundaries:
            console.print(Text(f"    {rules.sides(boundary)}"))
    for line in filter(None, said):
        console.print(Text(line))


def _faults(report: Report, console: Console, options: str) -> None:
    found = faults(report)
    if found:
        console.print("\nWhat did not work, and why", style="bold")
    for fault in found:
        head = Text(f"{fault.status.value} {fault.stage}", style=STYLES[fault.status])
        console.print(head, Text(f"{counted(fault.cells, 'cell')}, {counted(fault.variants, 'variant')}: {fault.where}"))
        console.print(Text(f"    {headline(fault.message)}"))
        if fault.repeated:
            console.print(Text(f"    repeated in a fresh process: {'; '.join(fault.repeated)}"))
        if fault.status is Status.FAILS:
            several = [f"{cause} ({count})" if len(fault.causes) > 1 else cause for cause, count in fault.causes]
            console.print(Text(f"    cause: {'; '.join(several)}"))
        for mended in fault.mends:
            style = STYLES[Status.WORKS_WITH_REMEDY] if mended.mend.works else ""
            console.print(Text(f"    {mended.text}", style=style), soft_wrap=True)
        console.print(Text(f"    python -m harness explain {fault.example}{options}", style="dim"), soft_wrap=True)
    for reason, count in not_run(report):
        console.print(Text("not run", style=STYLES[Status.NOT_RUN]), Text(f"{counted(count, 'variant')}: {reason}"))
    console.print()
