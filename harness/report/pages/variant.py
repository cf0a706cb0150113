"""What is known about one variant of a cell: the lines that `cell` and `explain` share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.model import Cell, Status
from harness.report.page import Item, items, strong
from harness.verdicts.judge import VariantVerdict
from harness.verdicts.report_schema import ReportedVariant
from harness.verdicts.reporting import findings, opinion_text


def versions(cell: Cell) -> str:
    """`Python 3.11, torch 2.1.2, …, together`."""
    return f"Python {cell.python}, {', '.join(f'{name} {version}' for name, version in cell.pins)}, {cell.setup.value}"


def message(variant: VariantVerdict) -> str:
    """Why it did not work, in its own words; empty where there are none."""
    return variant.reason or (variant.error.message if variant.error else "")


def details(variant: VariantVerdict) -> Iterator[str]:
    """What was found out about it besides its message."""
    data = {name: value for result in variant.results for name, value in result.data.items()}
    for when, end in zip(("first", "repeated"), variant.outcomes, strict=False):
        yield f"{when}: {end}"
    if node := data.get("node"):
        yield f"node: {_listed(node)}"
    yield from finding_lines(findings(variant))
    for name, result in variant.opinions.items():
        yield f"the same artifact in {name}: {opinion_text(result)}"


def finding_lines(found: Sequence[str]) -> Iterator[str]:
    """A line for each rule of the lint, with its first finding; `found` are findings as matrix.json has them."""
    rules: dict[str, list[str]] = {}
    for finding in found:
        rules.setdefault(finding.partition(": ")[0], []).append(finding)
    for first, *others in rules.values():
        yield f"finding: {first}" + (f" (and {len(others)} more of this kind)" if others else "")


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


def log_line(variant: VariantVerdict, store: Path) -> Iterator[str]:
    """The path of its log, if it has one."""
    if variant.last.log:
        log = store / variant.last.log
        yield f"log: {log}{'' if log.exists() else ' (on the machine that ran it)'}"


def cause(variant: ReportedVariant) -> Iterator[Item]:
    """The cause of a failure, and what it rests on."""
    if variant.status is Status.FAILS:
        text = f"{variant.cause}, {variant.certainty}" if variant.cause else "open"
        yield Item(text=strong(f"cause: {text}"), blocks=[items(*variant.evidence)] if variant.evidence else [])
