"""The answer of a page as a badge: matrix.badge.svg."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.model import Status
from harness.report import templating
from harness.report.formats.interface import Format
from harness.report.heat_map import LOOKS, Shade, legend
from harness.report.page import Page, plain
from harness.report.tables import short_answer
from harness.verdicts.report_schema import Report

_LETTER = 6.6
"""Units of the picture that a letter takes, about; the picture stretches its text to that."""
_LABEL = "export-matrix"
_LIMIT = 60
"""Letters of an answer, at most."""


class BadgeFormat(Format):
    """The template `badge.svg`. It is green only where everything works that was tried."""

    suffix: ClassVar[str | None] = "badge.svg"

    def render(self, page: Page[Any]) -> str:
        """The picture. Raises ReportError where a user's template is wrong."""
        text, colour = _of_report(page.source) if isinstance(page.source, Report) else (plain(page.title), "#dddddd")
        text = text if len(text) <= _LIMIT else f"{text[: _LIMIT - 1]}…"
        return templating.render("badge.svg", label=_LABEL, text=text, colour=colour, letter=_LETTER)


def _of_report(report: Report) -> tuple[str, str]:
    works = report.count(Status.WORKS)
    shades = {kind for kind, _ in legend(report)}
    shade = Shade.WORKS if shades <= {Shade.WORKS} else Shade.PARTLY if works else Shade.FAILS
    return short_answer(report), LOOKS[shade].colour
