"""The causes that were measured with a message, as items of the pages of messages."""

from __future__ import annotations

from collections.abc import Sequence

from harness import invocation
from harness.decide.known_messages import MeasuredCause, Occurrence, Spread
from harness.model import Status
from harness.report.page import Item, Span, Text, code, items, joined, strong
from harness.report.tables import counted
from harness.verdicts.messages import headline

_SENTENCE = 240
"""Characters of a sentence of evidence."""
_REMEDIES = 6
_REPORTS = 4
"""Reports that are named for a cause; the data has them all."""


def cause_item(cause: MeasuredCause, evidence: Sequence[str] = (), *, commands: bool = False) -> Item:
    """A cause with where it was seen and what mends it; with `commands`, how to see more."""
    lines: list[Text | Item] = [f"{counted(cause.variants, 'variant')} of {counted(cause.cells, 'cell')}"]
    lines += map(_occurrence, cause.occurrences[:_REPORTS])
    if (more := len(cause.occurrences) - _REPORTS) > 0:
        lines.append(f"and in {counted(more, 'more report')}")
    lines.append(_remedies(cause))
    lines += [headline(sentence, limit=_SENTENCE) for sentence in evidence]
    if commands:
        lines += [joined("in full: ", code(_command(cause.occurrences[0])))]
    return Item(text=strong(f"cause: {named(cause)}"), blocks=[items(*lines)])


def named(cause: MeasuredCause) -> str:
    """`exporter, proven`."""
    return f"{cause.cause}, {cause.certainty}" if cause.cause else "open"


def _occurrence(found: Occurrence) -> str:
    """`with onnxruntime 1.16.0, 1.16.3 (of 4 measured) · exporter dynamo; all of python 3.11; report …`."""
    distinguishing = [spread for spread in found.versions if len(spread.failing) < spread.measured]
    constant = [spread for spread in found.versions if spread not in distinguishing]
    texts = [
        f"with {' · '.join(map(_spread, distinguishing))}" if distinguishing else "",
        f"all with {' · '.join(map(_spread, constant))}" if constant else "",
        f"report {found.source}",
    ]
    return "; ".join(filter(None, texts))


def _spread(spread: Spread) -> str:
    of = f" (of {spread.measured} measured)" if spread.measured > max(len(spread.failing), 2) else ""
    return f"{spread.name} {', '.join(spread.failing)}{of}"


def _remedies(cause: MeasuredCause) -> Text:
    if not cause.remedies:
        return "no remedy was found" if cause.searched else "no remedy was looked for"
    shown = [
        f"{remedy}{_in_place(cause.replaced.get(remedy))} ({counted(count, 'variant')})"
        for remedy, count in list(cause.remedies.items())[:_REMEDIES]
    ]
    more = len(cause.remedies) - len(shown)
    rest = f", and {more} more" if more else ""
    return Span(f"works with: {'; '.join(shown)}{rest}", status=Status.WORKS_WITH_REMEDY)


def _in_place(replaced: Sequence[str] | None) -> str:
    """What a remedy replaces: `exporter torchscript` is none for those who have that exporter."""
    return f" in place of {' or '.join(replaced)}" if replaced else ""


def _command(found: Occurrence) -> str:
    """The command that shows more of an occurrence: `explain`, if that finds the cell in this report."""
    return invocation.command("explain", found.example) if found.explained else invocation.command("show", found.report)
