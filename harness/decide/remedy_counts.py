"""How often a change was run in published reports on what fails alike, and how often that worked. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from harness.model import Stage, Status
from harness.stack import RUNTIME
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant, identity

_ALSO = re.compile(r"(?P<name>\S+) (?P<value>\S+) \(also (?P<others>[^)]*)\)")
_LISTED = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """The runs that a suggestion rests on."""

    works: int = 0
    """Variants that failed in this way, and that it made work."""
    run: int = 0
    """Variants that failed in this way, and on which it was run."""
    runtimes: tuple[str, ...] = ()
    """The onnxruntimes with which it worked."""
    reports: tuple[str, ...] = ()
    others: tuple[tuple[str, int], ...] = ()
    """Other changes that mended this where they were run, and how many variants."""
    measured: str = ""
    """A measurement of another kind, as a sentence."""


def evidence(
    reports: Mapping[str, Report], rule: str, change: tuple[str, int], alike: Callable[[ReportedVariant], bool]
) -> Evidence:
    """What the reports know of a change (field, value) for variants that fail to load with a finding of `rule`.

    Of other changes those count that were run on variants `alike` to what the change is for.
    """
    field, value = change
    text = f"{field} {value}"
    works, vain, runtimes, names, others = 0, 0, dict[str, None](), dict[str, None](), Counter[str]()
    for name, cell, variant in _failing(reports, rule):
        mended = [other for remedy in variant.remedies for other in _each(remedy)]
        sibling = _sibling(cell, variant, field, value)
        if text in mended or sibling is Status.WORKS:
            works += 1
            runtimes[cell.pins.get(RUNTIME, "")] = None
            names[name] = None
        elif sibling is Status.FAILS or any(tried.startswith(f"{text}: ") for tried in variant.tried):
            vain += 1
        if alike(variant):
            others.update({other for other in mended if not other.startswith((f"{field} ", RUNTIME))})
    return Evidence(
        works=works,
        run=works + vain,
        runtimes=tuple(filter(None, runtimes)),
        reports=tuple(names),
        others=tuple(others.most_common(_LISTED)),
    )


def _sibling(cell: ReportedCell, variant: ReportedVariant, field: str, value: int) -> Status | None:
    """How the variant of the cell ended that differs in `field` alone, and has `value` there; None if there is none."""
    changed = replace(variant, **{field.replace("-", "_"): value})  # type: ignore[arg-type]
    return next((other.status for other in cell.variants if identity(other) == identity(changed)), None)


def loop_evidence(reports: Mapping[str, Report]) -> Evidence:
    """Pairs of runs of a merged graph that differ in the feedback alone, where that of everything fails to decode."""
    works, run, runtimes, names = 0, 0, dict[str, None](), dict[str, None]()
    for name, report in reports.items():
        for cell in report.cells:
            known = {identity(variant): variant for variant in cell.variants}
            for variant in cell.variants:
                kept = known.get(identity(replace(variant, feedback="keep-cross")))
                if kept is None or not _dies(variant) or kept.status not in {Status.WORKS, Status.FAILS}:
                    continue
                run += 1
                if kept.status is Status.WORKS:
                    works += 1
                    runtimes[cell.pins.get(RUNTIME, "")] = None
                    names[name] = None
    return Evidence(works=works, run=run, runtimes=tuple(filter(None, runtimes)), reports=tuple(names))


def _dies(variant: ReportedVariant) -> bool:
    return variant.feedback == "feed-all" and variant.layout == "merged" and variant.stage is Stage.DECODE


def _failing(reports: Mapping[str, Report], rule: str) -> Iterator[tuple[str, ReportedCell, ReportedVariant]]:
    for name, report in reports.items():
        for cell in report.cells:
            for variant in cell.variants:
                if variant.stage is Stage.LOAD and any(found.startswith(f"{rule}: ") for found in variant.findings):
                    yield name, cell, variant


def _each(remedy: str) -> list[str]:
    """The changes that a remedy stands for: `opset 14 (also 15)` are two."""
    found = _ALSO.fullmatch(remedy)
    if not found:
        return [remedy]
    return [f"{found['name']} {value}" for value in (found["value"], *found["others"].split(", "))]
