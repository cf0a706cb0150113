"""The failures of a report, grouped by stage and fault so that none is repeated by cell; and what was not run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.diagnose.causes.diagnosis import brief
from harness.matrix.plan import by_version
from harness.matrix.selection import VARIANT_FIELDS
from harness.model import Stage, Status
from harness.report.remedies import RemedyText, RemedyTexts
from harness.report.tables import counted, shown
from harness.tasks.own_errors import OWN_ERROR
from harness.verdicts.messages import headline
from harness.verdicts.report_model import OBSERVED, Report, ReportedCell, ReportedVariant

_Members = list[tuple[ReportedCell, ReportedVariant]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Failures that are one and the same."""

    status: Status
    stage: Stage
    message: str
    cells: int
    variants: int
    where: str
    """What the affected cells have in common, axis by axis; axes on which all values are affected are left out."""
    example: str
    """The id of one affected cell; one on which a remedy was looked for, where there is one."""
    log: str | None
    """The full log of the example, relative to the store; none where uv was asked and nothing ran."""
    causes: tuple[tuple[str, int], ...]
    """(cause and how sure it is, number of variants), the most frequent first."""
    evidence: tuple[str, ...]
    """What the cause rests on in the example, besides the failure itself, whose message is not said again."""
    mends: tuple[RemedyGroup, ...]
    """What is known of remedies, each for the variants of which it is known, the most frequent first."""
    repeated: tuple[str, ...]
    """How flaky variants ended when they were repeated, the most frequent first; empty for every other group."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemedyGroup:
    """The variants of a fault of which the same is known of a remedy."""

    mend: RemedyText
    variants: int
    where: str
    """As of the fault; empty where they are all of its variants."""

    @property
    def text(self) -> str:
        """In a line."""
        return f"{self.mend.text} ({counted(self.variants, 'variant')}: {self.where})" if self.where else self.mend.text


def faults(report: Report) -> list[Fault]:
    """Everything that did not work, grouped by stage, signature and cause; the most frequent first."""
    groups: dict[tuple[Status, Stage, str, str], _Members] = {}
    mends, everywhere = RemedyTexts(report.cells), _Everywhere.of(report)
    for cell in report.cells:
        for variant in cell.variants:
            if variant.stage and variant.signature:
                # Equal messages may have causes of their own, each with its own evidence.
                alike = variant.status, variant.stage, variant.signature, _cause(variant)
                groups.setdefault(alike, []).append((cell, variant))
    made = [
        Fault(
            status=status,
            stage=stage,
            message=(members[0][1].error or "").strip(),
            cells=len({cell.id for cell, _ in members}),
            variants=len(members),
            where=everywhere.common(members),
            causes=tuple(Counter(_cause(one) for _, one in members).most_common()),
            repeated=_repeated([one for _, one in members]),
            mends=_mended(everywhere, members, mends),
            **_example(members),
        )
        for (status, stage, *_), members in groups.items()
    ]
    return sorted(made, key=lambda fault: (fault.status is not Status.ERROR, -fault.variants))


def _cause(variant: ReportedVariant) -> str:
    return f"{variant.cause}, {variant.certainty}" if variant.cause else "open"


def _repeated(variants: Sequence[ReportedVariant]) -> tuple[str, ...]:
    counts = Counter(one.outcomes[-1] for one in variants if one.outcomes)
    return tuple(f"{headline(text, 200)} ({count})" for text, count in counts.most_common())


def _rest(variant: ReportedVariant) -> tuple[str, ...]:
    words = brief(variant.error)
    return tuple(sentence.replace(words, "the same") for sentence in variant.evidence[1:])


def _mended(everywhere: _Everywhere, members: _Members, mends: RemedyTexts) -> tuple[RemedyGroup, ...]:
    """A remedy stands only over the variants that it was run on."""
    groups: dict[RemedyText, _Members] = {}
    for cell, variant in members:
        groups.setdefault(mends.of(cell, variant), []).append((cell, variant))
    ordered = sorted(groups.items(), key=lambda item: (not item[0].works, -len(item[1])))
    return tuple(
        RemedyGroup(mend=mend, variants=len(some), where=everywhere.common(some) if len(groups) > 1 else "")
        for mend, some in ordered
        if mend.text
    )


def _example(members: _Members) -> dict[str, Any]:
    """What is told of one member: one that has a remedy, or on which most was tried."""
    cell, variant = next((one for one in members if one[1].remedy), max(members, key=lambda one: len(one[1].tried)))
    return {
        "example": cell.id,
        "log": variant.log,
        "evidence": _rest(variant),
    }


def nothing_observed(report: Report) -> str | None:
    """Why no variant of the report was seen to work or to fail, in a sentence; None where one was, or where there is none."""
    variants = [variant for cell in report.cells for variant in cell.variants]
    if not variants or any(variant.status in OBSERVED for variant in variants):
        return None
    reasons = Counter(variant.reason or headline(variant.error or "", 200) or "unknown" for variant in variants)
    told = "; ".join(f"{counted(count, 'variant')}: {reason}" for reason, count in reasons.most_common(3))
    more = f"; and {len(reasons) - 3} more reasons" if len(reasons) > 3 else ""
    return f"nothing could be observed in {counted(len(report.cells), 'cell')}: {told}{more}"


def hindered(report: Report) -> str | None:
    """A sentence where the harness itself has failed; None where it has not."""
    found = [
        (cell.id, variant.error or "")
        for cell in report.cells
        for variant in cell.variants
        if variant.status is Status.ERROR and OWN_ERROR in (variant.error or "")
    ]
    if not found:
        return None
    cell, message = found[0]
    said = f"the harness itself failed for {counted(len(found), 'variant')}, and the next run tries again"
    return f"{said}; {cell}: {headline(message)}"


def not_run(report: Report) -> list[tuple[str, int]]:
    """(reason, number of variants) of everything that was not run."""
    reasons: dict[str, int] = {}
    for cell in report.cells:
        for variant in cell.variants:
            if variant.status is Status.NOT_RUN:
                reasons[variant.reason or "unknown"] = reasons.get(variant.reason or "unknown", 0) + 1
    return sorted(reasons.items(), key=lambda item: -item[1])


@dataclass(frozen=True, slots=True)
class _Everywhere:
    """What all cells of a report have, looked at once."""

    axes: dict[str, set[str]]
    fields: dict[str, set[str]]
    """Field of a variant → its values."""
    opsets: dict[str, set[str]]
    """Exporter → opsets: each exporter has its own."""

    @classmethod
    def of(cls, report: Report) -> _Everywhere:
        fields: dict[str, set[str]] = {field: set() for field in VARIANT_FIELDS}
        opsets: dict[str, set[str]] = {}
        for variant in (variant for cell in report.cells for variant in cell.variants):
            for field, values in fields.items():
                values.add(shown(field, variant))
            opsets.setdefault(variant.exporter, set()).add(shown("opset", variant))
        return cls({axis: {cell.version(axis) for cell in report.cells} for axis in report.axes}, fields, opsets)

    def common(self, members: _Members) -> str:
        """What tells `members` from all others."""
        parts = []
        for axis, present in self.axes.items():
            affected = {cell.version(axis) for cell, _ in members}
            if affected != present:
                parts.append(f"{axis} {', '.join(sorted(affected, key=by_version))}")
        own_opsets = set[str]().union(*(self.opsets[exporter] for exporter in {one.exporter for _, one in members}))
        for field, present in {**self.fields, "opset": own_opsets}.items():
            chosen = {shown(field, variant) for _, variant in members}
            if chosen != present:
                parts.append(f"{field.replace('_', '-')} {', '.join(sorted(chosen))}")
        return " · ".join(parts) or "everywhere"
