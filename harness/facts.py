"""What is known, by key: the store as verdicts and tasks see it.

A record is `{"stages": [StageResult, …], "artifact": digest or absent, "limits": [seconds, bytes]}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from harness.errors import StoreError
from harness.model import StageResult, Status
from harness.processes import Limits
from harness.store import Store

_STAGES = TypeAdapter(list[StageResult])


class _Record(dict[str, Any]):
    """A record that has been read; whoever asks for its stages has them already."""

    results: list[StageResult]


@dataclass(kw_only=True, slots=True)
class Facts:
    """The store as the verdicts see it, plus what is true of this run only: trouble that must not be remembered."""

    store: Store
    limits: Limits
    passing: dict[str, Any] = field(default_factory=dict)
    """Key → what this run takes it for, whatever the store says; None for what it does not want to know."""
    apart: bool = False
    """Whether the store is left alone: nothing is known but what was put here, and nothing is remembered."""
    _made: set[str] = field(default_factory=set)
    """Keys that this run has put, or means to: what it repeats, it repeats once."""
    _read: dict[str, _Record] = field(default_factory=dict)
    """What the store was seen to hold: it is asked for many times, and changes by this process' doing alone."""

    def get(self, key: str) -> Any | None:
        """The record under `key`. An error that came of other limits than today's counts as unknown."""
        if key in self.passing or self.apart:
            return self.passing.get(key)
        if key not in self._read:
            try:
                record = _Record(self.store.get(key) or {})
                results = record.results = _STAGES.validate_python(record["stages"], strict=False)
            except (ValueError, TypeError, KeyError):
                return None  # absent, or damaged from outside
            if record.get("limits") not in (None, self._limits) and has_error(results):
                return None
            self._read[key] = record
        return self._read[key]

    def put(self, key: str, results: Sequence[StageResult], *, remember: bool = True, **extra: Any) -> None:
        """Record stage results under `key`; what is not to be remembered lasts until this run's report."""
        self._made.add(key)
        record = {"stages": _STAGES.dump_python(list(results), mode="json"), "limits": self._limits, **extra}
        if remember and not self.apart:
            self.passing.pop(key, None)
            self._read.pop(key, None)
            self.store.put(key, record)
        else:
            self.passing[key] = record

    def learn(self, passing: Mapping[str, Any], stored: Iterable[str]) -> None:
        """Take over what a process elsewhere has found out: what is not to be remembered, and the keys of what it stored.

        Raises:
            StoreError: it has another store than this one.
        """
        keys = list(stored)
        self.store.refresh(keys)
        if any(self.store.get(key) is None for key in keys):
            raise StoreError("a worker has stored results elsewhere; --store must be a folder or a URL that all machines share")
        self.passing.update(passing)
        self._made.update(passing, keys)
        for key in keys:
            self.passing.pop(key, None)
            self._read.pop(key, None)

    def ignore(self, key: str) -> None:
        """Take `key` for unknown until it is put anew, unless this run has put it.

        A run that repeats it and does not get so far has lost nothing.
        """
        if key not in self._made:
            self._made.add(key)
            self.passing[key] = None

    def forget(self, key: str) -> None:
        """Make `key` unknown for good."""
        self.passing.pop(key, None)
        self._read.pop(key, None)
        self.store.forget(key)

    @property
    def _limits(self) -> list[float]:
        return [self.limits.seconds, self.limits.memory]


def stages(record: Mapping[str, Any] | None) -> list[StageResult]:
    """The stage results in a record; none where there is no record."""
    if isinstance(record, _Record):
        return record.results
    return _STAGES.validate_python(record["stages"], strict=False) if record else []


def has_error(results: Iterable[StageResult]) -> bool:
    """Whether one of them is trouble rather than a fact."""
    return any(result.status is Status.ERROR for result in results)
