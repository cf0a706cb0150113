"""What works only in a process of its own, and what works only after another variant: which to look for, and its findings."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from harness.model import Stage, StageResult, Status
from harness.tasks.interface import ProbeOutput, Subject
from harness.verdicts import process_findings
from harness.verdicts.signature import failure_kind


def note_dependent(
    alone: ProbeOutput, dependent: Mapping[Subject, StageResult], first: ProbeOutput, apart: Collection[Subject]
) -> None:
    """Have the results `alone` say what became of them in the process `first`, if they work now; see `settle`."""
    variants = [subject for subject in first.results if subject not in apart]
    for subject, failed in dependent.items():
        differences = {"was forked": first.forked, "had run another variant before": subject in variants[1:]}
        how = " and ".join(name for name, there in differences.items() if there)
        results = alone.results.get(subject, [])
        if results and all(result.ok for result in results):
            results[-1] = process_findings.needs_own_process(results[-1], failed, f"that {how}")


def witnesses(output: ProbeOutput, apart: Collection[Subject]) -> list[Subject]:
    """What works beside each kind of failure, and may do so only because of what ran before it in its process.

    Of a kind the next one that works, or else the one before it: what works alike is likely to lean on the same.
    """
    variants = [subject for subject in output.results if subject not in apart]
    works = [subject in variants[1:] and all(result.ok for result in output.results[subject]) for subject in variants]
    found: dict[tuple[Stage, str], Subject] = {}
    for place, subject in enumerate(variants):
        failed = next((result for result in output.results[subject] if result.status is Status.FAILS), None)
        beside = [*range(place + 1, len(variants)), *reversed(range(place))]
        witness = next((variants[other] for other in beside if works[other]), None)
        if failed and failed.error and witness is not None:
            found.setdefault(failure_kind(failed), witness)
    return list(dict.fromkeys(found.values()))


def note_leaning(alone: ProbeOutput, leaning: Collection[Subject]) -> None:
    """Have the results of what fails `alone` say that it works after another variant."""
    for subject in leaning:
        results = alone.results.get(subject, [])
        if results and results[-1].status is Status.FAILS:
            results[-1] = process_findings.needs_another(results[-1])
