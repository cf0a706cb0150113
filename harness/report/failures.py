"""The failures of a report, grouped so that equal ones are shown once; and the reasons why variants were not run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.diagnose.causes.diagnosis import brief
from harness.matrix.plan import by_version
from harness.matrix.selection import VARIANT_FIELDS, value_of
from harness.model import Stage, Status
from harness.report.remedies import RemedyText, RemedyTexts
from harness.report.tables import counted
from harness.tasks.harness_failure import HARNESS_FAILED
from harness.verdicts.messages import headline
from harness.verdicts.report_schema import OBSERVED, Report, ReportedCell, ReportedVariant, distinct

_Members = list[tuple[ReportedCell, ReportedVariant]]


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureGroup:
    """Equal failures."""

    status: Status
    stage: Stage
    message: str
    cells: int
    variants: int
    where: str
    """What the affected cells have in common, axis by axis, without axes on which all values are affected."""
    example: str
    """The id of an affected cell; preferably of one on which a remedy was searched."""
    log: str | None
    """The full log of the example, relative to the store; None if no process ran."""
    causes: tuple[tuple[str, int], ...]
    """(cause and how sure it is, number of variants), the most frequent first."""
    evidence: tuple[str, ...]
    """What the cause rests on in the example, without the failure itself."""
    remedies: tuple[RemedyGroup, ...]
    """What is known about remedies, each with the variants that it is true of, the most frequent first."""
    repeated: tuple[str, ...]
    """How flaky variants ended when they were repeated, the most frequent first; empty for every other group."""
    signature: str
    versions: dict[str, tuple[str, ...]]
    """Axis → its affected versions, oldest first, without axes on which all versions are affected."""
    broken: int
    """The affected cells that do not work, whatever their variant."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemedyGroup:
    """The variants of a failure group with the same remedy."""

    remedy: RemedyText
    variants: int
    where: str
    """As of the failure group; empty if they are all of its variants."""

    @property
    def text(self) -> str:
        """In a line."""
        return f"{self.remedy.text} ({counted(self.variants, 'variant')}: {self.where})" if self.where else self.remedy.text


def failure_groups(report: Report) -> list[FailureGroup]:
    """Everything that did not work, grouped by stage, signature and cause; the most frequent first."""
    groups: dict[tuple[Status, Stage, str, str], _Members] = {}
    texts, values = RemedyTexts(report.cells), _AllValues.of(report)
    for cell in report.cells:
        for variant in cell.variants:
            if variant.stage and variant.signature:
                # Equal messages may have causes of their own, each with its own evidence.
                alike = variant.status, variant.stage, variant.signature, _cause(variant)
                groups.setdefault(alike, []).append((cell, variant))
    made = [
        FailureGroup(
            status=status,
            stage=stage,
            message=(members[0][1].error or "").strip(),
            cells=len({cell.id for cell, _ in members}),
            variants=len(members),
            where=values.common(members),
            causes=tuple(Counter(_cause(variant) for _, variant in members).most_common()),
            repeated=_repeated([variant for _, variant in members]),
            remedies=_remedies(values, members, texts),
            signature=signature,
            versions=values.affected(members),
            broken=len({cell.id for cell, _ in members if cell.status is not Status.WORKS}),
            **_example(members),
        )
        for (status, stage, signature, _), members in groups.items()
    ]
    return sorted(made, key=lambda group: (group.status is not Status.ERROR, -group.variants))


def _cause(variant: ReportedVariant) -> str:
    return f"{variant.cause}, {variant.certainty}" if variant.cause else "open"


def _repeated(variants: Sequence[ReportedVariant]) -> tuple[str, ...]:
    counts = Counter(variant.outcomes[-1] for variant in variants if variant.outcomes)
    return tuple(f"{headline(text, 200)} ({count})" for text, count in counts.most_common())


def _evidence(variant: ReportedVariant) -> tuple[str, ...]:
    message = brief(variant.error)
    return tuple(sentence.replace(message, "the same") for sentence in variant.evidence[1:])


def _remedies(values: _AllValues, members: _Members, texts: RemedyTexts) -> tuple[RemedyGroup, ...]:
    """A remedy is shown for the variants that it was run on, and for no other."""
    groups: dict[RemedyText, _Members] = {}
    for cell, variant in members:
        groups.setdefault(texts.of(cell, variant), []).append((cell, variant))
    ordered = sorted(groups.items(), key=lambda item: (not item[0].works, -len(item[1])))
    return tuple(
        RemedyGroup(remedy=remedy, variants=len(alike), where=values.common(alike) if len(groups) > 1 else "")
        for remedy, alike in ordered
        if remedy.text
    )


def _example(members: _Members) -> dict[str, Any]:
    """The fields that describe one member: one that has a remedy, or the one on which most was tried."""
    most_tried = max(members, key=lambda member: len(member[1].tried))
    cell, variant = next((member for member in members if member[1].remedy), most_tried)
    return {"example": cell.id, "log": variant.log, "evidence": _evidence(variant)}


def nothing_observed(report: Report) -> str | None:
    """A sentence about why no variant was observed; None if one was, or if the report has no variants."""
    variants = [variant for cell in report.cells for variant in cell.variants]
    if not variants or any(variant.status in OBSERVED for variant in variants):
        return None
    reasons = Counter(variant.reason or headline(variant.error or "", 200) or "unknown" for variant in variants)
    listed = "; ".join(f"{counted(count, 'variant')}: {reason}" for reason, count in reasons.most_common(3))
    more = f"; and {len(reasons) - 3} more reasons" if len(reasons) > 3 else ""
    return f"nothing could be observed in {counted(len(report.cells), 'cell')}: {listed}{more}"


def harness_failure(report: Report) -> str | None:
    """A sentence about failures of the harness itself; None if there are none."""
    found = [
        (cell.id, variant.error or "")
        for cell in report.cells
        for variant in cell.variants
        if variant.status is Status.ERROR and HARNESS_FAILED in (variant.error or "")
    ]
    if not found:
        return None
    cell, message = found[0]
    return (
        f"the harness itself failed for {counted(len(found), 'variant')}, and the next run tries again; "
        f"{cell}: {headline(message)}"
    )


def not_run(report: Report) -> list[tuple[str, int]]:
    """(reason, number of variants) of everything that was not run, the most frequent first."""
    variants = (variant for cell in report.cells for variant in cell.variants)
    return Counter(variant.reason or "unknown" for variant in variants if variant.status is Status.NOT_RUN).most_common()


def affected_versions(report: Report, cells: Sequence[ReportedCell]) -> dict[str, tuple[str, ...]]:
    """Axis → the versions of `cells`, oldest first, if other cells of the report have further versions."""
    return _affected(_versions(report), cells)


def _affected(axes: Mapping[str, set[str]], cells: Sequence[ReportedCell]) -> dict[str, tuple[str, ...]]:
    found = {axis: {cell.version(axis) for cell in cells} for axis in axes}
    return {axis: tuple(sorted(own, key=by_version)) for axis, own in found.items() if own != axes[axis]}


def _versions(report: Report) -> dict[str, set[str]]:
    return {axis: {cell.version(axis) for cell in report.cells} for axis in report.axes}


@dataclass(frozen=True, slots=True)
class _AllValues:
    """The values that occur in a report, computed once."""

    axes: dict[str, set[str]]
    fields: dict[str, set[str]]
    """Field of a variant → its values."""
    opsets: dict[str, set[str]]
    """Exporter → opsets: each exporter has its own."""

    @classmethod
    def of(cls, report: Report) -> _AllValues:
        variants = distinct(variant for cell in report.cells for variant in cell.variants)
        fields = {field: {value_of(variant, field) for variant in variants} for field in VARIANT_FIELDS}
        opsets: dict[str, set[str]] = {}
        for variant in variants:
            opsets.setdefault(variant.exporter, set()).add(value_of(variant, "opset"))
        return cls(_versions(report), fields, opsets)

    def affected(self, members: _Members) -> dict[str, tuple[str, ...]]:
        """Axis → the versions of `members`, oldest first, if others have further versions."""
        return _affected(self.axes, [cell for cell, _ in members])

    def common(self, members: _Members) -> str:
        """What distinguishes `members` from all others."""
        parts = [f"{axis} {', '.join(versions)}" for axis, versions in self.affected(members).items()]
        variants = distinct(variant for _, variant in members)
        own_opsets = set[str]().union(*(self.opsets[exporter] for exporter in {variant.exporter for variant in variants}))
        for field, present in {**self.fields, "opset": own_opsets}.items():
            chosen = {value_of(variant, field) for variant in variants}
            if chosen != present:
                parts.append(f"{field.replace('_', '-')} {', '.join(sorted(chosen))}")
        return " · ".join(parts) or "everywhere"
