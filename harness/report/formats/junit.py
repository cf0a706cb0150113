"""A page as test results in the JUnit XML that CI systems read: a case for each cell, or for each upgrade of a check.

The schema is junit-10.xsd of Jenkins' xUnit plugin, whose copy is in tests/data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from harness.foreign_text import line, visible
from harness.model import Status
from harness.report.formats.interface import Format
from harness.report.page import Annotation, Page, plain
from harness.verdicts.messages import headline
from harness.verdicts.report_schema import ReportedCell, ReportedVariant

_NAME = "export-matrix"
_ELEMENTS = {
    Status.FAILS: "failure",
    Status.WORKS_WITH_REMEDY: "failure",
    Status.FLAKY: "error",
    Status.ERROR: "error",
    Status.NOT_RUN: "skipped",
}
"""What does not work by itself is a failure; what should have given an answer and proves nothing is an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """A test case."""

    name: str
    status: Status
    kind: str
    """What a reader may group by: the stage, or the status where there is none."""
    message: str
    details: str
    seconds: float = 0.0


class JUnitFormat(Format):
    """One suite. A page without cells and answers has no case; its answer is the output of the suite."""

    def render(self, page: Page[Any]) -> str:
        """The XML, whatever characters a message has."""
        cases = list(map(_of_cell, page.cells)) or [_of_answer(answer) for answer in page.annotations if answer.status]
        elements = [_ELEMENTS.get(case.status) for case in cases]
        counts = {
            "tests": str(len(cases)),
            "failures": str(elements.count("failure")),
            "errors": str(elements.count("error")),
            "time": _seconds(sum(case.seconds for case in cases)),
        }
        root = ET.Element("testsuites", {"name": _NAME, **counts})
        suite = ET.SubElement(root, "testsuite", {"name": _NAME, **counts, "skipped": str(elements.count("skipped"))})
        for case in cases:
            _add(suite, case)
        answer = "\n".join(filter(None, [plain(page.title), plain(page.summary)]))
        ET.SubElement(suite, "system-out").text = visible(answer)
        ET.indent(root)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _add(suite: ET.Element, case: _Case) -> None:
    """Add a case; what does not work in a case that passes is its output."""
    made = ET.SubElement(suite, "testcase", name=line(case.name), classname=_NAME, time=_seconds(case.seconds))
    if element := _ELEMENTS.get(case.status):
        ET.SubElement(made, element, type=line(case.kind), message=line(case.message)).text = visible(case.details)
    elif case.details:
        ET.SubElement(made, "system-out").text = visible(case.details)


def _seconds(value: float) -> str:
    """Seconds as the schema has them; a clock that was set back made none."""
    return f"{max(value, 0.0):.3f}"


def _of_answer(answer: Annotation) -> _Case:
    """The case of an annotation."""
    status = answer.status or Status.NOT_RUN
    first, _, details = answer.text.partition("\n")
    message = f"{answer.title}: {details.partition(chr(10))[0].strip() or first}"
    return _Case(name=answer.subject, status=status, kind=answer.rule or status.value, message=message, details=answer.text)


def _of_cell(cell: ReportedCell) -> _Case:
    """The case of a cell, in whose details stands what did not work."""
    telling = _telling(cell)
    return _Case(
        name=cell.id,
        status=cell.status,
        kind=telling.stage.value if telling and telling.stage else cell.status.value,
        message=_message(cell, telling),
        details="\n".join(text for variant in cell.variants for text in _lines(variant)),
        # Stages that variants share count in each of them, so that a sum would count them twice.
        seconds=max((variant.seconds for variant in cell.variants), default=0.0),
    )


def _telling(cell: ReportedCell) -> ReportedVariant | None:
    """The variant with the status of its cell that got furthest; a cell with a remedy fails without it."""
    wanted = Status.FAILS if cell.status is Status.WORKS_WITH_REMEDY else cell.status
    found = [variant for variant in cell.variants if variant.status is wanted]
    return max(found, key=lambda variant: variant.stage.number if variant.stage else -1, default=None)


def _message(cell: ReportedCell, telling: ReportedVariant | None) -> str:
    end = _end(telling) if telling else cell.status.value
    if cell.status is Status.WORKS_WITH_REMEDY:
        return f"works with {'; '.join(cell.remedies)}, and by itself {end}"
    return f"{end} (inferred: {cell.inferred})" if cell.inferred else end


def _end(variant: ReportedVariant) -> str:
    """`fails at load: …`, or why it was not run."""
    stage = f" at {variant.stage}" if variant.stage and variant.status is not Status.NOT_RUN else ""
    text = headline(variant.error) if variant.error else variant.reason
    return f"{variant.status}{stage}" + (f": {text}" if text else "")


def _lines(variant: ReportedVariant) -> Iterator[str]:
    """What is known of a variant that was tried and does not work."""
    if variant.status in {Status.WORKS, Status.NOT_RUN}:
        return
    yield f"{variant.id}: {_end(variant)}"
    if variant.cause:
        yield f"  cause: {variant.cause}, {variant.certainty}"
    if variant.remedy:
        yield f"  mended by {', or by '.join(variant.remedies or [variant.remedy])}"
    if variant.log:
        yield f"  log: {variant.log}"
