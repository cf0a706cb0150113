"""Rules in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.matrix.plan import by_version
from harness.model import Stage
from harness.report.page import Look, Span, code, joined
from harness.report.tables import counted
from harness.verdicts.report_schema import Report
from harness.verdicts.rule_model import Boundary, Rule

SHOWN = 20
"""Rules on the page, at most; matrix.json has them all."""

MEANING = joined(
    "A rule holds for all variants that got as far as its stage, without exception; what failed before, or in another way, "
    "says nothing of it. ",
    Span("Open", Look.EMPHASIS),
    ": versions lie between the two sides that were not tried; ",
    Span("not asked", Look.EMPHASIS),
    ": what lies between was not looked up; ",
    code("run --close-boundaries"),
    " does both.",
)


def shown_rules(report: Report) -> tuple[Sequence[Rule], str]:
    """The rules to show, and a sentence about the others, if any."""
    left = len(report.rules) - SHOWN
    return report.rules[:SHOWN], f"and {counted(left, 'rule')} more, in matrix.json" if left > 0 else ""


def sentence(rule: Rule) -> str:
    """A rule in words: `With layout merged and onnxruntime older than 1.32.0, everything that gets to load fails there`."""
    *most, last = (f"{atom.name} {_BOUNDS[atom.op].format(atom.value)}" for atom in rule.atoms)
    where = f"{', '.join(most)} and {last}" if most else last
    nothing_before = rule.stage is Stage.RESOLVE
    return f"With {where}, " + (
        "nothing resolves" if nothing_before else f"everything that gets as far as {rule.stage} fails there"
    )


_BOUNDS = {"=": "{}", "<": "older than {}", ">=": "{} or newer"}


def support_text(rule: Rule) -> str:
    """What a rule explains: `32 variants in 16 cells, format gate, 4 of them by no other rule`."""
    causes = "".join(f", {cause}" for cause in rule.causes)
    text = f"{counted(rule.variants, 'variant')} in {counted(rule.cells, 'cell')}{causes}"
    return text if rule.alone == rule.variants else f"{text}, {rule.alone} of them by no other rule"


def boundary_text(boundary: Boundary) -> str:
    """`onnxruntime fails up to 1.16.3, passes from 1.20.1 (open)`; `at` if a single version was tried."""
    upwards = by_version(boundary.fails) < by_version(boundary.passes)
    fails = "at" if len(boundary.failed) == 1 else "up to" if upwards else "from"
    passes = "at" if len(boundary.passed) == 1 else "from" if upwards else "up to"
    return f"{boundary.name} fails {fails} {boundary.fails}, passes {passes} {boundary.passes}{_state(boundary)}"


def _state(boundary: Boundary) -> str:
    """Whether versions without a result lie between the two sides."""
    skipped = [tried.version for tried in boundary.tried if tried.outcome not in {"fails", "passes"}]
    if boundary.closed:
        return f" (of {', '.join(skipped)} between them nothing is known)" if skipped else ""
    return " (not asked)" if boundary.between is None and not boundary.tried else " (open)"


def unexplained(report: Report) -> list[str]:
    """The failures without a rule, one sentence for each stage and reason."""
    counts = Counter[tuple[str, str]]()
    for failure in report.unexplained:
        counts[failure.stage.value, failure.why] += len(failure.variants)
    return [
        f"no rule explains {counted(count, 'variant')} that {'fails' if count == 1 else 'fail'} at {stage}: {why}"
        for (stage, why), count in counts.items()
    ]
