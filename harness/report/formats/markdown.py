"""reports/matrix.md: the same tables, for GitHub."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabulate import tabulate

from harness.foreign_text import line
from harness.model import Status
from harness.report import causes as suspects
from harness.report import rules
from harness.report.failures import Fault, faults, not_run
from harness.report.feedback import protocols, sentence
from harness.report.tables import CROWD, cell_text, counted, facets, legend, recommendations, slots, tally
from harness.report.variants import ways
from harness.verdicts.messages import headline
from harness.verdicts.report_model import Report


def render(report: Report) -> str:
    """The whole page."""
    probe, names = report.probe, slots(report)
    newest = f"newest result {escape(report.generated)}" if report.generated else "nothing has run yet"
    intro = (
        f"{counted(len(report.cells), 'combination')}: {tally(report)}. "
        f"Measured on {escape(report.platform)}, {newest}; "
        f"model {escape(probe.model)} ({escape(probe.profile)}, seed {probe.seed}), "
        f"torch from: {escape(report.torch)}, probe {code(probe.id)}."
    )
    lines = [
        "# Which versions work together",
        "",
        *(f"**{escape(told)}**\n" for protocol in protocols(report) if (told := sentence(protocol))),
        intro,
        "",
        f"{legend(report)}.",
        "",
        *([f"The glyphs in a cell stand for: {escape(', '.join(names.values()))}.", ""] if len(names) <= CROWD else []),
    ]
    for facet in facets(report):
        header = [*facet.row_axes, *(f"onnxruntime {version}" for version in facet.columns)]
        lines += [
            f"## {escape(facet.title)}",
            "",
            table(header, [[*row, *(cell_text(cell, names) for cell in cells)] for row, cells in facet.rows]),
            "",
        ]
        if len(names) > CROWD:
            lines += [table(*ways(report, facet)), ""]
    lines += ["## Newest working set for each onnxruntime", "", _recommended(report), ""]
    lines += [*_rules(report), *_protocols(report), *_suspects(report)]
    lines += ["## What did not work, and why", "", _faults(report), ""]
    return "\n".join(lines)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A GitHub table; versions stay text (2.10 is not 2.1)."""
    escaped = [[escape(value) for value in row] for row in rows]
    return tabulate(escaped, headers=[escape(name) for name in header], tablefmt="github", disable_numparse=True)


def escape(text: str) -> str:
    """`text` as it may stand inside a table cell, a list or a line: all that it does is to show.

    Code between single backticks stays code. Backticks that do not pair, or stand together, become quotes.
    """
    parts = _BACKTICKS.sub("'", line(text)).split("`")
    if len(parts) % 2 == 0:
        parts = ["'".join(parts)]
    return "`".join(part.replace("|", "\\|") if place % 2 else _escaped(part) for place, part in enumerate(parts))


def code(text: str) -> str:
    """`text` as code on one line."""
    return f"`{line(text).replace('`', chr(39))}`"


_BACKTICKS = re.compile("`{2,}")
_MARKUP = re.compile(
    r"\\(?=[!-/:-@\[-`{-~]|$)|<(?=[A-Za-z/!?])|[\[|]|&(?=#?[A-Za-z0-9]+;)|~(?=~)|"
    r"^(?:>|#{1,6}(?=\s)|[-+*](?=\s)|[0-9]+(?=[.)]\s))"
)
"""What Markdown, or HTML in it, gives a meaning to: escapes, tags, links and images, entities, and how a block begins."""


def _escaped(text: str) -> str:
    return _MARKUP.sub(_inert, text)


def _inert(found: re.Match[str]) -> str:
    match found[0]:
        case "<":
            return "&lt;"
        case "&":
            return "&amp;"
        case number if number.isdigit():
            return f"&#{ord(number[0])};{number[1:]}"
        case mark:
            return f"\\{mark}"


def _rules(report: Report) -> list[str]:
    shown, left_out = rules.most(report)
    rows = [
        [
            rules.said(rule, "`"),
            rules.size(rule),
            "; ".join(map(rules.sides, rule.boundaries)),
            ", ".join(f"`{place.cell}`" for place in rule.examples),
        ]
        for rule in shown
    ]
    lines = [table(["what fails", "explains", "tried on both sides", "for example"], rows), ""] if rows else []
    lines += [f"{escape(f'{said[0].upper()}{said[1:]}')}.\n" for said in (left_out, *rules.unexplained(report)) if said]
    return ["## Rules", "", *([f"{rules.MEANING}.", ""] if rows else []), *lines] if lines else []


def _protocols(report: Report) -> list[str]:
    found = protocols(report)
    if not found:
        return []
    rows = [
        [one.layout, str(one.pairs), str(one.keep_cross_works), str(one.feed_all_works), "; ".join(one.messages)]
        for one in found
    ]
    header = ["layout", "pairs", "keep-cross works", "feed-all works", "what feed-all dies of, where keep-cross works"]
    text = "The same artifact on the same runtime under both protocols; nothing else differs within a pair."
    return ["## What the decoding loop feeds back", "", text, "", table(header, rows), ""]


def _suspects(report: Report) -> list[str]:
    header, rows = suspects.rows(report)
    return ["## Whose fault it is", "", f"{suspects.summary(report)}.", "", table(header, rows), ""] if rows else []


def _recommended(report: Report) -> str:
    header, rows = recommendations(report)
    return table(header, [[*row[:-1], f"`{row[-1]}`"] if len(row) == len(header) else row for row in rows])


def _faults(report: Report) -> str:
    lines = []
    for fault in faults(report):
        shown = headline(fault.message, 400)
        size = f"{counted(fault.cells, 'cell')}, {counted(fault.variants, 'variant')}"
        lines += [
            f"- **{fault.status.value} · {fault.stage}** — {size}: {escape(fault.where)}",
            "",
            f"  > {code(shown)}",
            "",
            *_why(fault),
            *_mends(fault),
            f"  for example {code(fault.example)}" + (f"; in full in {code(fault.log)}" if fault.log else ""),
            "",
        ]
    for reason, count in not_run(report):
        lines += [f"- **not run** — {counted(count, 'variant')}: {escape(reason)}", ""]
    return "\n".join(lines) if lines else "Everything worked."


def _mends(fault: Fault) -> list[str]:
    lines = [f"  - {escape(mended.text)}" for mended in fault.mends]
    return [*lines, ""] if lines else []


def _why(fault: Fault) -> list[str]:
    """The causes of a group, and what they rest on in the example."""
    if fault.repeated:
        return ["  repeated in a fresh process: " + escape("; ".join(fault.repeated).replace("`", "'")), ""]
    if fault.status is not Status.FAILS:
        return []
    causes = ", ".join(f"**{cause}** ({count})" if len(fault.causes) > 1 else f"**{cause}**" for cause, count in fault.causes)
    return [f"  {causes}: " + escape("; ".join(fault.evidence).replace("`", "'")), ""]
