"""The heat map of a report as a picture: matrix.svg. Of every other page, its title and summary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.report import heat_map, templating
from harness.report.formats.interface import Format
from harness.report.heat_map import Panel, Squares
from harness.report.page import Page, plain
from harness.report.tables import answer
from harness.verdicts.report_schema import Report

WIDTH, HEIGHT, GAP = 46, 30, 8
"""Of a square, and between two groups; all lengths are in user units of the picture."""
_LEFT, _TOP = 176, 46
"""Room for the names of rows, and of columns."""
_HEAD, _CAPTION, _MARGIN = 76, 24, 16
_LETTER = 8
"""Width of a letter of the title, about."""
_LEGEND = 150
"""Width of an entry of the legend."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    """Squares below one version of the outer axis."""

    version: str
    start: int
    end: int
    entries: Sequence[tuple[int, Any]]
    """(place, version on the inner axis) of a column; (place, (version, squares)) of a row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Drawn:
    """A panel with its places, which count from its upper left corner."""

    title: str
    runtime: str
    top: int
    columns: Sequence[_Group]
    rows: Sequence[_Group]

    @property
    def xs(self) -> list[int]:
        """The places of the columns."""
        return [place for group in self.columns for place, _ in group.entries]


class SvgFormat(Format):
    """The template `heat_map.svg`."""

    suffix: ClassVar[str | None] = "svg"

    def render(self, page: Page[Any]) -> str:
        """The picture. Raises ReportError where a user's template is wrong."""
        report = page.source if isinstance(page.source, Report) else None
        panels = _drawn(heat_map.panels(report)) if report else []
        title, summary = (answer(report), heat_map.tally(report)) if report else (plain(page.title), plain(page.summary))
        legend = heat_map.legend(report) if report else []
        sides = [*(panel.columns[-1].end for panel in panels), _LEGEND * len(legend), _LETTER * max(len(title), len(summary))]
        return templating.render(
            "heat_map.svg",
            title=title,
            summary=summary,
            legend=legend,
            entry=_LEGEND,
            marks=heat_map.LOOKS,
            panels=panels,
            width=max(sides) + 2 * _MARGIN,
            height=(panels[-1].top + panels[-1].rows[-1].end if panels else _HEAD) + _MARGIN,
            margin=_MARGIN,
            square=(WIDTH, HEIGHT),
            left=_LEFT,
            outer=heat_map.OUTER,
            inner=heat_map.INNER_ROWS,
            shade=heat_map.shade,
            detail=heat_map.detail,
        )


def _drawn(panels: Iterable[Panel]) -> list[_Drawn]:
    made: list[_Drawn] = []
    top = _HEAD
    for panel in panels:
        rows = _groups(panel.rows, _TOP + (_CAPTION if panel.title else 0), HEIGHT)
        columns = _groups(panel.columns, _LEFT, WIDTH)
        made.append(_Drawn(title=panel.title, runtime=panel.runtime, top=top, columns=columns, rows=rows))
        top += rows[-1].end + 2 * GAP
    return made


def _groups(groups: Sequence[tuple[str, Sequence[str] | Sequence[tuple[str, Squares]]]], start: int, size: int) -> list[_Group]:
    made: list[_Group] = []
    for version, entries in groups:
        places = [start + number * (size + 2) for number in range(len(entries))]
        end = places[-1] + size
        made.append(_Group(version=version, start=start, end=end, entries=list(zip(places, entries, strict=True))))
        start = end + GAP
    return made
