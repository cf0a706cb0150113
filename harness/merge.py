"""Merges the results of shards: stores into one store, or matrix.json files into one report.

Nothing is run. A record does not depend on the machine that made it, so stores are merged by copying. If two records
contradict each other, nothing is copied.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import regular_files
from harness.diagnose import assembly
from harness.environments.lock_records import LOCK, UNPUBLISHED, Solved
from harness.environments.published_versions import BETWEEN, PUBLISHED, VERSIONS
from harness.environments.sources import TORCH_BACKEND, TorchBackend
from harness.errors import ShardError
from harness.execution.process.repetition import compared
from harness.model import Stage, Status
from harness.store.envelope import DamagedRecordError, RecordKind
from harness.store.foreign import LOG_LIMIT, ForeignStore
from harness.store.store import Store
from harness.tasks.further_export import LAST_ATTEMPT, again_key
from harness.tasks.records import STAGES, Record
from harness.verdicts.messages import headline
from harness.verdicts.report_schema import Report
from harness.verdicts.signature import signature

_SAME = ("schema", "platform", "torch", "probe")
"""Fields in which the reports of shards must agree."""


def are_stores(sources: Sequence[Path]) -> bool:
    """Whether `sources` are stores; otherwise they are files.

    Raises:
        ShardError: one is neither a store nor a file, or there are both.
    """
    for source in sources:
        if not source.exists():
            raise ShardError(f"{source} does not exist")
        if source.is_dir() and not (source / "results").is_dir():
            raise ShardError(
                f"{source} is not a store: it has no folder 'results' (a store's folder or a matrix.json is expected)"
            )
    folders = {source.is_dir() for source in sources}
    if len(folders) > 1:
        raise ShardError("stores or matrix.json files, not both: a file adds nothing to the store that it was made from")
    return folders.pop()


KINDS: Mapping[str, RecordKind[Any]] = {
    kind.name: kind for kind in (STAGES, LOCK, UNPUBLISHED, VERSIONS, BETWEEN, PUBLISHED, TORCH_BACKEND)
}
"""All kinds of records that a store holds, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Candidate:
    """A record that may be copied."""

    source: ForeignStore | None
    """None if the store has it already, but for what is changed in it."""
    kind: RecordKind[Any]
    value: Any


@dataclass(kw_only=True, slots=True)
class _Choice:
    """The records that are to be copied into `store`."""

    store: Store
    chosen: dict[str, _Candidate] = field(default_factory=dict)
    """Key → record that is not in the store, or replaces one there."""
    notes: list[str] = field(default_factory=list)
    """Sentences about answers of indexes, and about reasons of failures, that differ."""

    def add(self, source: ForeignStore) -> None:
        """Choose from `source` what is new, facts in place of errors, and flaky results in place of facts."""
        for key, name, body in source.records():
            try:
                kind = _kind(name)
                value = kind.parsed(body)
            except DamagedRecordError as problem:
                source.refuse(f"results/{key[:2]}/{key}.json", str(problem))
            else:
                self._choose(_Candidate(source=source, kind=kind, value=value), key, source)

    def _choose(self, new: _Candidate, key: str, source: ForeignStore) -> None:
        """Choose `new`, or keep what is known.

        Look-ups may differ, since indexes change from day to day. Then the one of the earlier source is kept.

        Raises:
            ShardError: both are facts, and they contradict each other.
        """
        earlier = self.chosen.get(key)
        if earlier is not None and earlier.kind is not new.kind:
            source.refuse(f"results/{key[:2]}/{key}.json", f"is a record of another kind than that of {self._root(earlier)}")
            return
        known = earlier.value if earlier else self.store.get(new.kind, key)
        if isinstance(known, Record) and isinstance(new.value, Record) and known.artifact and new.value.artifact:
            self._keep_beside(known.artifact, new, key)
        if known is None or _rank(new.value) > _rank(known):
            self.chosen[key] = new
        elif _rank(new.value) == _rank(known) == _FACT and _meaning(known) != _meaning(new.value):
            root = self._root(earlier)
            if not isinstance(known, Record | Solved):
                self.notes.append(f"{root} and {source.root} have different answers of an index; the former's stands")
            elif isinstance(known, Record) and isinstance(new.value, Record) and _ends(known) == _ends(new.value):
                both = replace(known, stages=tuple(compared(known.stages, new.value.stages)))
                self.chosen[key] = replace(earlier or replace(new, source=None), value=both)
                if _meaning(both) not in [_meaning(known), _meaning(new.value)]:
                    self.notes.append(_reasons(root, source.root, known, new.value))
            else:
                raise ShardError(_contradiction(root, source.root, key, known, new.value))

    def _keep_beside(self, artifact: str, new: _Candidate, key: str) -> None:
        """Keep the other artifact of an export as what another attempt has left: what was run with either is compared."""
        for attempt in range(1, LAST_ATTEMPT + 1):
            if new.value.artifact == artifact:
                return
            beside = again_key(key, attempt)
            taken = self.chosen[beside].value if beside in self.chosen else self.store.get(STAGES, beside)
            if not isinstance(taken, Record) or taken.artifact is None:
                self.chosen[beside] = new
                return
            artifact = taken.artifact

    def _root(self, candidate: _Candidate | None) -> Path:
        """The store that a record is of; None stands for one of this store."""
        return candidate.source.root if candidate and candidate.source else self.store.root


def copy(sources: Sequence[Path], store: Store) -> list[str]:
    """Copy records, logs and artifacts of the stores `sources` into `store`; return sentences about what was left out.

    Of two records under one key, that of the earlier source is kept; but a fact replaces an error, and a flaky result,
    which has both outcomes, replaces a fact. A failure that came with other words in each keeps those that both share.

    Raises:
        ShardError: two of the stores contradict each other.
    """
    choice = _Choice(store=store)
    foreign = [ForeignStore(root=source) for source in sources]
    for source in foreign:
        choice.add(source)
    for key, candidate in choice.chosen.items():
        # The record last: its artifact and its logs must be there.
        store.put(candidate.kind, key, _admitted(candidate, key, store))
    return [*dict.fromkeys(choice.notes), *(text for source in foreign for text in source.refused)]


def _admitted(candidate: _Candidate, key: str, store: Store) -> Any:
    """The value to store for `candidate`, after its artifact and its logs are copied, as far as the source has them."""
    value = candidate.value
    if isinstance(value, Solved):
        return replace(value, foreign=True)
    if not isinstance(value, Record) or candidate.source is None:
        return value
    with store.scratch() as scratch:
        copied = scratch / "artifact"
        if (
            value.artifact
            and not store.artifacts.intact(value.artifact)
            and candidate.source.copy_artifact(value.artifact, copied)
        ):
            store.artifacts.publish(copied)
        replaced = store.get(STAGES, key)
        own = {result.log for result in replaced.stages if result.log} if replaced else set()
        logs = {result.log for result in value.stages if result.log}
        kept = {log for log in logs if _copy_log(candidate.source, log, store, scratch / Path(log).name, over=log in own)}
    # No result may name the log of another one.
    stages = (result if result.log in kept else replace(result, log=None) for result in value.stages)
    return replace(value, stages=tuple(stages))


def _copy_log(source: ForeignStore, name: str, store: Store, copied: Path, *, over: bool) -> bool:
    """Copy that log to `store`; a log that is there belongs to another result, and is kept unless `over`."""
    source.copy_log(name, copied)
    if not copied.exists():
        return False
    place = store.log(Path(name).stem)
    with contextlib.suppress(FileNotFoundError, regular_files.RefusedFileError):
        if regular_files.read(place, limit=LOG_LIMIT) == copied.read_bytes():
            return True
    if os.path.lexists(place) and not over:
        source.refuse(name, "is not the log that is here under that name, which stays")
        return False
    copied.replace(place)
    return True


def _kind(name: str) -> RecordKind[Any]:
    if name not in KINDS:
        raise DamagedRecordError(f"is a record of a kind that this version does not know: {name!r}")
    return KINDS[name]


def _meaning(value: Any) -> object:
    """The content of a record without times and words that do not count."""
    match value:
        case Record():
            fails = (result for result in value.stages if result.status is Status.FAILS and result.error)
            return _ends(value), [signature(result.stage, result.error) for result in fails if result.error]
        case Solved():
            return value.lock or value.result.status
        case TorchBackend():
            return value.backend
        case _:
            return value


def _ends(record: Record) -> list[tuple[Stage, Status]]:
    return [(result.stage, result.status) for result in record.stages]


_ERROR, _FACT, _FLAKY = range(3)


def _rank(value: Any) -> int:
    """The number of outcomes in a record: none in an error, one in a fact, two in a flaky result."""
    statuses = {result.status for result in value.stages} if isinstance(value, Record) else set()
    return _ERROR if Status.ERROR in statuses else _FLAKY if Status.FLAKY in statuses else _FACT


def _contradiction(first: Path, second: Path, key: str, known: Record | Solved, new: Record | Solved) -> str:
    where = f"{first} and {second} contradict each other (results/{key[:2]}/{key}.json)"
    if isinstance(known, Record) and isinstance(new, Record):
        ends = [", ".join(f"{result.stage} {result.status}" for result in record.stages) for record in (known, new)]
        return f"{where}: {ends[0]} in the one, {ends[1]} in the other, for the same input; run one of them again with --force"
    return f"{where}: the index gave them different answers; let all shards start from the store of one `plan`"


def _reasons(first: Path, second: Path, known: Record, new: Record) -> str:
    """A sentence about one failure that two stores have with different words."""
    words = [f"{error.type}: {headline(error.message)}" for record in (known, new) if (error := record.stages[-1].error)]
    return (
        f"{first} and {second} have the same failure at {known.stages[-1].stage} with different reasons ({'; '.join(words)}); "
        "it counts as one failure with varying messages"
    )


def join(reports: Sequence[tuple[Path, Report]], order: Sequence[str], axes: Sequence[str]) -> Report:
    """The report with all cells of `reports`, which are shards; `order` has the ids of all cells, `axes` the names of all axes.

    Raises:
        ShardError: they are not shards of one matrix, or not all of them.
    """
    (first_path, first), *others = reports
    for path, report in others:
        for name in _SAME:
            values = getattr(first, name), getattr(report, name)
            if values[0] != values[1]:
                raise ShardError(f"{first_path} and {path} differ in {name}: {values[0]} and {values[1]}")
    if problems := list(_problems(reports, order)):
        raise ShardError("these are not the shards of one matrix: " + "; ".join(problems))
    cells = {cell.id: cell for _, report in reports for cell in report.cells}
    return assembly.assemble(
        [cells[identifier] for identifier in order],
        axes,
        generated=max((report.generated for _, report in reports if report.generated), default=None),
        platform=first.platform,
        torch=first.torch,
        probe=first.probe,
        sandbox=sorted({words for _, report in reports for words in report.sandbox}),
    )


def _problems(reports: Sequence[tuple[Path, Report]], order: Sequence[str]) -> Iterator[str]:
    seen: dict[str, tuple[Path, Status]] = {}
    for path, report in reports:
        for cell in report.cells:
            if cell.id in seen:
                where, status = seen[cell.id]
                ends = "" if status is cell.status else f", {status.value} in the one and {cell.status.value} in the other"
                yield f"{cell.id} is in {where} and in {path}{ends}"
            seen[cell.id] = (path, cell.status)
    if missing := [identifier for identifier in order if identifier not in seen]:
        yield f"in none of them: {_listed(missing)}"
    if strangers := [identifier for identifier in seen if identifier not in set(order)]:
        yield f"not in this matrix: {_listed(strangers)}"


def _listed(identifiers: Sequence[str]) -> str:
    return ", ".join(identifiers[:12]) + (f", and {len(identifiers) - 12} more" if len(identifiers) > 12 else "")
