"""Findings of the harness itself, about the processes in which something ran; those about graphs are of the probe."""

from __future__ import annotations

from dataclasses import replace

from harness.model import StageResult
from harness.verdicts.messages import headline

WORDS_VARY = "words-vary"
"""A failure that came with another message each time it was repeated."""

OWN_PROCESS = "needs-own-process"
"""What works in a process that was started for it alone, and fails in a fork or after something else."""

NEEDS_ANOTHER = "needs-another-variant"
"""What fails in a process that was started for it alone, and works after another variant."""

RULES = (WORDS_VARY, OWN_PROCESS, NEEDS_ANOTHER)


def noted(result: StageResult, rule: str, message: str) -> StageResult:
    """`result` with that finding; a result has one finding of a rule."""
    findings = [finding for finding in result.data.get("findings", ()) if finding["rule"] != rule]
    return replace(result, data={**result.data, "findings": [*findings, {"rule": rule, "message": message}]})


def needs_own_process(result: StageResult, failed: StageResult, how: str) -> StageResult:
    """`result` of a process of its own, in place of `failed`, of a process of another kind; `how` that differs."""
    assert failed.error is not None
    why = f"{failed.stage.value}: {headline(failed.error.message)}"
    return noted(result, OWN_PROCESS, f"so it was run in a process of its own; in one {how} it fails at {why}")


def needs_another(result: StageResult) -> StageResult:
    """The failure `result` of a process of its own, of what works after another variant."""
    return noted(
        result, NEEDS_ANOTHER, "so it was run in a process of its own; in one that had run another variant before it works"
    )


def words_vary(result: StageResult, other: StageResult) -> StageResult:
    """The failure `result`, which came again as `other`."""
    assert other.error is not None
    return noted(result, WORDS_VARY, f"another process ended with {other.error.type}: {headline(other.error.message)}")
