"""A page for a browser: one file that asks no network. Of the report this is matrix.html, with its heat map and filters."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, ClassVar

from markupsafe import Markup

from harness.model import Status
from harness.report import heat_map, rules, spark_line, templating
from harness.report.cell_data import packed
from harness.report.formats.interface import Format
from harness.report.page import Page, Section, plain
from harness.report.pins import pins
from harness.report.tables import answer
from harness.verdicts.report_schema import Report

_SCRIPTS = ("blocks.js", "heat_map.js", "page.js")


class HtmlFormat(Format):
    """The templates in `templates/`: `report.html` for a report, `page.html` for every other page."""

    suffix: ClassVar[str | None] = "html"

    def render(self, page: Page[Any]) -> str:
        """The whole document. Raises ReportError where a user's template is wrong."""
        if isinstance(page.source, Report):
            return _document("report.html", page, script="\n".join(map(templating.source, _SCRIPTS)), **_of_report(page))
        return _document("page.html", page, script="", title=plain(page.title))


def _document(template: str, page: Page[Any], *, script: str, **values: Any) -> str:
    """A page under a policy that lets nothing run but its own script, and nothing be fetched."""
    style = templating.render("style.css", marks=heat_map.LOOKS)
    return templating.render(
        template,
        page=page,
        style=Markup(style),  # noqa: S704 -- like the script, of our templates or of the user's
        style_source=_source(style),
        script=Markup(script),  # noqa: S704
        script_source=_source(script) if script else Markup("'none'"),
        looks={status: heat_map.look(status).name for status in Status},
        **values,
    )


def _source(text: str) -> Markup:
    """What a Content-Security-Policy names an inline script or style by."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup("'sha256-{}'").format(digest)


def _of_report(page: Page[Report]) -> dict[str, Any]:
    report, (shown, left_out) = page.source, rules.shown_rules(page.source)
    first = next((n for n, block in enumerate(page.blocks) if isinstance(block, Section)), len(page.blocks))
    own = [block for block in page.blocks if not getattr(block, "pictured", False)]
    return {
        "title": answer(report),
        "tally": heat_map.tally(report),
        "asked": _asked(report),
        "spark": _spark(page),
        "advice": [block for block in own if block in page.blocks[:first]],
        "pins": pins(report, page.options),
        "rules": shown,
        "sentence": rules.sentence,
        "support": rules.support_text,
        "more_rules": [*filter(None, [left_out]), *rules.unexplained(report)],
        "legend": heat_map.legend(report),
        "marks": heat_map.LOOKS,
        "panels": heat_map.panels(report),
        "outer": heat_map.OUTER,
        "inner": heat_map.INNER_ROWS,
        "shade": heat_map.shade,
        "detail": heat_map.detail,
        "rest": [block for block in own if block not in page.blocks[:first]],
        "data": packed(report, page.options),
    }


def _spark(page: Page[Report]) -> dict[str, Any] | None:
    """The spark line of the runs, if the page has any."""
    if not page.trend:
        return None
    return {"line": spark_line.SparkLine(runs=page.trend), "width": spark_line.WIDTH, "height": spark_line.HEIGHT}


def _asked(report: Report) -> list[tuple[str, str]]:
    """What was asked, where it was measured, and when."""
    probe = report.probe
    return [
        *((axis, ", ".join(versions)) for axis, versions in report.axes.items()),
        ("model", f"{probe.model} ({probe.profile}, seed {probe.seed})"),
        ("measured on", f"{report.platform}, torch from: {report.torch}"),
        ("newest result", f"{report.generated[:16].replace('T', ' ')} UTC" if report.generated else "nothing has run yet"),
        ("probe", probe.id),
    ]
