"""The messages of the published reports: each once, with all failures that ended with it. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.decide import measured_remedies, message_forms
from harness.matrix.plan import by_version
from harness.matrix.selection import VARIANT_FIELDS, value_of
from harness.model import Cause, Certainty, Stage, Status
from harness.published_reports import Published
from harness.verdicts.report_schema import ReportedCell, ReportedVariant

_OWN_WORDS = {"ProbeFailure", "CallFailure", "InventedInput", "MissingOutput", "RunnerCrash", "signal", "exit"}
"""Types of failures that the harness words itself; at the import it repeats what a package logs."""
_BY_CONTRAST = {Stage.EAGER, Stage.DECODE, Stage.PARITY}
"""Stages at which runs beside a failure show its cause, and not the message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredFailure:
    """A variant that failed, in its cell and report."""

    published: Published
    cell: ReportedCell
    variant: ReportedVariant
    values: tuple[str, ...]
    """The numbers in its message."""
    names: set[str]
    """The names with digits in its message."""

    @property
    def remedies(self) -> list[str]:
        """What was run and made it work, each once, in the order of cost."""
        return list(dict.fromkeys(map(measured_remedies.plain, self.variant.remedies)))

    @property
    def module(self) -> str | None:
        """The module whose import failed; None at other stages."""
        return message_forms.imported(self.variant.error or "") if self.variant.stage is Stage.IMPORT else None


Admits = Callable[[MeasuredFailure, str], bool]
"""Whether a remedy of a failure may hold for the text that is looked up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Where a failure was seen on an axis, or in a field of variants."""

    name: str
    failing: list[str]
    measured: int
    """The number of its values in that report, with and without the failure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Occurrence:
    """The failures of one published report."""

    report: str
    source: str
    variants: int
    cells: int
    versions: list[Spread]
    """Only axes and fields that distinguish the failures, or on which they all have one value."""
    example: str
    """The id of one of the cells."""
    explained: bool
    """Whether `explain` finds the example in this report."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredCause:
    """The failures with one message that have the same cause."""

    cause: Cause | None
    certainty: Certainty | None
    variants: int
    cells: int
    remedies: dict[str, int]
    """Change that was run and made variants work → their number (`measured_remedies.counted`)."""
    replaced: dict[str, list[str]]
    """Those that change the exporter, the layout or another field of variants → the values that they replaced."""
    searched: bool
    """Whether a change was run on any of them, with or without success."""
    evidence: list[str]
    """What the cause rests on in the first example, one sentence each."""
    occurrences: list[Occurrence]


@dataclass(frozen=True, kw_only=True)
class KnownMessage:
    """A message of a stage, whatever the numbers in it."""

    stage: Stage
    templates: tuple[str, ...]
    failures: list[MeasuredFailure] = field(default_factory=list)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What finds it in a form."""
        return message_forms.pattern(self.templates)

    @property
    def text(self) -> str:
        """The message as one of the failures has it."""
        return self.failures[0].variant.error or ""

    @property
    def values(self) -> list[tuple[str, ...]]:
        """The numbers with which it was measured, the most frequent first."""
        return [values for values, _ in Counter(failure.values for failure in self.failures).most_common()]

    @property
    def shows_cause(self) -> bool:
        """Whether the message itself shows the cause; else it says what did not fit, and the runs beside it say why."""
        return self.stage not in _BY_CONTRAST

    @cached_property
    def nodes(self) -> set[str]:
        """The places in graphs at which it was measured."""
        named = (list(message_forms.nodes(failure.variant.error or "")) for failure in self.failures)
        return {nodes[-1] for nodes in named if nodes}

    @property
    def is_bound_to_node(self) -> bool:
        """Whether it means something at the same place of a graph only, because all kinds of models may end so."""
        whole = " ".join(self.templates)
        inside = whole.count(message_forms.RUNNING) > 1
        return message_forms.RUNNING in whole and not (inside and message_forms.is_distinct(message_forms.innermost(whole)))


def known_messages(reports: Iterable[Published]) -> list[KnownMessage]:
    """The messages of all failures, in the order of the stages, the most frequent first."""
    known: dict[tuple[Stage, tuple[str, ...]], KnownMessage] = {}
    known_forms: dict[tuple[Stage, str | None, str | None], tuple[str, ...]] = {}
    for published in reports:
        for cell in published.report.cells:
            for variant in filter(_is_message, cell.variants):
                assert variant.stage
                # Forms take time. Not by signature, which may be that of an older version of the harness.
                alike = variant.stage, variant.error_type, variant.error
                forms = known_forms.get(alike) or known_forms.setdefault(alike, _forms(variant))
                templates = tuple(map(message_forms.template, forms))
                message = known.setdefault((variant.stage, templates), KnownMessage(stage=variant.stage, templates=templates))
                values = tuple(value for part in forms for value in message_forms.values(part))
                names = message_forms.names(variant.error or "")
                message.failures.append(
                    MeasuredFailure(published=published, cell=cell, variant=variant, values=values, names=names)
                )
    return sorted(known.values(), key=lambda message: (message.stage.number, -len(message.failures)))


def _is_message(variant: ReportedVariant) -> bool:
    """Whether it failed, and with words of a package."""
    own = variant.error_type in _OWN_WORDS and variant.stage is not Stage.IMPORT
    return variant.status is Status.FAILS and bool(variant.stage and variant.error) and not own


def _forms(variant: ReportedVariant) -> tuple[str, ...]:
    message = variant.error or ""
    if variant.stage is Stage.RESOLVE:
        return message_forms.proof(message)
    return message_forms.parts(message, complaints=variant.error_type in _OWN_WORDS)


def causes(
    failures: Sequence[MeasuredFailure], first: Mapping[str, str], admits: Admits = lambda _failure, _change: True
) -> list[MeasuredCause]:
    """`failures` by cause, the best supported first. `first`: cell id → the report in which `explain` finds it."""
    groups: dict[tuple[Cause | None, Certainty | None], list[MeasuredFailure]] = {}
    for failure in failures:
        groups.setdefault((failure.variant.cause, failure.variant.certainty), []).append(failure)
    return [
        MeasuredCause(
            cause=cause,
            certainty=certainty,
            variants=len(members),
            cells=len({(member.published.name, member.cell.id) for member in members}),
            remedies=(remedies := _remedies(members, admits)),
            replaced=_replaced(remedies, members),
            searched=any(_was_searched(member.variant) for member in members),
            evidence=_example(members, first).variant.evidence[1:],
            occurrences=list(_occurrences(members, first)),
        )
        for (cause, certainty), members in sorted(groups.items(), key=lambda group: -len(group[1]))
    ]


def _was_searched(variant: ReportedVariant) -> bool:
    """Whether a change was run on it, with or without success."""
    return bool(variant.remedies or variant.tried or variant.unproven)


def _remedies(failures: Sequence[MeasuredFailure], admits: Admits) -> dict[str, int]:
    stage = failures[0].variant.stage
    assert stage
    admitted = ([change for change in failure.remedies if admits(failure, change)] for failure in failures)
    return measured_remedies.counted(admitted, stage)


def _replaced(remedies: Iterable[str], failures: Sequence[MeasuredFailure]) -> dict[str, list[str]]:
    fields = {name.replace("_", "-"): name for name in VARIANT_FIELDS}
    changed = {change: fields.get(change.partition(" ")[0]) for change in remedies if "," not in change}
    return {
        change: sorted({value_of(failure.variant, name) for failure in failures if change in failure.remedies})
        for change, name in changed.items()
        if name and name != "ir_version"  # a stamp may be the exporter's own
    }


def explained_in(reports: Iterable[Published]) -> dict[str, str]:
    """Cell id → the name of the first report that knows something of the cell, which `explain` shows."""
    first: dict[str, str] = {}
    for published in reports:
        for cell in published.report.cells:
            if cell.status is not Status.NOT_RUN:
                first.setdefault(cell.id, published.name)
    return first


def _example(failures: Sequence[MeasuredFailure], first: Mapping[str, str]) -> MeasuredFailure:
    """A failure that `explain` finds, if there is one; else, or of several, one with a remedy."""
    return max(
        failures, key=lambda failure: (first.get(failure.cell.id) == failure.published.name, bool(failure.variant.remedy))
    )


def _occurrences(failures: Sequence[MeasuredFailure], first: Mapping[str, str]) -> Iterator[Occurrence]:
    by_report: dict[str, list[MeasuredFailure]] = {}
    for failure in failures:
        by_report.setdefault(failure.published.name, []).append(failure)
    for name, members in by_report.items():
        example = _example(members, first)
        yield Occurrence(
            report=name,
            source=example.published.source,
            variants=len(members),
            cells=len({member.cell.id for member in members}),
            versions=list(_spreads(members)),
            example=example.cell.id,
            explained=first.get(example.cell.id) == name,
        )


def _spreads(failures: Sequence[MeasuredFailure]) -> Iterator[Spread]:
    report = failures[0].published.report
    for axis, measured in report.axes.items():
        failing = sorted({failure.cell.version(axis) for failure in failures}, key=by_version)
        if len(failing) == 1 or len(failing) < len(measured):
            yield Spread(name=axis, failing=failing, measured=len(measured))
    for name in VARIANT_FIELDS:
        everywhere = {value_of(variant, name) for cell in report.cells for variant in cell.variants}
        failing = sorted({value_of(failure.variant, name) for failure in failures})
        if len(failing) < len(everywhere):
            yield Spread(name=name.replace("_", "-"), failing=failing, measured=len(everywhere))
