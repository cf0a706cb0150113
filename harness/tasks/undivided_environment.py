"""The undivided environment of a cell: what its user would have, in one site-packages.

A probe works in a composed environment: layers, and of a `together` cell one side alone. So a failure there may be due to the
composition: a package that is spread over two distributions, data files in `sys.prefix`, a module that only the other side
requires. It is a fact only if it repeats in the undivided environment (execution/process/undivided_check.py compares them). If
something else happens there, the composed environment is *refuted*: its results do not count for this cell any more.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from harness.environments.layers import Closure
from harness.matrix.schema import ProbeSection
from harness.model import Stage, StageResult, Status
from harness.tasks.install import Install
from harness.tasks.interface import Batch, Task, Workplace
from harness.tasks.joint_import import Import
from harness.tasks.keys import key_of, platform_id
from harness.tasks.records import Records, is_above_limits, stages, unproven
from harness.tasks.repetitions import FailurePlace


@dataclass(frozen=True, kw_only=True, slots=True)
class Undivided:
    """A closure that is composed, and the one that holds what the user of a cell would have."""

    composed: Closure
    whole: Closure
    beside: Import | None = field(default=None, compare=False)
    """The joint import of a `together` cell."""

    @property
    def joint(self) -> tuple[Import, ...]:
        """The same import where everything is in one environment."""
        return (Import(parts=(self.whole,), model=self.beside.model),) if self.beside else ()

    @property
    def refutation(self) -> str:
        """The key of what refuted the composed environment."""
        return key_of("refuted", self.composed.key, self.whole.key, platform_id())

    def confirmation(self, key: str) -> str:
        """The key under which it is known that the failure under `key` repeats, in this lock and in no other one.

        A process that imports nothing of what another lock differs in may read its metadata or its files all the same.
        """
        return key_of("repeated undivided", key, self.whole.key)

    def localised(self, at: Callable[[Closure], Closure], here: Callable[[ProbeSection], ProbeSection]) -> Self:
        """See Task."""
        beside = self.beside.localised(at, here) if self.beside else None
        return replace(self, composed=at(self.composed), whole=at(self.whole), beside=beside)


class Pair(NamedTuple):
    """A result of a task, and the same undivided."""

    key: str
    undivided: str
    """Its key."""
    stage: Stage
    """Its first stage."""
    place: FailurePlace
    """That of its failure (`ProbeRequest.places`)."""


class Divided(Task):
    """A task that works in a composed environment; what fails there is done again undivided."""

    undivided: tuple[Undivided, ...]
    """The undivided environments of the cells that share it; none if it works in one itself."""

    @abstractmethod
    def within(self, whole: Undivided) -> Self:
        """The same task in an undivided environment."""

    @abstractmethod
    def own_keys(self, whole: Undivided, records: Records) -> list[str]:
        """The keys of all of its results that are known by key, for the cells of an undivided environment."""

    @abstractmethod
    def pairs(self, whole: Undivided, records: Records) -> list[Pair]:
        """The results under `own_keys`, with the same undivided."""

    @abstractmethod
    def repetition(self, keys: Collection[str], records: Records, workplace: Workplace) -> Batch | None:
        """The next process that does the results under `keys`, though they may be known."""

    def refuted(self, records: Records) -> list[Undivided]:
        """The environments that count alone."""
        return [whole for whole in self.open(records) if records.get(whole.refutation)]

    def open(self, records: Records) -> list[Undivided]:
        """The environments that matter: not all is known, or something is in doubt."""
        # Asked again for each result of each variant of each cell.
        return records.derived(self._open) if self.undivided else []

    def _open(self, records: Records) -> list[Undivided]:
        return [whole for whole in self.undivided if self._is_open(whole, records)]

    def _is_open(self, whole: Undivided, records: Records) -> bool:
        # Without the keys of the same undivided: they take time, and are needed only where something is in doubt.
        known = map(records.get, self.own_keys(whole, records))
        return any(record is None or (not record.ok and in_doubt(record.stages)) for record in known)

    def unrepeated(self, whole: Undivided, records: Records) -> list[Pair]:
        """The failures of which it is not known yet whether they repeat undivided."""
        if Install(closure=whole.whole).is_impossible(records):
            return []
        doubted = [pair for pair in self.pairs(whole, records) if in_doubt(stages(records.get(pair.key)))]
        open_ = [pair for pair in doubted if not unproven(self.repeated(whole, pair.undivided, records))]
        return [pair for pair in open_ if not records.get(whole.confirmation(pair.key))]

    def repeated(self, whole: Undivided, key: str, records: Records) -> list[StageResult]:
        """How the result under `key` ended undivided, perhaps before its own first stage; empty if it was not run."""
        before = (stages(records.get(one)) for one in (Install(closure=whole.whole).key, self.within(whole).key))
        return stages(records.get(key)) or next((found for found in before if found and not found[-1].ok), [])

    def counting(self, records: Records) -> tuple[Self, ...]:
        """Those whose results count for the cells that share it: itself, or undivided."""
        refuted = self.refuted(records)
        found = (self.within(whole) if whole in refuted else self for whole in self.undivided)
        return tuple(dict.fromkeys(found)) or (self,)

    def counted(self, key: Callable[[Self], str], records: Records) -> list[StageResult]:
        """Its results, if they count; an error or chance if that kept a failure from being repeated for its only cell."""
        results = stages(records.get(key(self)))
        if self.undivided and in_doubt(results):
            (whole,) = self.undivided
            again = self.repeated(whole, key(self.within(whole)), records)
            results = again if unproven(again) else results
        return results

    def keys_undivided(self, records: Records) -> list[str]:
        """The keys of all that may become known of it undivided."""
        found: list[str] = []
        for whole in self.undivided:
            found += [whole.refutation, Install(closure=whole.whole).key, *self.within(whole).keys(records)]
            found += [whole.confirmation(pair.key) for pair in self.pairs(whole, records)]
        return found

    def missing_undivided(self, records: Records) -> list[tuple[str, Stage]]:
        """See `Task.missing`: of what is to be done undivided."""
        found: list[tuple[str, Stage]] = []
        for whole in self.open(records):
            found += (
                self.within(whole).missing(records)
                if records.get(whole.refutation)
                else [(pair.undivided, pair.stage) for pair in self.unrepeated(whole, records)]
            )
        return found

    def next_undivided(self, records: Records, workplace: Workplace) -> Batch | None:
        """The next process in an undivided environment; an environment of the caller is one."""
        refuted = self.refuted(records)
        for whole in () if workplace.is_given(self.closure) else self.undivided:
            other, batch = self.within(whole), None
            if whole in refuted:
                batch = other.next_batch(records, workplace)
            elif (pairs := self.unrepeated(whole, records)) and workplace.python(whole.whole) is not None:
                batch = other.repetition({pair.undivided for pair in pairs}, records, workplace)
            if batch is not None:
                return batch
        return None

    @property
    def undivided_closures(self) -> tuple[Closure, ...]:
        """See Task."""
        return (*super().undivided_closures, *(whole.whole for whole in self.undivided))


def in_doubt(results: Collection[StageResult]) -> bool:
    """Whether they end with what may be due to the composition: a failure, or an error that a package `raised`.

    A runtime refuses a stamp above its limits wherever it is installed.
    """
    failures = (result for result in results if result.status is Status.FAILS)
    return raised(results) or any("missing" in result.data or not is_above_limits(result) for result in failures)


def raised(results: Collection[StageResult]) -> bool:
    """Whether they end with an error that a package raised before a graph was loaded.

    What does not find its files may ask a network for them, and there is none.
    """
    errors = (result.error for result in results if result.status is Status.ERROR and result.stage.number < Stage.LOAD.number)
    return any(error is not None and error.raised_in == "package" for error in errors)
