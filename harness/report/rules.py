"""Rules in words: for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from harness.matrix.plan import by_version
from harness.report.tables import counted
from harness.verdicts.report_model import Report
from harness.verdicts.rule_model import Boundary, Rule

SHOWN = 20
"""More rules than this nobody reads; matrix.json has them all."""

MEANING = (
    "A rule holds for all variants that got as far as its stage, without exception; what failed before, or in another way, "
    "says nothing of it. *Open*: versions lie between the two sides that were not tried; *not asked*: what lies between was "
    "not looked up; `run --close-boundaries` does both"
)


def most(report: Report) -> tuple[Sequence[Rule], str]:
    """The rules to show, and a sentence about those that are left out, if any."""
    left = len(report.rules) - SHOWN
    return report.rules[:SHOWN], f"and {counted(left, 'rule')} more, in matrix.json" if left > 0 else ""


def said(rule: Rule, quote: str = "") -> str:
    """The rule, and another that would do as well."""
    text = f"{quote}{rule.text}{quote}"
    return f"{text}, or as well {quote}{rule.alternatives[0]}{quote}" if rule.alternatives else text


def size(rule: Rule) -> str:
    """What it explains: `32 variants in 16 cells, format gate, 4 of them by no other rule`."""
    causes = "".join(f", {cause}" for cause in rule.causes)
    text = f"{counted(rule.variants, 'variant')} in {counted(rule.cells, 'cell')}{causes}"
    return text if rule.alone == rule.variants else f"{text}, {rule.alone} of them by no other rule"


def sides(boundary: Boundary) -> str:
    """`onnxruntime fails up to 1.16.3, passes from 1.20.1 (open)`; `at` where one version was tried."""
    upwards = by_version(boundary.fails) < by_version(boundary.passes)
    fails = "at" if len(boundary.failed) == 1 else "up to" if upwards else "from"
    passes = "at" if len(boundary.passed) == 1 else "from" if upwards else "up to"
    return f"{boundary.name} fails {fails} {boundary.fails}, passes {passes} {boundary.passes}{_state(boundary)}"


def _state(boundary: Boundary) -> str:
    """Whether a version lies between the two sides of which nothing is known."""
    skipped = [one.version for one in boundary.tried if one.outcome not in {"fails", "passes"}]
    if boundary.closed:
        return f" (of {', '.join(skipped)} between them nothing is known)" if skipped else ""
    return " (not asked)" if boundary.between is None and not boundary.tried else " (open)"


def unexplained(report: Report) -> list[str]:
    """What no rule explains, one sentence for each stage and reason."""
    counts: dict[tuple[str, str], int] = {}
    for one in report.unexplained:
        counts[one.stage.value, one.why] = counts.get((one.stage.value, one.why), 0) + len(one.variants)
    return [
        f"no rule explains {counted(count, 'variant')} that {'fails' if count == 1 else 'fail'} at {stage}: {why}"
        for (stage, why), count in counts.items()
    ]
