"""The cells of a report as a picture: outer rows torch, outer columns transformers, inside each a grid of onnx by runtime.

Every other axis, the setup, and each further runtime make further panels. The page and the SVG picture draw the same
layout. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from harness.matrix.plan import by_version
from harness.model import Status
from harness.report.tables import furthest, working_of_tried
from harness.stack import RUNTIME, RUNTIMES
from harness.verdicts.report_schema import Report, ReportedCell

OUTER = ("torch", "transformers")
"""(axis of the rows, axis of the columns)."""

INNER_ROWS = "onnx"
"""The axis of the rows inside an outer row; the columns are the runtime of the panel."""


class Shade(StrEnum):
    """How a cell looks; its value is the word for it."""

    WORKS = "works"
    PARTLY = "works in part"
    """The cell works, and not every variant that was tried does."""
    REMEDY = "works with a remedy"
    FAILS = "fails"
    FLAKY = "flaky"
    ERROR = "error"
    NOT_RUN = "not run"


class Appearance(NamedTuple):
    """The marks of a shade, each enough by itself; a pattern of the same name goes with them."""

    name: str
    """Of the class and the pattern."""
    letter: str
    colour: str
    """From Okabe & Ito, "Color Universal Design" (2008); black on it has a contrast of 5 to 1 at least."""


LOOKS = {
    Shade.WORKS: Appearance("works", "W", "#009e73"),
    Shade.PARTLY: Appearance("partly", "P", "#f0e442"),
    Shade.REMEDY: Appearance("remedy", "R", "#56b4e9"),
    Shade.FAILS: Appearance("fails", "F", "#d55e00"),
    Shade.FLAKY: Appearance("flaky", "K", "#cc79a7"),
    Shade.ERROR: Appearance("error", "E", "#e69f00"),
    Shade.NOT_RUN: Appearance("notrun", "N", "#cccccc"),
}

_OF = {
    Status.WORKS: Shade.WORKS,
    Status.WORKS_WITH_REMEDY: Shade.REMEDY,
    Status.FAILS: Shade.FAILS,
    Status.FLAKY: Shade.FLAKY,
    Status.ERROR: Shade.ERROR,
    Status.NOT_RUN: Shade.NOT_RUN,
}


_NO_FAILURE = frozenset({Status.WORKS, Status.NOT_RUN})


def look(status: Status) -> Appearance:
    """How a status looks by itself."""
    return LOOKS[_OF[status]]


def shade(cell: ReportedCell) -> Shade:
    """How a cell looks: one in which a variant does not work never looks like one in which all do."""
    if cell.status is not Status.WORKS:
        return _OF[cell.status]
    return Shade.WORKS if all(variant.status in _NO_FAILURE for variant in cell.variants) else Shade.PARTLY


def detail(cell: ReportedCell) -> str:
    """What stands below the letter: `2/4` variants that work, the stage that failed, or what is inferred; may be empty."""
    match shade(cell):
        case Shade.PARTLY:
            return "/".join(map(str, working_of_tried(cell)))
        case Shade.FAILS | Shade.FLAKY | Shade.ERROR:
            return furthest(cell) or ""
        case Shade.NOT_RUN if cell.inferred:
            return f"{cell.inferred}?"
    return ""


def legend(report: Report) -> list[tuple[Shade, int]]:
    """(shade, number of cells) of every shade that the report has."""
    counts = Counter(map(shade, report.cells))
    return [(kind, counts[kind]) for kind in Shade if counts[kind]]


Squares = Sequence[ReportedCell | None]
"""A row of the picture; None where there is no cell."""


def tally(report: Report) -> str:
    """`works: 17, works in part: 63, fails: 16`."""
    return ", ".join(f"{kind}: {count}" for kind, count in legend(report))


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """The cells that are alike on all axes which the picture does not spread out."""

    title: str
    """`Python 3.11 · optimum 1.23.3 · handoff · onnxruntime-node`, without what all panels share; may be empty."""
    runtime: str
    """The inner axis of the columns."""
    columns: Sequence[tuple[str, Sequence[str]]]
    """(version on the outer axis, versions on the inner axis)."""
    rows: Sequence[tuple[str, Sequence[tuple[str, Squares]]]]
    """(version on the outer axis, (version on the inner axis, an entry for each inner column))."""

    @property
    def starts(self) -> set[int]:
        """The places in a row at which an outer column begins."""
        return {0, *accumulate(len(versions) for _, versions in self.columns)}

    @property
    def cells(self) -> list[ReportedCell]:
        """The cells, row by row."""
        return [cell for _, rows in self.rows for _, squares in rows for cell in squares if cell]


def panels(report: Report) -> list[Panel]:
    """The cells of `report`, each once."""
    apart = [axis for axis in report.axes if axis not in {*OUTER, INNER_ROWS, *RUNTIMES}]
    found: dict[tuple[str, ...], list[ReportedCell]] = {}
    for cell in report.cells:
        found.setdefault((*(cell.version(axis) for axis in apart), cell.setup.value, _runtime(cell)), []).append(cell)
    names = ["Python" if axis == "python" else axis for axis in apart]
    shown = [len({key[place] for key in found}) > 1 for place in range(len(apart) + 2)]
    return [
        _panel(" · ".join(part for part, differs in zip(_parts(names, key), shown, strict=True) if differs), cells)
        for key, cells in sorted(found.items(), key=lambda item: [by_version(value) for value in item[0][:-2]])
    ]


def _parts(names: Sequence[str], key: Sequence[str]) -> list[str]:
    return [*(f"{name} {version}" for name, version in zip(names, key[:-2], strict=True)), *key[-2:]]


def _runtime(cell: ReportedCell) -> str:
    return cell.runtime.name if cell.runtime else RUNTIME


def _panel(title: str, cells: Sequence[ReportedCell]) -> Panel:
    (outer_row, outer_column), inner_row, inner_column = OUTER, INNER_ROWS, _runtime(cells[0])
    columns = _groups(cells, outer_column, inner_column)
    flat = [(outer, inner) for outer, versions in columns for inner in versions]
    places = {tuple(cell.version(axis) for axis in (outer_row, inner_row, outer_column, inner_column)): cell for cell in cells}
    rows = [
        (outer, [(inner, [places.get((outer, inner, *column)) for column in flat]) for inner in versions])
        for outer, versions in _groups(cells, outer_row, inner_row)
    ]
    return Panel(title=title, runtime=inner_column, columns=columns, rows=rows)


def _groups(cells: Iterable[ReportedCell], outer: str, inner: str) -> list[tuple[str, list[str]]]:
    found: dict[str, set[str]] = {}
    for cell in cells:
        found.setdefault(cell.version(outer), set()).add(cell.version(inner))
    return [(version, sorted(found[version], key=by_version)) for version in sorted(found, key=by_version)]
