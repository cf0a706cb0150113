"""The tables of a report: one for each Python, setup and torch, with transformers and the rest by runtime."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from harness.matrix.selection import VARIANT_FIELDS, value_of
from harness.model import ABSENT, Stage, Status
from harness.stack import BESIDE_THE_AXES, RUNTIME, RUNTIMES, RuntimeVersion
from harness.verdicts.report_schema import (
    Report,
    ReportedCell,
    ReportedVariant,
    identity,
    newest_by_runtime,
    sorted_runtimes,
)

GLYPHS = {
    Status.WORKS: "✓",
    Status.WORKS_WITH_REMEDY: "✚",
    Status.FAILS: "✗",
    Status.FLAKY: "~",
    Status.ERROR: "!",
    Status.NOT_RUN: "·",
}
NOT_SELECTED = "-"
"""A cell was not to run a variant that others were to run."""

LEGEND = (
    "✓ works, ✗ fails (a fact about versions), ! error (harness, machine or network: proves nothing), "
    "· not run, - not asked for"
)
INFERRED = (
    "(works?) and (fails?) are inferred from other cells, not observed; wrong if three or more versions conflict only together"
)
FLAKY = "~ flaky (failed, and worked or failed at another stage when it was repeated in a fresh process: proves nothing)"
REMEDIED = "✚ works only with the remedy that is named"


def legend(report: Report) -> str:
    """What the glyphs mean, and the words in brackets where there are any."""
    remedied = [REMEDIED] if report.count(Status.WORKS_WITH_REMEDY) else []
    inferred = [INFERRED] if any(cell.inferred for cell in report.cells) else []
    flaky = [FLAKY] if any(variant.status is Status.FLAKY for cell in report.cells for variant in cell.variants) else []
    return "; ".join([LEGEND, *flaky, *remedied, *inferred])


def answer(report: Report) -> str:
    """`80 of 96 combinations work`."""
    return f"{report.count(Status.WORKS)} of {counted(len(report.cells), 'combination')} work"


def short_answer(report: Report) -> str:
    """`80 of 96 work`."""
    return f"{report.count(Status.WORKS)} of {len(report.cells)} work"


def tally(report: Report) -> str:
    """How many cells have which status; inferred ones are counted separately."""
    counts = ", ".join(f"{report.count(status)} {status.value}" for status in Status if report.count(status))
    guesses = [cell.inferred for cell in report.cells]
    parts = [f"{guesses.count(word)} {word}" for word in ("works", "fails") if word in guesses]
    return f"{counts} (inferred, not observed: {', '.join(parts)})" if parts else counts


@dataclass(frozen=True, kw_only=True, slots=True)
class Facet:
    """One table."""

    title: str
    row_axes: tuple[str, ...]
    columns: tuple[RuntimeVersion, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[ReportedCell | None, ...]], ...]
    """(versions on the row axes, one cell or None for each column)."""


def facets(report: Report) -> list[Facet]:
    """The report's cells, laid out; every cell appears once."""
    row_axes = tuple(axis for axis in report.axes if axis not in {"python", "torch", *RUNTIMES})
    groups: dict[tuple[str, str, str], list[ReportedCell]] = {}
    for cell in report.cells:
        groups.setdefault((cell.python, cell.environment.value, cell.pins["torch"]), []).append(cell)
    several = len({environment for _, environment, _ in groups}) > 1
    made = []
    for (python, environment, torch), cells in groups.items():
        columns = tuple(sorted_runtimes(cells))
        by_row: dict[tuple[str, ...], dict[RuntimeVersion | None, ReportedCell]] = {}
        for cell in cells:
            by_row.setdefault(tuple(cell.version(axis) for axis in row_axes), {})[cell.runtime] = cell
        made.append(
            Facet(
                title=f"torch {torch} · Python {python}" + (f" · {environment}" if several else ""),
                row_axes=row_axes,
                columns=columns,
                rows=tuple((row, tuple(found.get(column) for column in columns)) for row, found in by_row.items()),
            )
        )
    return made


_STAGED = {Status.FAILS, Status.FLAKY, Status.ERROR}
"""The statuses that a table shows together with the stage."""

GLYPH_LIMIT = 16
"""More variants than this are counted instead of shown as glyphs."""


def cell_text(cell: ReportedCell | None, variants: Collection[tuple[object, ...]]) -> str:
    """The entry of a cell in a table: `works ✓✓✗·`, a glyph for each of the `variants`; `fails load` if all fail alike.

    An inferred status follows in brackets, `not-run (works?)`, and a remedy follows its glyph.
    """
    if cell is None:
        return ""
    text = _observed_text(cell, variants)
    if cell.status is Status.WORKS_WITH_REMEDY:
        return f"{text} {GLYPHS[cell.status]} {'; '.join(cell.remedies)}"
    return f"{text} ({cell.inferred}?)" if cell.inferred else text


def _observed_text(cell: ReportedCell, variants: Collection[tuple[object, ...]]) -> str:
    if len(variants) > GLYPH_LIMIT:
        return f"{cell.status.value} {_working_text(cell)}"
    status = {identity(variant): variant.status for variant in cell.variants}
    glyphs = "".join(GLYPHS[status[variant]] if variant in status else NOT_SELECTED for variant in variants)
    stage = furthest(cell)
    text = f"{cell.status.value} {stage}" if stage and cell.status in _STAGED else cell.status.value
    uniform = len({(variant.stage, variant.status) for variant in cell.variants}) == 1
    return text if uniform and cell.status is not Status.WORKS else f"{text} {glyphs}"


def working_of_tried(cell: ReportedCell) -> tuple[int, int]:
    """How many variants work, and how many were tried."""
    tried = [variant.status for variant in cell.variants if variant.status is not Status.NOT_RUN]
    return tried.count(Status.WORKS), len(tried)


def _working_text(cell: ReportedCell) -> str:
    working, tried = working_of_tried(cell)
    return f"{working} of {tried}" if tried else ""


def furthest(cell: ReportedCell) -> Stage | None:
    """The latest stage at which a variant with the cell's own status stopped: the one nearest to working."""
    order = list(Stage)
    reached = [variant.stage for variant in cell.variants if variant.status is cell.status and variant.stage]
    return max(reached, key=order.index, default=None)


def counted(count: int, noun: str) -> str:
    """`1 cell`, `2 cells`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def variant_names(report: Report) -> dict[tuple[object, ...], str]:
    """The variants of all cells in the order of their glyphs, each with its name: the parts in which they differ."""
    fullest_first = sorted(report.cells, key=lambda cell: -len(cell.variants))
    variants = {identity(variant): variant for cell in fullest_first for variant in cell.variants}
    values = {field: {getattr(variant, field) for variant in variants.values()} for field in VARIANT_FIELDS}
    differing = [field for field in VARIANT_FIELDS if len(values[field]) > 1] or ["exporter", "layout"]
    opsets = {(variant.exporter, variant.opset) for variant in variants.values()}
    if {"exporter", "opset"} <= set(differing) and len(opsets) == len(values["exporter"]):
        differing.remove("opset")
    return {key: " ".join(_part(field, variant, differing) for field in differing) for key, variant in variants.items()}


def recommendations(report: Report) -> tuple[list[str], list[list[str]]]:
    """(header, rows) of the newest working set for each runtime; a row is short where there is none.

    The first entry of a row is the version of the runtime, with its name if there are several.
    """
    cells, names = {cell.id: cell for cell in report.cells}, variant_names(report)
    axes = [axis for axis in report.axes if axis not in {"python", *RUNTIMES}]
    newest, runtimes = report.newest_working, sorted_runtimes(report.cells)
    chosen = [cells[cell] for cell in newest.values() if cell in cells]
    beside = [name for name in BESIDE_THE_AXES if name not in axes and any(name in cell.resolved for cell in chosen)]
    # Two environments are two sets of versions, so the setup is shown if there are both kinds.
    several = len({cell.environment for cell in report.cells}) > 1
    rows = []
    one_name = len({runtime.name for runtime in runtimes}) < 2
    for runtime in runtimes:
        cell, shown = cells.get(newest.get(runtime, "")), runtime.version if one_name else str(runtime)
        if cell is None:
            rows.append([shown, _none([cell for cell in report.cells if cell.runtime == runtime])])
            continue
        working_names = [names[identity(variant)] for variant in cell.variants if variant.status is Status.WORKS]
        working = ", ".join(working_names) if len(names) <= GLYPH_LIMIT else _working_text(cell)
        environment = [cell.environment.value] if several else []
        versions = [*map(cell.version, axes), *(cell.resolved.get(name, ABSENT) for name in beside)]
        rows.append([shown, cell.python, *versions, *environment, working, cell.id])
    name = runtimes[0].name if one_name and runtimes else "runtime" if runtimes else RUNTIME
    header = [name, "Python", *axes, *beside, *(["setup"] if several else []), "variants that work", "cell"]
    return header, rows


def _none(cells: Sequence[ReportedCell]) -> str:
    """The entry of a runtime with which no cell works by itself."""
    partly = any(cell.status is Status.NOT_RUN for cell in cells)
    text = f"none of {'the cells that were run' if partly else 'these cells'} works"
    (best, *_) = [*newest_by_runtime(cell for cell in cells if cell.status is Status.WORKS_WITH_REMEDY).values(), None]
    return f"{text} by itself; the newest that works with a remedy: {best.id} ({'; '.join(best.remedies)})" if best else text


def _part(field: str, variant: ReportedVariant, differing: Sequence[str]) -> str:
    """The value of a field; with the field's name if the value alone is unclear, like a number without its exporter."""
    needs_name = field in {"ir_version", "optimization", "memory_pattern"} or (field == "opset" and "exporter" not in differing)
    return f"{field.replace('_', '-')} {value_of(variant, field)}" if needs_name else value_of(variant, field)
