"""Performs one task: environment, probe process, results into the store. Runs in an executor's thread or process.

Whatever a task meets becomes a result: a fact, or an error that says what went wrong. The only exception it lets
through is the interruption of the whole run.
"""

from __future__ import annotations

import copy
import shutil
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import disk_space
from harness.environments.environments import Environments
from harness.environments.layers import Closure
from harness.errors import DiskFullError
from harness.execution.process.probe import ProbeOutput
from harness.execution.process.probes import Ask, OnStage, Probes, Question
from harness.execution.process.repetition import Subject, compared
from harness.matrix.schema import ProbeSection
from harness.model import Limits, Stage, StageResult, Status, Variant
from harness.store.store import Store
from harness.subprocesses import Supervisor
from harness.tasks import jobs
from harness.tasks.keys import require_unchanged
from harness.tasks.own_errors import hinder
from harness.tasks.pending import missing_exports, missing_imports, missing_runs
from harness.tasks.records import Records, has_error, stages, unproven
from harness.tasks.tasks import Evaluate, Export, Import, Install, Run, Task


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
        facts: Records,
        environments: Environments,
        children: Supervisor,
        limits: Limits,
        given: Mapping[str, Path],
        forks: bool = True,
    ) -> None:
        """`given` maps closures (by key) to the python of an environment that somebody else made and that holds them."""
        self._store = store
        self._facts = facts
        self._environments = environments
        self._children = children
        self._probes = Probes(
            store=store, environments=environments, children=children, limits=limits, given=given, forks=forks
        )
        self._given = given
        self._sealing = True
        self._installed: dict[str, Path | None] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def perform(self, task: Task, on_stage: OnStage) -> None:
        """Do `task` and record what came of it.

        Raises:
            InterruptedError: the run is being stopped; nothing was recorded for what was in flight.
            DiskFullError: nothing was recorded for what was in flight.
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
        except Exception as error:
            if disk_space.is_full(error):
                # What Python has compiled since may be cut off.
                self._sealing = False
                raise DiskFullError(f"{task.label}: {error}") from error
            hinder(task, self._facts, error)

    def knowing(self, facts: Records) -> Worker:
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
        try:
            self._probes.close(seal=self._sealing)
        finally:
            self._environments.close(keep=keep)

    def release(self, parts: tuple[Closure, ...]) -> None:
        """Nothing that is planned needs this environment any more; should something else, it is built again."""
        if len(parts) == 1:
            self._installed.pop(parts[0].key, None)
            self._probes.release(parts[0])
        self._environments.release(parts)

    def _python(self, closure: Closure) -> Path | None:
        """The python of the closure's environment, built at most once a run; None where it cannot be built."""
        if closure.key in self._given:
            return self._given[closure.key]
        with self._building(closure):
            if closure.key not in self._installed:
                python, result = self._built(closure)
                known = self._facts.get(Install(closure=closure).key)
                if python is None or known is None:
                    # An environment that is merely found again keeps the time it took to build.
                    self._facts.put(Install(closure=closure).key, [result], remember=result.status is not Status.ERROR)
                self._installed[closure.key] = python
            return self._installed[closure.key]

    def _built(self, closure: Closure) -> tuple[Path | None, StageResult]:
        """See Environments.ensure; what fails is tried twice. Whatever is there in the end is verified."""
        python, result = self._environments.ensure(closure)
        if result.status is Status.FAILS:
            python, again = self._environments.ensure(closure)
            result = again if again.ok else compared([result], [again])[-1]
        if result.error and disk_space.says_full(result.error.message):
            raise DiskFullError(result.error.message)
        return python, result

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
                self._facts.put(one.key, self._imported(one, python, on_stage).results[None])
        while work := self._export_work(task):
            with self._store.scratch() as out:
                told = self._told(task.model, self._about_export(task, work, python), out, on_stage)
                self._keep_imports(work.imports, told)
                if work.reference:
                    self._keep_exports(task, work.variants, told, out)
            if self._export_work(task) == work:
                # It died before its first variant each time; saying so once more would not end.
                return

    def _imported(self, one: Import, python: Path, on_stage: OnStage) -> ProbeOutput:
        job = self._about(one.model, jobs.importing(one))
        question = Question(python=python, job=job, keys=[one.key], parts=one.parts, places={None: one.key})
        with self._store.scratch() as out:
            return self._told(one.model, lambda _out, _only: question, out, on_stage)

    def _told(self, model: ProbeSection, ask: Ask, out: Path, on_stage: OnStage) -> ProbeOutput:
        """See Probes.ask; what it tells is of the source that keys name.

        Raises:
            RuntimeError: the source, or the checkpoint of `model`, was edited during this run.
        """
        told = self._probes.ask(ask, out, self._facts.repeated, on_stage)
        require_unchanged(model)
        return told

    def _about_export(self, task: Export, work: _ExportWork, python: Path) -> Ask:
        def ask(out: Path, only: Collection[Subject] | None) -> Question:
            variants = [one for one in work.variants if only is None or one.export_id in only]
            imports = [one for one in work.imports if only is None or one.key in only]
            reference = work.reference if only is None else bool(variants) or (work.reference and None in only)
            sites = {one: self._environments.site(one.parts[1]) for one in imports}
            return Question(
                python=python,
                job=self._about(task.model, jobs.exporting(variants, sites, out, reference=reference)),
                keys=[task.key, *map(task.variant_key, variants), *(one.key for one in imports)],
                parts=(task.closure,),
                beside={one.key: one.parts for one in imports},
                places={
                    **dict.fromkeys([None, *(one.export_id for one in variants)], task.closure.key),
                    **{one.key: one.key for one in imports},
                },
            )

        return ask

    def _export_work(self, task: Export) -> _ExportWork | None:
        """What one process can do of `task` now; None where nothing is left."""
        variants = missing_exports(task, self._facts)
        # PyTorch's own result may be lost where every variant is known.
        reference = bool(variants) or self._facts.get(task.key) is None
        imports = [one for one in missing_imports(task, self._facts) if self._python(one.parts[1]) is not None]
        return _ExportWork(variants, imports, reference=reference) if reference or imports else None

    def _keep_imports(self, imports: Sequence[Import], told: ProbeOutput) -> None:
        process = told.results.get(None, [])
        for one in imports:
            # The process' own trouble left them undone; what it cannot import itself is a fact about the export side.
            results = told.results.get(one.key) or (process if unproven(process) else [])
            if results:
                self._facts.put(one.key, results)

    def _keep_exports(self, task: Export, wanted: Sequence[Variant], told: ProbeOutput, out: Path) -> None:
        process = told.results.get(None, [])
        if has_error(process):
            # What it left may be half of what it wanted to leave. Nor is its trouble a word on PyTorch alone, where an
            # earlier process has one.
            known = stages(self._facts.get(task.key))
            for key in map(task.variant_key, wanted) if known else [task.key]:
                self._facts.put(key, process)
            return
        self._facts.confirm(task.key, process)
        for variant in wanted:
            key, folder = task.variant_key(variant), out / variant.export_id
            results = told.results.get(variant.export_id, [])
            if results and all(result.ok for result in results) and folder.exists():
                # What a run needs lies in one place, and is there as a whole or not at all.
                shutil.copytree(out / "reference", folder / "reference")
                self._facts.put(key, results, artifact=self._store.artifacts.publish(folder))
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
            with self._store.scratch() as out:
                told = self._told(task.export.model, self._about_run(task, wanted, python), out, on_stage)
            process = told.results.get(None, [])
            if not has_error(process):
                self._facts.confirm(task.key, process)
            for variant, artifact in wanted:
                # Trouble of this process is no word on the closure, which other artifacts are run in too.
                results = told.results.get(variant.id) or (process if has_error(process) else [])
                if results:
                    self._facts.put(task.variant_key(variant, artifact), results)
            if len(missing_runs(task, self._facts)) == before:
                return

    def _about_run(self, task: Run | Evaluate, wanted: Sequence[tuple[Variant, str]], python: Path) -> Ask:
        # The evaluator shares its closure with the export.
        place = f"{type(task).__name__} {task.closure.key}"

        def ask(_out: Path, only: Collection[Subject] | None) -> Question:
            chosen = [(variant, artifact) for variant, artifact in wanted if only is None or variant.id in only]
            artifacts = [(variant, self._store.artifacts.folder(artifact)) for variant, artifact in chosen]
            return Question(
                python=python,
                job=self._about(task.export.model, jobs.running(task, artifacts)),
                keys=[task.variant_key(*one) for one in chosen] or [task.key],
                parts=(task.closure,),
                # Two artifacts may fail in the same words, one of them by chance.
                places={None: place, **{variant.id: f"{place} {artifact}" for variant, artifact in chosen}},
            )

        return ask

    def _about(self, model: ProbeSection, job: Mapping[str, Any]) -> dict[str, Any]:
        """`job` about `model`, which may be another than the run's."""
        return {**job, "probe": jobs.about(model)}
