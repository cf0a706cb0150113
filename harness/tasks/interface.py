"""What a task is, and what it needs to run.

A task is a distinct piece of work behind a matrix. Cells need far more than there is to do: cells whose exports can
import the same share the export, and runs of one artifact in one closure are one run. Each result has a key: the digest of
everything that can influence it, and of nothing else.

A task runs probe processes one after another: `next_batch` says what the next process does, until nothing is missing. The
worker (execution/worker.py) does not know the kinds of tasks.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from harness.environments.layers import Closure, bases, layers
from harness.matrix.schema import ProbeSection
from harness.model import Stage, StageResult
from harness.stack import LABELS
from harness.tasks.records import Records
from harness.tasks.repetitions import FailurePlace

Subject = str | None
"""What a result is about: the id of a variant or an import; None is the process as a whole."""

Parts = tuple[Closure, ...]
"""An environment: the closures that it is made of."""


@dataclass(kw_only=True, slots=True)
class ProbeOutput:
    """What a probe process reported before it ended."""

    results: dict[Subject, list[StageResult]] = field(default_factory=dict)
    """Subject → its stages in order."""
    distributions: dict[Subject, dict[str, str]] = field(default_factory=dict)
    """Subject → distributions that its process or fork imported; absent if it died before it could report them."""
    uncompiled: list[str] = field(default_factory=list)
    """Sources that it has found no bytecode for, if it may not write any."""
    peak_memory: int = 0
    """Bytes."""
    forked: bool = False
    """Whether a fork server made the process."""

    def add(self, subject: Subject, result: StageResult) -> None:
        """Append a stage result."""
        self.results.setdefault(subject, []).append(result)

    def note(self, **data: object) -> None:
        """Add `data` to every result."""
        for subject, results in self.results.items():
            self.results[subject] = [replace(result, data={**result.data, **data}) for result in results]

    def take(self, subject: Subject, other: ProbeOutput) -> bool:
        """Take over what a process that was started for `subject` reported; returns whether the next one has a chance."""
        process, is_first = other.results.get(None, []), not self.results
        begins = is_first or all(result.ok for result in process)
        # A process that does not begin says nothing of those that did.
        self.results = {**(other.results if begins else {subject: process}), **self.results}
        self.distributions = {**other.distributions, **self.distributions}
        if None in self.distributions:
            # What any of the processes imported.
            self.distributions[None] = self.distributions[None] | other.distributions.get(None, {})
        self.peak_memory = max(self.peak_memory, other.peak_memory)
        return all(result.ok for result in self.results.get(None, []))


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeRequest:
    """One probe process: its job, and what its results are about."""

    python: Path
    job: Mapping[str, Any]
    keys: Sequence[str]
    """Of the results that it produces."""
    parts: Parts
    """What it can import."""
    beside: Mapping[str, Parts] = field(default_factory=dict)
    """Subject → what the fork for that subject can import."""
    may_fork: bool = True
    """Whether a fork server may make it."""
    packages: Parts = ()
    """The packages of its runner, if it has one."""
    places: Mapping[Subject, FailurePlace]
    """Subject → what its failure is about."""


class Workplace(Protocol):
    """The environments and artifacts that the batches of a task use."""

    def python(self, closure: Closure) -> Path | None:
        """The interpreter of the closure's environment, which is built first if necessary; None if it cannot be built.

        Of packages that are no distributions of Python it is the folder of the environment.
        """

    def runner(self, packages: Closure) -> list[str]:
        """The command that runs graphs in the runtime of these packages, whose environment is there."""

    def is_given(self, closure: Closure) -> bool:
        """Whether the caller of the harness made this environment, which then holds the whole lock of its cell."""

    def site(self, closure: Closure) -> Path:
        """The site-packages folder of the closure."""

    def artifact(self, digest: str) -> Path:
        """The folder of the artifact with that digest."""

    def publish(self, folder: Path, *inner: Path) -> str:
        """Put a copy of `folder`, with the folders `inner` in it, into the store as an artifact; returns its digest."""


class Batch(ABC):
    """What one probe process does of a task. Batches are equal when they do the same."""

    @property
    @abstractmethod
    def model(self) -> ProbeSection:
        """The model that it is about."""

    @abstractmethod
    def request(self, workplace: Workplace, out: Path, only: Collection[Subject] | None = None) -> ProbeRequest:
        """The process for all subjects, or `only` for some of them; it leaves its files in `out`."""

    @abstractmethod
    def store(self, output: ProbeOutput, records: Records, workplace: Workplace, out: Path) -> None:
        """Record what the process reported."""


class Task(ABC):
    """A distinct piece of work. Tasks are equal when they have the same results."""

    kind: ClassVar[str]
    """One word, for labels and counts."""
    rank: ClassVar[int]
    """Among tasks of one cell, the lowest begins first."""
    installs: ClassVar[bool] = False
    """Whether it uses the network and the disk rather than a core."""
    imports_torch: ClassVar[bool] = True
    """Whether its process is as large as PyTorch and the model."""

    closure: Closure
    """The environment that it works in."""

    @property
    def label(self) -> str:
        """For the progress display."""
        versions = self.closure.lock.versions
        return " ".join([self.kind, *(f"{label} {versions[name]}" for name, label in LABELS.items() if name in versions)])

    @property
    @abstractmethod
    def key(self) -> str:
        """The key of what its process as a whole gave."""

    @property
    @abstractmethod
    def needs(self) -> tuple[Task, ...]:
        """The tasks that must have ended before this one begins."""

    @abstractmethod
    def keys(self, records: Records) -> list[str]:
        """The keys of its results, as far as they are known yet."""

    @abstractmethod
    def is_pending(self, records: Records) -> bool:
        """Whether a result is missing that can be made."""

    @abstractmethod
    def next_batch(self, records: Records, workplace: Workplace) -> Batch | None:
        """What the next process does; None if nothing is left that it can do."""

    @abstractmethod
    def missing(self, records: Records) -> list[tuple[str, Stage]]:
        """(key, first stage) of its missing results; never a key that stands for the work of other tasks too."""

    @abstractmethod
    def localised(self, at: Callable[[Closure], Closure], here: Callable[[ProbeSection], ProbeSection]) -> Self:
        """The same task with another machine's interpreters (`at`) and files of the model (`here`)."""

    @property
    @abstractmethod
    def seconds(self) -> int:
        """About how long it takes: the mean of the shipped matrix, tiny models on two cores.

        An integer, so that sums do not depend on the order.
        """

    @property
    @abstractmethod
    def results(self) -> Mapping[Stage, int]:
        """How many results it has: the stage that one begins with (eager for the process of an export) → number."""

    def measured_keys(self, records: Records) -> list[str]:
        """The keys of the records that may hold the memory use of its process: of those that it made, each does."""
        return self.keys(records)

    @property
    def environments(self) -> tuple[Parts, ...]:
        """The environments that it works in."""
        return with_layers(self.closure)

    @property
    def claim(self) -> str:
        """A digest that no other task has, but the same task of another run does (`Store.claim`)."""
        return self.key

    @property
    def held(self) -> tuple[Parts, ...]:
        """The environments that stay until it has ended."""
        return self.environments

    @property
    def undivided_closures(self) -> tuple[Closure, ...]:
        """The closures in one site-packages that it may work in."""
        return () if self.closure.composed else (self.closure,)

    @functools.cached_property
    def imported_alike(self) -> frozenset[tuple[str, ...]]:
        """What its process imports from shared layers: the first of several such tasks imports it for all of them."""
        return frozenset((self.kind, *(part.key for part in base)) for base in bases(self.closure))

    def lost_artifacts(self, records: Records) -> list[str]:  # noqa: ARG002 -- for tasks that run artifacts
        """The keys of exports whose files it still needs, and which are gone or damaged."""
        return []

    def combined(self, equal: Iterable[Self], records: Records) -> Self:  # noqa: ARG002 -- for tasks with more than their key
        """The task with everything that the tasks `equal` to it are to do."""
        return self


def with_layers(whole: Closure) -> tuple[Parts, ...]:
    """The environment of `whole` and those that it is made of."""
    return ((whole,), *((layer,) for layer in layers(whole) if layer != whole))
