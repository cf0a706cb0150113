"""The task that exports: eager PyTorch, then every variant of one closure, and beside it imports, in forks of its process."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

from harness.environments.layers import Closure
from harness.matrix.schema import ProbeSection
from harness.model import Stage, StageResult, Variant
from harness.tasks import jobs
from harness.tasks.install import Install
from harness.tasks.interface import Batch, Parts, ProbeOutput, ProbeRequest, Subject, Task, Workplace
from harness.tasks.joint_import import Import, ImportBatch
from harness.tasks.keys import key_of, model_key, process_key
from harness.tasks.records import Records, has_error, stages, unproven
from harness.tasks.repetitions import FailurePlace
from harness.tasks.undivided_environment import Divided, Pair, Undivided


@dataclass(frozen=True, kw_only=True)
class Export(Divided):
    """Eager PyTorch, then every export variant of one closure, in one process; and imports beside it, in forks of that.

    What fails is done again in the undivided environments of the cells that share it (undivided_environment.py).
    """

    kind = "export"
    rank = 1
    may_fork: ClassVar[bool] = True
    """Whether a fork server may make its process."""

    closure: Closure
    model: ProbeSection = field(hash=False)
    variants: tuple[Variant, ...]
    imports: tuple[Import, ...] = field(default=(), compare=False)
    """Those of the cells of this run; the export is the same whatever is imported beside it."""
    undivided: tuple[Undivided, ...] = field(default=(), compare=False)
    """Those of the cells of this run."""

    @functools.cached_property
    def key(self) -> str:
        """The key of the reference (stages import and eager)."""
        return process_key("eager", "export", self.model, self.closure.key, model_key(self.model))

    def variant_key(self, variant: Variant) -> str:
        """The key of one variant's export (stages export and check)."""
        return key_of(self.key, variant.exporter, variant.opset, variant.layout, variant.attention, variant.ir_version)

    @property
    def needs(self) -> tuple[Task, ...]:
        """Its environment, and those of the imports beside it."""
        return (Install(closure=self.closure), *dict.fromkeys(item.install for item in self.imports))

    @property
    def environments(self) -> tuple[Parts, ...]:
        """Its own, and those of the imports beside it."""
        return (*super().environments, *dict.fromkeys((item.parts[-1],) for item in self.imports))

    @property
    def seconds(self) -> int:
        """See Task."""
        return 10 + 5 * len(self.variants)

    @property
    def results(self) -> Mapping[Stage, int]:
        """See Task."""
        return {Stage.EAGER: 1, Stage.EXPORT: len(self.variants), Stage.IMPORT: len(self.imports)}

    def measured_keys(self, records: Records) -> list[str]:  # noqa: ARG002 -- as Task
        """Without the imports, which have processes of their own."""
        return [self.key, *map(self.variant_key, self.variants)]

    def keys(self, records: Records) -> list[str]:
        """All of its keys, and those of what is done again undivided."""
        return [*self.measured_keys(records), *(item.key for item in self.imports), *self.keys_undivided(records)]

    def within(self, whole: Undivided) -> Self:
        """See Divided."""
        return replace(self, closure=whole.whole, imports=whole.joint, undivided=())

    def own_keys(self, whole: Undivided, records: Records) -> list[str]:
        """See Divided."""
        return [*self.measured_keys(records), *([whole.beside.key] if whole.beside else [])]

    def pairs(self, whole: Undivided, records: Records) -> list[Pair]:  # noqa: ARG002 -- as Divided
        """See Divided."""
        other = self.within(whole)
        pairs = [Pair(self.key, other.key, Stage.IMPORT, other.place())]
        pairs += [Pair(self.variant_key(one), other.variant_key(one), Stage.EXPORT, other.place(one)) for one in self.variants]
        return pairs + [
            Pair(whole.beside.key, item.key, Stage.IMPORT, FailurePlace(item.key)) for item in other.imports if whole.beside
        ]

    def place(self, variant: Variant | None = None) -> FailurePlace:
        """What its failure is about: the closure, and a variant."""
        return FailurePlace(self.closure.key, variant.export_id if variant else None)

    def reference(self, records: Records) -> list[StageResult]:
        """The stages import and eager, for its only cell."""
        return self.counted(lambda export: export.key, records)

    def exported(self, variant: Variant, records: Records) -> list[StageResult]:
        """The stages export and check of a variant, for its only cell."""
        return self.counted(lambda export: export.variant_key(variant), records)

    def imported(self, records: Records) -> list[StageResult]:
        """The joint import, for its only cell, a `together` cell."""
        return self.counted(lambda export: export.imports[0].key, records)

    def artifact(self, variant: Variant, records: Records) -> str | None:
        """The digest of the variant's artifact; None if there is none, or it is not known."""
        record = records.get(self.variant_key(variant))
        return record.artifact if record and all(result.ok for result in record.stages) else None

    def is_pending(self, records: Records) -> bool:
        """Whether the reference, a variant or an import is missing that can be made."""
        return not Install(closure=self.closure).is_impossible(records) and bool(self.missing(records))

    def missing_variants(self, records: Records) -> list[Variant]:
        """Variants without a result; none if eager PyTorch has failed already."""
        reference = stages(records.get(self.key))
        if reference and not all(result.ok for result in reference):
            return []
        return [variant for variant in self.variants if records.get(self.variant_key(variant)) is None]

    def missing_imports(self, records: Records) -> list[Import]:
        """Imports without a result; none if the export side cannot be imported even by itself."""
        if any(result.stage is Stage.IMPORT and not result.ok for result in stages(records.get(self.key))):
            return []
        return [item for item in self.imports if records.get(item.key) is None and not item.install.is_impossible(records)]

    def missing(self, records: Records) -> list[tuple[str, Stage]]:
        """See Task. Without a result of PyTorch alone (the reference), that one is the first of its missing results."""
        undivided = self.missing_undivided(records)
        if self._is_replaced(records):
            return undivided
        imports = [(item.key, Stage.IMPORT) for item in self.missing_imports(records)]
        if records.get(self.key) is None:
            return [(self.key, Stage.IMPORT), *imports, *undivided]
        return [
            *imports,
            *((self.variant_key(variant), Stage.EXPORT) for variant in self.missing_variants(records)),
            *undivided,
        ]

    def _is_replaced(self, records: Records) -> bool:
        """Whether its own results count for no cell."""
        return bool(self.undivided) and len(self.refuted(records)) == len(self.undivided)

    def next_batch(self, records: Records, workplace: Workplace) -> Batch | None:
        """The imports and variants that one process can do now; then what failed, undivided."""
        if workplace.python(self.closure) is None:
            return None
        own = workplace.is_given(self.closure) or not self._is_replaced(records)
        return (self._next_batch(records, workplace) if own else None) or self.next_undivided(records, workplace)

    def _next_batch(self, records: Records, workplace: Workplace) -> Batch | None:
        imports = self.missing_imports(records)
        if workplace.is_given(self.closure) or not self.closure.composed:
            # One environment holds both sides, so each import has a process of its own.
            if imports:
                return ImportBatch(task=imports[0])
        else:
            imports = [item for item in imports if workplace.python(item.parts[-1]) is not None]
        variants = self.missing_variants(records)
        # The reference may be lost although every variant is known.
        reference = bool(variants) or records.get(self.key) is None
        if not reference and not imports:
            return None
        return ExportBatch(task=self, variants=tuple(variants), imports=tuple(imports), reference=reference)

    def repetition(self, keys: Collection[str], records: Records, workplace: Workplace) -> Batch:  # noqa: ARG002 -- as Divided
        """See Divided."""
        # `combined` keeps the missing imports alone, and this one is known.
        imports = (*self.imports, *(whole.beside for whole in self.undivided if whole.beside))
        if joint := next((item for item in imports if item.key in keys), None):
            workplace.python(joint.parts[-1])  # the run side, which nothing else has built then
            alone = ExportBatch(task=self, variants=(), imports=(joint,), reference=False)
            return alone if self.closure.composed else ImportBatch(task=joint)
        variants = tuple(variant for variant in self.variants if self.variant_key(variant) in keys)
        return ExportBatch(task=self, variants=variants, imports=(), reference=True)

    def combined(self, equal: Iterable[Self], records: Records) -> Self:
        """With the missing imports of all of them beside it, and all of their undivided environments."""
        equal = list(equal)
        imports = itertools.chain.from_iterable(other.missing_imports(records) for other in equal)
        undivided = itertools.chain.from_iterable(other.undivided for other in (self, *equal))
        return replace(self, imports=tuple(dict.fromkeys(imports)), undivided=tuple(dict.fromkeys(undivided)))

    def localised(self, at: Callable[[Closure], Closure], here: Callable[[ProbeSection], ProbeSection]) -> Self:
        """See Task."""
        return replace(
            self,
            closure=at(self.closure),
            model=here(self.model),
            imports=tuple(item.localised(at, here) for item in self.imports),
            undivided=tuple(whole.localised(at, here) for whole in self.undivided),
        )


@dataclass(frozen=True, kw_only=True)
class ExportBatch(Batch):
    """PyTorch alone (the reference), variants, and imports in forks."""

    task: Export
    variants: tuple[Variant, ...]
    imports: tuple[Import, ...]
    reference: bool
    """Whether there is more to do than imports."""

    @property
    def model(self) -> ProbeSection:
        """See Batch."""
        return self.task.model

    def request(self, workplace: Workplace, out: Path, only: Collection[Subject] | None = None) -> ProbeRequest:
        """See Batch."""
        task = self.task
        variants = [variant for variant in self.variants if only is None or variant.export_id in only]
        imports = [item for item in self.imports if only is None or item.key in only]
        reference = self.reference if only is None else bool(variants) or (self.reference and None in only)
        sites = {item.key: (item.modules, workplace.site(item.parts[1])) for item in imports}
        python = workplace.python(task.closure)
        assert python is not None
        return ProbeRequest(
            python=python,
            job=jobs.exporting(variants, task.model, sites, out, reference=reference),
            keys=[task.key, *map(task.variant_key, variants), *(item.key for item in imports)],
            parts=(task.closure,),
            beside={item.key: item.parts for item in imports},
            may_fork=task.may_fork,
            places={
                None: task.place(),
                **{variant.export_id: task.place(variant) for variant in variants},
                **{item.key: FailurePlace(item.key) for item in imports},
            },
        )

    def store(self, output: ProbeOutput, records: Records, workplace: Workplace, out: Path) -> None:
        """See Batch."""
        process = output.results.get(None, [])
        for item in self.imports:
            # An error of the process left the imports undone. What it cannot import itself is a fact about the export side.
            results = output.results.get(item.key) or (process if unproven(process) else [])
            if results:
                records.put(item.key, results)
        if self.reference and has_error(process):
            self._store_error(process, records)
        elif self.reference:
            records.confirm(self.task.key, process)
            self._store_variants(output, records, workplace, out)
        elif not unproven(process) and not all(result.ok for result in process):
            # The export side's own import fails, although an earlier process has proved that it works.
            records.put(self.task.key, process)

    def _store_error(self, process: Sequence[StageResult], records: Records) -> None:
        """What the process left may be incomplete. An earlier process may have proved that PyTorch alone works."""
        known = stages(records.get(self.task.key))
        for key in map(self.task.variant_key, self.variants) if known else [self.task.key]:
            records.put(key, process)

    def _store_variants(self, output: ProbeOutput, records: Records, workplace: Workplace, out: Path) -> None:
        for variant in self.variants:
            key, folder = self.task.variant_key(variant), out / variant.export_id
            results = output.results.get(variant.export_id, [])
            if results and all(result.ok for result in results) and folder.exists():
                # What a run needs lies in one folder, and is there as a whole or not at all.
                records.put(key, results, artifact=workplace.publish(folder, out / "reference"))
            elif results:
                records.put(key, results)
