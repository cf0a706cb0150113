"""The results of tasks by key: the store, with the overrides of this run."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MethodType
from typing import Annotated, Any, TypeVar, cast

from pydantic import Field, TypeAdapter

from harness.errors import OtherStoreError
from harness.hashing import Digest
from harness.model import Limits, Stage, StageResult, Status
from harness.stage_data import CheckedResult
from harness.store.envelope import RecordKind
from harness.store.store import Store
from harness.tasks.repetitions import Repeated

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """The results of a task under one key."""

    stages: Annotated[tuple[CheckedResult, ...], Field(min_length=1)]
    limits: tuple[float, float]
    """Seconds and bytes that its process was allowed."""
    disk: float | None = None
    """Bytes of files that it was allowed; None in older records."""
    artifact: Digest | None = None
    """The digest of what an export has left to run."""

    @property
    def ok(self) -> bool:
        """Whether all of them work."""
        return all(result.ok for result in self.stages)


class _Stored:
    """Marks a key that this run does not override."""


STORED = _Stored()
"""In place of an override: there is none."""

ABOVE = ("ir-above-runtime", "opset-above-runtime")
"""Rules of the findings about a stamp that is above the onnxruntime (probe/runtimes/largest_stamps.py)."""

STAGES = RecordKind(name="stages", adapter=TypeAdapter(Record))


@dataclass(kw_only=True, slots=True)
class Records:
    """Cache of stage results over the store, with overrides that last for this run, such as errors."""

    store: Store
    limits: Limits
    passing: dict[str, Record | None] = field(default_factory=dict)
    """Overrides of the store for this run; None hides a record so that it is made again."""
    unknown: frozenset[str] = frozenset()
    """Keys that `passing` hides only because the run that has sent a task found nothing in the store (remote_worker.py)."""
    unconfined: bool = False
    """Whether probes run without a sandbox: an error that may come of one is to be made again."""
    apart: bool = False
    """Whether the store is neither read nor written."""
    repeated: Repeated = field(default_factory=Repeated)
    """What this run has learned of failures by repeating them."""
    held: dict[str, Record | _Stored | None] = field(default_factory=dict)
    """Key whose results are not stored yet (`hold_back`) → the override that it had before."""
    _made: set[str] = field(default_factory=set)
    """Keys that this run has put or will put; none of them is invalidated any more."""
    _read: dict[str, Record] = field(default_factory=dict)
    """Records that were read: only this process changes them during a run."""
    _changes: Counter[str] = field(default_factory=Counter)
    """Key → number of changes by this process: a record that was read before a change is not cached."""
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _derived: dict[tuple[int, object], tuple[object, Any]] = field(default_factory=dict)
    """Id of an object, and a function → the object, which keeps the id its own, and what follows from all records."""

    def get(self, key: str) -> Record | None:
        """The record under `key`; None if there is none, or if it is an error under other conditions than today's."""
        # Half a million times for 10,000 cells, in a run that knows them all.
        if not self.passing and not self.apart and (known := self._read.get(key)) is not None:
            return known
        while True:
            here = self.passing.get(key, STORED)
            if not isinstance(here, _Stored):
                return here
            if self.apart:
                return None
            if (known := self._read.get(key)) is not None:
                return known
            changes = self._changes[key]
            record = self.store.get(STAGES, key)
            if record is None or self._is_outdated(record):
                return None
            with self._guard:
                if self._changes[key] == changes:
                    return self._read.setdefault(key, record)

    def derived(self, method: Callable[[Records], T]) -> T:
        """What a bound method gives for these records, any of which it may read: computed again after a record has changed."""
        derived = self._derived
        bound = cast("MethodType", method)
        key = id(bound.__self__), bound.__func__
        known = derived.get(key)
        if known is None:
            known = derived[key] = bound.__self__, method(self)
        found: T = known[1]
        return found

    def read_anew(self, keys: Iterable[str], *, shared: bool = False) -> None:
        """Read these from the store again, where another process may have stored something.

        If it has `shared` its work, what this run has not sought in the store is sought there too.
        """
        with self._guard:
            for key in keys:
                self._changes[key] += 1
                self._read.pop(key, None)
                if shared and key in self.unknown and self.passing.get(key, STORED) is None:
                    del self.passing[key]
        self._forget()

    def _forget(self) -> None:
        # A new one: who computes while a record changes writes into the old one.
        self._derived = {}

    def put(self, key: str, results: Sequence[StageResult], *, remember: bool = True, artifact: str | None = None) -> None:
        """Record stage results under `key`; without `remember` they last until this run's report."""
        self._made.add(key)
        record = Record(stages=tuple(results), limits=self._limits, disk=self.limits.disk, artifact=artifact)
        if remember and not self.apart and key not in self.held:
            self.store.put(STAGES, key, record)
            self._changed([key])
        else:
            self.passing[key] = record
            self._forget()

    def confirm(self, key: str, results: Sequence[StageResult]) -> None:
        """Record stage results under `key`, unless the record there has the same outcome already.

        Every process imports its packages, and most imports are known from an earlier process.
        """
        known = stages(self.get(key))
        self._made.add(key)
        if [(result.stage, result.status) for result in known] != [(result.stage, result.status) for result in results]:
            self.put(key, results)

    def learn(self, passing: Mapping[str, Record | None], stored: Iterable[str]) -> None:
        """Take over the results of another process: overrides for this run, and the keys of what it stored.

        Raises:
            OtherStoreError: it has another store than this one.
            StoreError: the store cannot be read.
        """
        keys = list(stored)
        self.store.refresh(keys)
        if any(self.store.get(STAGES, key) is None for key in keys):
            text = "a worker has stored results elsewhere; --store must be a folder or a URL that all machines share"
            raise OtherStoreError(text)
        self.passing.update(passing)
        self._forget()
        self._made.update(passing, keys)
        self._changed(keys)

    def _changed(self, keys: Iterable[str]) -> None:
        """Drop what is cached of `keys`: the store has something else by now."""
        with self._guard:
            for key in keys:
                self._changes[key] += 1
                self._read.pop(key, None)
                # Last: as long as it is there, nobody reads the store.
                self.passing.pop(key, None)
        self._forget()

    def is_made(self, key: str) -> bool:
        """Whether this run has put `key` or will put it: it is not invalidated any more."""
        return key in self._made

    def is_remembered(self, key: str) -> bool:
        """Whether what `get` gives is in the store, and not of this run alone."""
        return key not in self.passing

    def ignore(self, key: str) -> None:
        """Hide `key` until it is put anew, unless this run has put it.

        The store keeps the old record until then, so an interrupted run loses nothing.
        """
        if key not in self._made:
            self._made.add(key)
            self.hide(key)

    def hide(self, key: str) -> None:
        """Hide `key` until it is put anew, even if this run has put it."""
        self.passing[key] = None
        self._forget()

    def hold_back(self, key: str) -> None:
        """Have `key` made again beside what is known of it: the store keeps that, and gets nothing until `held_back`."""
        self.held[key] = self.passing.get(key, STORED)
        self.hide(key)

    def held_back(self) -> dict[str, Record | None]:
        """Key → what was made of those that were held back, or None; what was known of them counts again."""
        made = {key: self.passing.pop(key, None) for key in self.held}
        self.passing |= {key: before for key, before in self.held.items() if not isinstance(before, _Stored)}
        self.held.clear()
        self._forget()
        return made

    def _is_outdated(self, record: Record) -> bool:
        """Whether it is an error that today's limits, or a process that is not confined, might not give."""
        errors = {result.error.type for result in record.stages if result.status is Status.ERROR and result.error}
        larger = record.limits != self._limits or ("disk" in errors and record.disk != self.limits.disk)
        return bool(errors) and (larger or (self.unconfined and "sandbox" in errors))

    @property
    def _limits(self) -> tuple[float, float]:
        return (self.limits.seconds, self.limits.memory)


def stages(record: Record | None) -> list[StageResult]:
    """The stage results in a record; none where there is no record."""
    return [] if record is None else list(record.stages)


def unproven(results: Iterable[StageResult]) -> bool:
    """Whether one of them proves nothing: an error, or a failure that did not repeat."""
    return any(result.status in {Status.ERROR, Status.FLAKY} for result in results)


def has_error(results: Iterable[StageResult]) -> bool:
    """Whether one of them is an error rather than a fact."""
    return any(result.status is Status.ERROR for result in results)


def is_above_limits(result: StageResult) -> bool:
    """Whether it is the load of a graph with an IR or opset above the measured limits of this onnxruntime."""
    return result.stage is Stage.LOAD and any(finding["rule"] in ABOVE for finding in result.data.get("findings", ()))
