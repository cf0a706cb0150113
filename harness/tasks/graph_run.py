"""The tasks that run exported graphs: in a runtime, or in ONNX's reference evaluator."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from harness.environments.layers import Closure
from harness.hashing import digest
from harness.matrix.schema import ProbeSection
from harness.model import Stage, Variant
from harness.stack import EVALUATOR, LABELS, RUNTIME
from harness.tasks import jobs
from harness.tasks.export import Export
from harness.tasks.install import Install
from harness.tasks.interface import Batch, Parts, ProbeOutput, ProbeRequest, Subject, Task, Workplace, with_layers
from harness.tasks.keys import key_of, process_key, runner_source
from harness.tasks.records import Records, has_error, stages
from harness.tasks.repetitions import FailurePlace
from harness.tasks.undivided_environment import Divided, Pair, Undivided


@dataclass(frozen=True, kw_only=True)
class GraphRun(Divided):
    """Variants of one export in one runtime, in one process."""

    rank = 2

    export: Export
    closure: Closure
    variants: tuple[Variant, ...]
    undivided: tuple[Undivided, ...] = field(default=(), compare=False)
    packages: Closure | None = None
    """The packages of a runtime that is no distribution of Python."""

    @property
    @abstractmethod
    def runtime_name(self) -> str:
        """The runtime, as the probe's registry names it."""

    @functools.cached_property
    def key(self) -> str:
        """The key of the runtime's import."""
        return process_key(f"{self.kind}-import", self.runtime_name, self.export.model, self.closure.key, *self._apart)

    @property
    def claim(self) -> str:
        """The runtime's import is shared by the runs of several exports."""
        return key_of(self.key, self.export.claim)

    @property
    def _apart(self) -> tuple[str, ...]:
        """What else runs the graphs of such a runtime: its packages with their program, and the runner."""
        return () if self.packages is None else (self.packages.key, runner_source(self.runtime_name))

    @property
    def label(self) -> str:
        """With the runtime, if that is in no closure of Python."""
        if self.packages is None:
            return super().label
        return f"{super().label} {LABELS[self.runtime_name]} {self.packages.lock.versions[self.runtime_name]}"

    @property
    def environments(self) -> tuple[Parts, ...]:
        """Those of the closure, and that of the packages."""
        own = with_layers(self.closure)
        return own if self.packages is None else (*own, (self.packages,))

    @property
    def runtime(self) -> str:
        """What runs the artifact: name, and version if it is a distribution or a package."""
        lock = (self.packages or self.closure).lock
        return " ".join(filter(None, (self.runtime_name, lock.versions.get(self.runtime_name))))

    @abstractmethod
    def variant_key(self, variant: Variant, artifact: str) -> str:
        """The key of one variant's run (stages load, decode, parity) of the artifact with that digest."""

    @property
    def needs(self) -> tuple[Task, ...]:
        """The export, and its environments."""
        return (self.export, *self._installs)

    @property
    def _installs(self) -> tuple[Install, ...]:
        return tuple(Install(closure=closure) for closure in (self.closure, self.packages) if closure)

    @property
    def seconds(self) -> int:
        """See Task."""
        return 1 + len(self.variants) // 8

    @property
    def results(self) -> Mapping[Stage, int]:
        """See Task."""
        return {Stage.IMPORT: 1, Stage.LOAD: len(self.variants)}

    def keys(self, records: Records) -> list[str]:
        """Without the keys of artifacts that are not known yet."""
        own = [self.key, *(self.variant_key(*item) for item in self.runnable(records))]
        return [*own, *self.keys_undivided(records)]

    def within(self, whole: Undivided) -> Self:
        """See Divided."""
        return replace(self, closure=whole.whole, undivided=())

    def own_keys(self, whole: Undivided, records: Records) -> list[str]:  # noqa: ARG002 -- as Divided
        """See Divided."""
        return [self.key, *(self.variant_key(*item) for item in self.runnable(records))]

    def pairs(self, whole: Undivided, records: Records) -> list[Pair]:
        """See Divided."""
        other = self.within(whole)
        return [Pair(self.key, other.key, Stage.IMPORT, other.place())] + [
            Pair(self.variant_key(*item), other.variant_key(*item), Stage.LOAD, other.place(*item))
            for item in self.runnable(records)
        ]

    def repetition(self, keys: Collection[str], records: Records, workplace: Workplace) -> Batch | None:  # noqa: ARG002 -- as Divided
        """See Divided."""
        runs = self.runnable(records)
        wanted = [item for item in runs if self.variant_key(*item) in keys] or runs
        return RunBatch(task=self, runs=_one_of_each(wanted)) if wanted else None

    def place(self, variant: Variant | None = None, artifact: str = "") -> FailurePlace:
        """What its failure is about. Two artifacts may fail with the same message, one of them by chance."""
        # The evaluator shares its closure with the export, and runtimes of other packages share theirs with each other.
        names = (type(self).__name__, self.closure.key, *self._apart, artifact)
        return FailurePlace(" ".join(names).rstrip(), variant.id if variant else None)

    def runnable(self, records: Records) -> list[tuple[Variant, str]]:
        """(variant, artifact digest) of every variant whose export left something to run."""
        return list(dict.fromkeys((variant, artifact) for _, variant, artifact in self._exported(records)))

    def _exported(self, records: Records) -> list[tuple[Export, Variant, str]]:
        """(export, variant, artifact digest) of what the exports that count have left."""
        exports = self.export.counting(records)
        found = ((export, variant, export.artifact(variant, records)) for export in exports for variant in self.variants)
        return [(export, variant, artifact) for export, variant, artifact in found if artifact]

    def missing_runs(self, records: Records) -> list[tuple[Variant, str]]:
        """Runnable variants without a result; none if a process of the export failed, or the runtime cannot be imported."""
        return [(variant, artifact) for _, variant, artifact in self._missing_runs(records)]

    def _missing_runs(self, records: Records) -> list[tuple[Export, Variant, str]]:
        def works(key: str) -> bool:
            return all(result.ok for result in stages(records.get(key)))

        if not works(self.key):
            return []
        # By key: the evaluator has no bindings, and variants that differ in nothing else are one evaluation.
        runs = {self.variant_key(*item[1:]): item for item in self._exported(records) if works(item[0].key)}
        return [item for key, item in runs.items() if records.get(key) is None]

    def is_pending(self, records: Records) -> bool:
        """Whether the export, or the run of what it left, is pending."""
        if any(install.is_impossible(records) for install in self._installs):
            return False
        return self.export.is_pending(records) or bool(self.missing(records))

    def missing(self, records: Records) -> list[tuple[str, Stage]]:
        """See Task."""
        own = [(self.variant_key(*item), Stage.LOAD) for item in self.missing_runs(records)]
        return [*own, *self.missing_undivided(records)]

    def lost_artifacts(self, records: Records) -> list[str]:
        """See Task. The next export replaces them."""
        return [
            export.variant_key(variant)
            for export, variant, artifact in self._missing_runs(records)
            if not records.store.artifacts.intact(artifact)
        ]

    def next_batch(self, records: Records, workplace: Workplace) -> Batch | None:
        """All missing runs in one process; then what failed, undivided."""
        runs = self.missing_runs(records)
        if runs and all([workplace.python(install.closure) for install in self._installs]):  # noqa: C419 -- build all
            return RunBatch(task=self, runs=_one_of_each(runs))
        return self.next_undivided(records, workplace)

    def combined(self, equal: Iterable[Self], records: Records) -> Self:
        """With the undivided environments of all of them, in which their exports may count."""
        equal = list(equal)
        undivided = dict.fromkeys(whole for other in (self, *equal) for whole in other.undivided)
        export = self.export.combined([other.export for other in equal], records)
        return replace(self, export=export, undivided=tuple(undivided))

    def localised(self, at: Callable[[Closure], Closure], here: Callable[[ProbeSection], ProbeSection]) -> Self:
        """See Task."""
        return replace(
            self,
            export=self.export.localised(at, here),
            closure=at(self.closure),
            packages=at(self.packages) if self.packages else None,
            undivided=tuple(whole.localised(at, here) for whole in self.undivided),
        )


def _one_of_each(runs: Iterable[tuple[Variant, str]]) -> tuple[tuple[Variant, str], ...]:
    """One artifact of each variant: two exports that count for different cells may have left two."""
    return tuple({variant: (variant, artifact) for variant, artifact in runs}.values())


@dataclass(frozen=True, kw_only=True)
class Run(GraphRun):
    """Variants of one export in one runtime."""

    kind = "run"
    imports_torch = False

    @property
    def runtime_name(self) -> str:
        """See GraphRun."""
        return self.packages.runtime or RUNTIME if self.packages else RUNTIME

    def variant_key(self, variant: Variant, artifact: str) -> str:
        """See GraphRun."""
        session = variant.session
        if session:
            return digest([self.key, artifact, variant.layout, variant.feedback, variant.binding, variant.strategy, session])
        return key_of(self.key, artifact, variant.layout, variant.feedback, variant.binding, variant.strategy)

    @property
    def held(self) -> tuple[Parts, ...]:
        """Its own environments, and the export's: if the run fails, the evaluator cross-checks it there."""
        return (*self.environments, *with_layers(self.export.closure))


@dataclass(frozen=True, kw_only=True)
class Evaluate(GraphRun):
    """Variants of one export in ONNX's reference evaluator, in the export's own environment."""

    kind = "evaluate"

    @property
    def runtime_name(self) -> str:
        """See GraphRun."""
        return EVALUATOR

    def variant_key(self, variant: Variant, artifact: str) -> str:
        """See GraphRun. The evaluator has no bindings and no session options."""
        return key_of(self.key, artifact, variant.layout, variant.feedback, variant.strategy)


@dataclass(frozen=True, kw_only=True)
class RunBatch(Batch):
    """Variants with the digests of their artifacts."""

    task: GraphRun
    runs: tuple[tuple[Variant, str], ...]

    @property
    def model(self) -> ProbeSection:
        """See Batch."""
        return self.task.export.model

    def request(self, workplace: Workplace, out: Path, only: Collection[Subject] | None = None) -> ProbeRequest:  # noqa: ARG002 -- as Batch
        """See Batch."""
        task = self.task
        runs = [(variant, artifact) for variant, artifact in self.runs if only is None or variant.id in only]
        folders = [(variant, workplace.artifact(artifact)) for variant, artifact in runs]
        python = workplace.python(task.closure)
        assert python is not None
        packages = task.packages
        runner = (workplace.runner(packages), packages.lock.versions[task.runtime_name]) if packages else None
        return ProbeRequest(
            python=python,
            job=jobs.running(task.runtime_name, self.model, folders, runner),
            keys=[task.variant_key(*item) for item in runs] or [task.key],
            parts=(task.closure,),
            packages=(packages,) if packages else (),
            places={None: task.place(), **{variant.id: task.place(variant, artifact) for variant, artifact in runs}},
        )

    def store(self, output: ProbeOutput, records: Records, workplace: Workplace, out: Path) -> None:  # noqa: ARG002 -- as Batch
        """See Batch."""
        process = output.results.get(None, [])
        if not has_error(process):
            records.confirm(self.task.key, process)
        for variant, artifact in self.runs:
            # An error of this process says nothing about the closure, in which other artifacts are run too.
            results = output.results.get(variant.id) or (process if has_error(process) else [])
            if results:
                records.put(self.task.variant_key(variant, artifact), results)
