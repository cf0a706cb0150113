"""Performs one task: environment, probe process, results into the store. Runs in an executor's thread or process.

Whatever a task meets becomes a result: a fact, or an error that says what went wrong. The only exception it lets
through is the interruption of the whole run.
"""

from __future__ import annotations

import copy
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness import jobs
from harness.children import Children
from harness.closures import Closure
from harness.environments import Environments
from harness.facts import Facts, has_error, stages
from harness.forks import Forks
from harness.model import Failure, Stage, StageResult, Status, Variant, digest
from harness.processes import Limits, Told, run_probe
from harness.schema import Probe
from harness.store import Store
from harness.tasks import Evaluate, Export, Import, Install, Run, Task
from harness.todo import missing_exports, missing_imports, missing_runs
from harness.trouble import hinder

OnStage = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _ExportWork:
    """What an export's process is asked for."""

    variants: list[Variant]
    imports: list[Import]
    reference: bool = field(kw_only=True)
    """Whether it is more than imports."""


class Worker:
    """Holds what every task needs. Thread-safe: each task's state is its own."""

    def __init__(
        self,
        *,
        store: Store,
        facts: Facts,
        environments: Environments,
        children: Children,
        limits: Limits,
        given: Mapping[str, Path],
        model: Probe,
    ) -> None:
        """`given` maps closures (by key) to the python of an environment that somebody else made and that holds them."""
        self._store = store
        self._facts = facts
        self._environments = environments
        self._children = children
        self._limits = limits
        self._forks = Forks(environments=environments, children=children, store=store, limits=limits)
        self._given = given
        self._module = self._published(model)
        self._installed: dict[str, Path | None] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def _published(self, model: Probe) -> str | None:
        """Put one's own module into the store and return its path there: what its key leaves out is not."""
        if model.module is None:
            return None
        with self._store.scratch() as scratch:
            for name, path in model.sources.items():
                (scratch / "probe" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, scratch / "probe" / name)
            digest = self._store.publish(scratch / "probe")
        return str(self._store.artifact(digest) / Path(model.module).name)

    def perform(self, task: Task, on_stage: OnStage) -> None:
        """Do `task` and record what came of it.

        Raises:
            InterruptedError: the run is being stopped; nothing was recorded for what was in flight.
        """
        try:
            match task:
                case Install():
                    on_stage(Stage.INSTALL)
                    self._python(task.closure)
                case Export():
                    self._export(task, on_stage)
                case Run() | Evaluate():
                    self._run(task, on_stage)
        except InterruptedError:
            raise
        except Exception as error:  # noqa: BLE001 -- the matrix goes on, whatever happens to one task
            hinder(task, self._facts, error)

    def knowing(self, facts: Facts) -> Worker:
        """The same worker, environments and all, with other facts."""
        other = copy.copy(self)
        other._facts = facts  # noqa: SLF001 -- of the same class
        return other

    def build(self, closure: Closure) -> None:
        """Have the environment of a closure that is known to install: on another machine perhaps, and so here.

        Raises:
            RuntimeError: this machine cannot; that is no word on the closure.
        """
        with self._building(closure):
            if self._installed.get(closure.key) is None:
                python, result = self._environments.ensure(closure)
                if python is None:
                    raise RuntimeError(f"its environment cannot be built here: {result.error and result.error.message}")
                self._installed[closure.key] = python

    def stop(self) -> None:
        """End what runs, and begin nothing more: the run is interrupted."""
        self._children.stop()

    def close(self, *, keep: bool) -> None:
        """Remove the environments that are left, unless `keep`; nothing runs any more."""
        self._forks.close()
        self._environments.close(keep=keep)

    def release(self, parts: tuple[Closure, ...]) -> None:
        """Nothing that is planned needs this environment any more; should something else, it is built again."""
        if len(parts) == 1:
            self._installed.pop(parts[0].key, None)
            self._forks.release(parts[0])
        self._environments.release(parts)

    def _python(self, closure: Closure) -> Path | None:
        """The python of the closure's environment, built at most once a run; None where it cannot be built."""
        if closure.key in self._given:
            return self._given[closure.key]
        with self._building(closure):
            if closure.key not in self._installed:
                python, result = self._environments.ensure(closure)
                known = self._facts.get(Install(closure=closure).key)
                if python is None or known is None:
                    # An environment that is merely found again keeps the time it took to build.
                    self._facts.put(Install(closure=closure).key, [result], remember=result.status is not Status.ERROR)
                self._installed[closure.key] = python
            return self._installed[closure.key]

    def _building(self, closure: Closure) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(closure.key, threading.Lock())

    def _export(self, task: Export, on_stage: OnStage) -> None:
        python = self._python(task.closure)
        if python is None:
            return
        if task.closure.key in self._given:
            # One environment holds it all, and nothing that was imported before it.
            for one in missing_imports(task, self._facts):
                told = self._probe(python, self._about(one.model, jobs.importing(one)), [one.key], one.parts, on_stage)
                self._facts.put(one.key, told.results[None])
        while work := self._export_work(task):
            sites = {one: self._environments.site(one.parts[1]) for one in work.imports}
            with self._store.scratch() as out:
                told = self._probe(
                    python,
                    self._about(task.model, jobs.exporting(work.variants, sites, out, reference=work.reference)),
                    [task.key, *map(task.variant_key, work.variants), *(one.key for one in work.imports)],
                    (task.closure,),
                    on_stage,
                    beside={one.key: one.parts for one in work.imports},
                )
                self._keep_imports(work.imports, told)
                if work.reference:
                    self._keep_exports(task, work.variants, told, out)
            if self._export_work(task) == work:
                # It died before its first variant each time; saying so once more would not end.
                return

    def _export_work(self, task: Export) -> _ExportWork | None:
        """What one process can do of `task` now; None where nothing is left."""
        variants = missing_exports(task, self._facts)
        # PyTorch's own result may be lost where every variant is known.
        reference = bool(variants) or self._facts.get(task.key) is None
        imports = [one for one in missing_imports(task, self._facts) if self._python(one.parts[1]) is not None]
        return _ExportWork(variants, imports, reference=reference) if reference or imports else None

    def _keep_imports(self, imports: Sequence[Import], told: Told) -> None:
        process = told.results.get(None, [])
        for one in imports:
            # The process' own trouble left them undone; what it cannot import itself is a fact about the export side.
            results = told.results.get(one.key) or (process if has_error(process) else [])
            if results:
                self._facts.put(one.key, results)

    def _keep_exports(self, task: Export, wanted: Sequence[Variant], told: Told, out: Path) -> None:
        process = told.results.get(None, [])
        if has_error(process):
            # What it left may be half of what it wanted to leave. Nor is its trouble a word on PyTorch alone, where an
            # earlier process has one.
            known = stages(self._facts.get(task.key))
            for key in map(task.variant_key, wanted) if known else [task.key]:
                self._facts.put(key, process)
            return
        self._facts.put(task.key, process)
        for variant in wanted:
            key, folder = task.variant_key(variant), out / variant.export_id
            results = told.results.get(variant.export_id, [])
            if results and all(result.ok for result in results) and folder.exists():
                # What a run needs lies in one place, and is there as a whole or not at all.
                shutil.copytree(out / "reference", folder / "reference")
                self._facts.put(key, results, artifact=self._store.publish(folder))
            elif results:
                self._facts.put(key, results)

    def _run(self, task: Run | Evaluate, on_stage: OnStage) -> None:
        if not missing_runs(task, self._facts):
            return
        python = self._python(task.closure)
        if python is None:
            return
        while wanted := missing_runs(task, self._facts):
            before = len(wanted)
            artifacts = [(variant, self._store.artifact(artifact)) for variant, artifact in wanted]
            told = self._probe(
                python,
                self._about(task.export.model, jobs.running(task, artifacts)),
                [task.variant_key(*one) for one in wanted],
                (task.closure,),
                on_stage,
            )
            process = told.results.get(None, [])
            if not has_error(process):
                self._facts.put(task.key, process)
            for variant, artifact in wanted:
                # Trouble of this process is no word on the closure, which other artifacts are run in too.
                results = told.results.get(variant.id) or (process if has_error(process) else [])
                if results:
                    self._facts.put(task.variant_key(variant, artifact), results)
            if len(missing_runs(task, self._facts)) == before:
                return

    def _about(self, model: Probe, job: Mapping[str, Any]) -> dict[str, Any]:
        """`job` about `model`, which may be another than the run's."""
        return {**job, "probe": jobs.about(model, self._module)}

    def _probe(
        self,
        python: Path,
        job: Mapping[str, Any],
        keys: Sequence[str],
        parts: tuple[Closure, ...],
        on_stage: OnStage,
        *,
        beside: Mapping[str, tuple[Closure, ...]] = MappingProxyType({}),
    ) -> Told:
        """Run `job`, which is to give the results under `keys`: what is asked of one process, and has a log of its own.

        It can import what is in `parts`; its forks for a subject, what is in `beside`.
        """
        # A given environment is somebody else's, and holds the whole lock: one side of it can import the other.
        ours = not any(part.key in self._given for part in parts)
        with self._store.scratch() as folder:
            told = run_probe(
                python,
                job,
                folder=folder,
                log=self._store.log(digest(keys)),
                store=self._store.root,
                limits=self._limits,
                children=self._children,
                on_stage=lambda stage, subject: on_stage(f"{stage} {subject}" if subject else stage),
                fork=self._forks.of(python, job, parts[0]) if ours else None,
            )
        if ours:
            if not all(map(self._environments.intact, (parts, *((side,) for other in beside.values() for side in other)))):
                raise RuntimeError("its environment was removed or found changed while it ran")
            for subject, distributions in told.distributions.items():
                _audit(told, subject, distributions, beside.get(subject or "", parts))
        return told


def _audit(told: Told, subject: str | None, distributions: Mapping[str, str], parts: Sequence[Closure]) -> None:
    """A process that imported what its key does not name has a result nobody may reuse; a fork of it has one of its own."""
    keyed = {name: version for part in parts for name, version in part.lock.versions.items()}
    strangers = [f"{name} {version}" for name, version in sorted(distributions.items()) if keyed.get(name) != version]
    if strangers:
        message = f"the probe imported what its key leaves out: {', '.join(strangers)}"
        failure = Failure(type="key", message=message)
        for one in told.results if subject is None else [subject]:
            told.results[one] = [StageResult(stage=Stage.IMPORT, status=Status.ERROR, error=failure, finished=time.time())]
