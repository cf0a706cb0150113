"""What a kind of remedy is, and what it works with: changes, attempts, and the trials of one search.

A kind of remedy is a module in `kinds/`, with an instance in `KINDS` (`kinds/__init__.py`) at the place of its cost. It
proposes changes; a change is no claim: only a run with it shows whether it mends anything (trials.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from harness.environments.lockfile import PublishedVersion
from harness.environments.published_versions import NotAnswered
from harness.environments.resolver import NOT_RESOLVED
from harness.matrix.plan import Planned
from harness.matrix.schema import Matrix
from harness.matrix.selection import VARIANT_FIELDS
from harness.model import Cell, Stage, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict

TOGETHER = 3
"""How many changes that keep the cell are tried together, each of which got further than those before it."""

Value = str | int | None
"""Of a field of a variant; None is the IR version that the exporter stamps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change of a planned cell: of its variant, its transitive distributions, or its version on an axis."""

    kind: RemedyKind
    variant: tuple[tuple[str, Value], ...] = ()
    """(field of the variant, value); the first one names the change."""
    bounds: tuple[str, ...] = ()
    """Requirements such as `numpy<2`."""
    pin: tuple[str, str] | None = None
    """(axis, version)."""
    added: tuple[str, str] | None = None
    """(side, distribution); see `Planned.added`."""

    @property
    def text(self) -> str:
        """Its name in a report: `ir-version 9`, `numpy<2`, `onnxscript` (added), `transformers 4.46.3`."""
        named = [f"{name.replace('_', '-')} {'stamped' if value is None else value}" for name, value in self.variant[:1]]
        added = [self.added[1]] if self.added else []
        return " ".join([*named, *self.bounds, *added, *([" ".join(self.pin)] if self.pin else [])])

    def applied(self, planned: Planned, variant: Variant) -> tuple[Planned, Variant]:
        """The cell and the variant with the change."""
        changed = replace(variant, **dict(self.variant))  # type: ignore[arg-type]
        planned = planned.with_version(*self.pin) if self.pin else planned
        added = (*planned.added, *([self.added] if self.added else []))
        bounds = (*planned.bounds, *self.bounds)
        return replace(planned, variants=(changed,), bounds=bounds, added=added), changed


def apply(changes: Iterable[Change], planned: Planned, variant: Variant) -> tuple[Planned, Variant]:
    """The cell and the variant with all `changes`."""
    for change in changes:
        planned, variant = change.applied(planned, variant)
    return planned, variant


def text(changes: Iterable[Change]) -> str:
    """The name in a report of changes that were made together."""
    return ", ".join(change.text for change in changes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedy:
    """Changes that were run together on one variant of one cell, and made it work."""

    changes: tuple[Change, ...]
    planned: Planned
    """The cell as it was run, with that one variant."""

    @property
    def variant(self) -> Variant:
        """The variant that works."""
        return self.planned.variants[0]

    @property
    def text(self) -> str:
        """Its name in a report."""
        return text(self.changes)

    @property
    def keeps_cell(self) -> bool:
        """Whether the cell works with it; otherwise another cell does."""
        return all(change.kind.keeps_cell for change in self.changes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A variant of a cell with some changes, and the verdict on it."""

    changes: tuple[Change, ...]
    planned: Planned
    """The cell with the changes, and with that one variant."""
    cell: Verdict
    verdict: VariantVerdict

    @property
    def works(self) -> bool:
        """Whether the changes are a remedy."""
        return self.verdict.status is Status.WORKS

    @property
    def depth(self) -> int:
        """Number of stages that it passed before it failed; -1 if it did not fail."""
        failed = self.verdict.stage if self.verdict.status is Status.FAILS else None
        return failed.number if failed else -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Failing:
    """A variant that fails, and where: kinds propose changes for it."""

    verdict: VariantVerdict
    cell: Cell
    matrix: Matrix

    @property
    def variant(self) -> Variant:
        """The variant as it was run."""
        return self.verdict.variant

    def limit(self, rule: str) -> int | None:
        """The limit of this runtime that a finding of `rule` was measured against; the lowest of several."""
        findings = [finding for result in self.verdict.results for finding in result.data.get("findings", ())]
        limits = [finding.get("limit") for finding in findings if finding["rule"] == rule]
        return min((limit for limit in limits if limit is not None), default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """Changes that were made together, and how the variant ended."""

    text: str
    status: Status
    stage: Stage | None
    open: bool
    """Whether it has not been run yet, or ended in an error or flaky, which proves nothing."""
    kinds: tuple[RemedyKind, ...] = ()
    """Of the changes; empty if all versions were those of another day."""

    @classmethod
    def of(cls, name: str, verdict: VariantVerdict, kinds: tuple[RemedyKind, ...] = ()) -> Trial:
        """The trial of that name that ended with `verdict`."""
        unknown = verdict.open or verdict.reason == NOT_RESOLVED or verdict.status in {Status.ERROR, Status.FLAKY}
        return cls(text=name, status=verdict.status, stage=verdict.stage, open=unknown, kinds=kinds)

    @property
    def end(self) -> str:
        """`works`, or `fails at STAGE`."""
        return "works" if self.stage is None else f"{self.status.value} at {self.stage}"

    @property
    def line(self) -> str:
        """Changes and end, for a report."""
        return f"{self.text}: {self.end}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RemedySearch:
    """Everything that was tried on one variant of one cell, in this order."""

    trials: tuple[Trial, ...]
    remedy: Remedy | None
    unanswered: tuple[str, ...] = ()
    """Requirements for which the index was to name a version, and gave no answer."""

    @property
    def open(self) -> bool:
        """Whether more may come of it."""
        return self.remedy is None and (bool(self.unanswered) or any(trial.open for trial in self.trials))

    @property
    def vain(self) -> list[Trial]:
        """What was run and did not make it work."""
        return [trial for trial in self.trials if not trial.open and trial.status is not Status.WORKS]

    @property
    def unproven(self) -> list[Trial]:
        """What was run and proved nothing: it ended in an error, or flaky."""
        return [trial for trial in self.trials if trial.open and trial.status is not Status.NOT_RUN]


class Trials(Protocol):
    """One search for a remedy, as a kind uses it. Every method may raise `Pending`: something has to run first."""

    near: Sequence[Verdict]
    asks_index: bool

    def first_that_works(self, batch: Sequence[tuple[Change, ...]]) -> Attempt | None:
        """Run all of `batch` that was not run yet; the first in its order that works."""

    def made(self, changes: tuple[Change, ...]) -> Attempt | None:
        """The attempt with these changes, if there was one."""

    def published(self, requirement: str, python: str) -> PublishedVersion | NotAnswered | None:
        """The newest version that the index has for `requirement`, or None; without an answer the search stays open."""

    def on_day(self, attempt: Attempt, day: str) -> Verdict | None:
        """The cell of `attempt` without releases younger than `day` (ISO 8601), if that is another lock, and works."""


class RemedyKind:
    """A kind of remedy. A kind overrides the methods by which it finds its changes, and no others."""

    name: str
    reach: frozenset[Stage]
    """The stages with an outcome that it can change."""
    keeps_cell: bool = True
    """Whether the cell stays what it is: a version on every axis."""
    keeps_artifact: bool = False
    """Whether its changes need no other export; changes of all such kinds run in one process."""
    is_only_observed: bool = False
    """Whether its changes are remedies only where the matrix itself shows them to work: none is run for a search."""
    is_named_by_failure: bool = False
    """Whether the failure itself names the change; such kinds are tried before all others."""
    known_before: frozenset[str] = frozenset()
    """Names of kinds whose changes are tried before this one's, if the matrix shows them to work."""

    def __repr__(self) -> str:
        return self.name

    def batches(self, _failing: Failing) -> Iterable[Sequence[Change]]:
        """Changes that are worth a trial, in order; those of one batch share an export process and a run process. Pure."""
        return ()

    def search(self, _attempt: Attempt, _trials: Trials) -> Attempt | None:
        """Try changes of which each follows from the outcome of those before; the attempt that works."""
        return None

    def between_variants(self, _failing: Variant, _working: Variant) -> Change | None:
        """The change that turns one variant into the other, if one change of this kind does. Pure."""
        return None

    def between_versions(self, _axis: str, _failing: str, _working: str) -> Change | None:
        """The change from one version on an axis to another, if it is one of this kind. Pure."""
        return None


class FieldKind(RemedyKind):
    """A kind that gives one field of the variant another value."""

    def __init__(
        self,
        field: str,
        reach: frozenset[Stage],
        values: Callable[[Failing], Iterable[Iterable[Value]]] = lambda _failing: (),
        *,
        keeps_artifact: bool = False,
    ) -> None:
        """`values` are batches of values of `field` that are worth a trial."""
        self.name = field.replace("_", "-")
        self.field = field
        self.reach = reach
        self.keeps_artifact = keeps_artifact
        self._values = values

    def batches(self, failing: Failing) -> Iterator[list[Change]]:
        """The changes to other values than the variant's own."""
        own = getattr(failing.variant, self.field)
        for batch in self._values(failing):
            yield [self.change(value) for value in batch if value != own]

    def change(self, value: Value, **others: Value) -> Change:
        """The change to `value`, and of further fields to `others`."""
        return Change(kind=self, variant=((self.field, value), *others.items()))

    def follow(self, _working: Variant) -> Sequence[str]:
        """Further fields that may differ, since their values depend on this one's."""
        return ()

    def between_variants(self, failing: Variant, working: Variant) -> Change | None:
        """The change to the value in `working`, if the variants differ in nothing else."""
        others = self.follow(working)
        differing = {name for name in VARIANT_FIELDS if getattr(failing, name) != getattr(working, name)}
        if self.field not in differing or not differing <= {self.field, *others}:
            return None
        return self.change(getattr(working, self.field), **{name: getattr(working, name) for name in others})


def since(first: Stage, last: Stage = Stage.PARITY) -> frozenset[Stage]:
    """The stages from `first` to `last`."""
    order = list(Stage)
    return frozenset(order[order.index(first) : order.index(last) + 1])
