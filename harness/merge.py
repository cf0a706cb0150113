"""What shards found out, as one: their stores copied into one store, or their matrix.json files joined into one report.

Nothing is run. A result is what it is whoever obtained it, so stores need no more than copying; two results that
cannot both be true are refused, and nothing is copied then.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness import regular_files
from harness.diagnose import assembly
from harness.environments.lock_records import LOCK, Solved
from harness.environments.published_versions import BETWEEN, VERSIONS
from harness.environments.sources import TORCH_BACKEND, TorchBackend
from harness.errors import ShardError
from harness.execution.questions import PUBLISHED
from harness.model import Status
from harness.store.envelope import DamagedRecordError, RecordKind
from harness.store.foreign import LOG_LIMIT, ForeignStore
from harness.store.store import Store
from harness.tasks.records import STAGES, Record
from harness.verdicts.report_model import ADAPTER, FILE_LIMIT, Report

_SAME = ("schema", "platform", "torch", "probe")
"""What reports must agree on to be one."""


def are_stores(sources: Sequence[Path]) -> bool:
    """Whether `sources` are stores; otherwise they are files.

    Raises:
        ShardError: one is neither, or there are both.
    """
    for source in sources:
        if not source.exists():
            raise ShardError(f"{source} does not exist")
        if source.is_dir() and not (source / "results").is_dir():
            raise ShardError(
                f"{source} is no store: it has no folder 'results' (a store's folder or a matrix.json is expected)"
            )
    folders = {source.is_dir() for source in sources}
    if len(folders) > 1:
        raise ShardError("stores or matrix.json files, not both: a file adds nothing to the store that it was made from")
    return folders.pop()


KINDS: Mapping[str, RecordKind[Any]] = {kind.name: kind for kind in (STAGES, LOCK, VERSIONS, BETWEEN, PUBLISHED, TORCH_BACKEND)}
"""All kinds of records that a store holds, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Taken:
    """A record that is to be copied."""

    source: ForeignStore
    kind: RecordKind[Any]
    value: Any


@dataclass(kw_only=True, slots=True)
class _Found:
    """Where each record is to come from."""

    store: Store
    taken: dict[str, _Taken] = field(default_factory=dict)
    """Key → only what is not in the store already."""
    notes: list[str] = field(default_factory=list)

    def look(self, source: ForeignStore) -> None:
        """Choose what to take from `source`: what is new, facts where there were errors, and flaky results before facts."""
        for key, name, body in source.records():
            try:
                kind = _kind(name)
                value = kind.parsed(body)
            except DamagedRecordError as problem:
                source.refuse(f"results/{key[:2]}/{key}.json", str(problem))
            else:
                self._choose(_Taken(source=source, kind=kind, value=value), key)

    def _choose(self, new: _Taken, key: str) -> None:
        """Take `new`, or keep what is known.

        Look-ups may differ: an index has something else to offer tomorrow. The earlier source's stands then.

        Raises:
            ShardError: both are facts, and they contradict each other.
        """
        there = self.taken.get(key)
        if there is not None and there.kind is not new.kind:
            new.source.refuse(f"results/{key[:2]}/{key}.json", f"is a record of another kind than that of {there.source.root}")
            return
        known = there.value if there else self.store.get(new.kind, key)
        if known is None or _rank(new.value) > _rank(known):
            self.taken[key] = new
        elif _rank(new.value) == _rank(known) == _FACT and _meaning(known) != _meaning(new.value):
            where = there.source.root if there else self.store.root
            if not isinstance(known, Record | Solved):
                self.notes.append(f"{where} and {new.source.root} have different answers of an index; the former's stands")
                return
            raise ShardError(_contradiction(where, new.source.root, key, known, new.value))


def copy(sources: Sequence[Path], store: Store) -> list[str]:
    """Copy what the stores `sources` know into `store`, logs and artifacts too; returns what was left out, in sentences.

    Of two records of one thing, the earlier source's stays; but a fact replaces an error, and a flaky result, which has
    seen both outcomes, replaces a fact.

    Raises:
        ShardError: two of the stores contradict each other.
    """
    found = _Found(store=store)
    foreign = [ForeignStore(root=source) for source in sources]
    for source in foreign:
        found.look(source)
    for key, taken in found.taken.items():
        # Last, so that what is known has everything it speaks of.
        store.put(taken.kind, key, _admitted(taken, key, store))
    return [*dict.fromkeys(found.notes), *(text for source in foreign for text in source.refused)]


def _admitted(taken: _Taken, key: str, store: Store) -> Any:
    """The value that is stored for `taken`; what a record speaks of is in `store` then, as far as it is there."""
    value = taken.value
    if isinstance(value, Solved):
        return replace(value, foreign=True)
    if not isinstance(value, Record):
        return value
    with store.scratch() as scratch:
        copied = scratch / "artifact"
        if value.artifact and not store.artifacts.intact(value.artifact) and taken.source.copy_artifact(value.artifact, copied):
            store.artifacts.publish(copied)
        replaced = store.get(STAGES, key)
        own = {result.log for result in replaced.stages if result.log} if replaced else set()
        logs = {result.log for result in value.stages if result.log}
        kept = {log for log in logs if _copy_log(taken.source, log, store, scratch / Path(log).name, over=log in own)}
    # Whoever reads a log reads that of this very result.
    return replace(value, stages=tuple(one if one.log in kept else replace(one, log=None) for one in value.stages))


def _copy_log(source: ForeignStore, name: str, store: Store, copied: Path, *, over: bool) -> bool:
    """Have that log in `store`; one that is there already is another result's, and stays unless it is to be written `over`."""
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
    """What a record says, without when and in what time it was found out."""
    match value:
        case Record():
            return [(result.stage, result.status) for result in value.stages]
        case Solved():
            return value.lock or value.result.status
        case TorchBackend():
            return value.backend
        case _:
            return value


_ERROR, _FACT, _FLAKY = range(3)


def _rank(value: Any) -> int:
    """How much a record knows: an error nothing, a fact one outcome, a flaky result two."""
    statuses = {result.status for result in value.stages} if isinstance(value, Record) else set()
    return _ERROR if Status.ERROR in statuses else _FLAKY if Status.FLAKY in statuses else _FACT


def _contradiction(one: Path, other: Path, key: str, known: Record | Solved, new: Record | Solved) -> str:
    where = f"{one} and {other} contradict each other (results/{key[:2]}/{key}.json)"
    if isinstance(known, Record) and isinstance(new, Record):
        said = [", ".join(f"{result.stage} {result.status}" for result in found.stages) for found in (known, new)]
        return f"{where}: {said[0]} in the one, {said[1]} in the other, for the same input; run one of them again with --force"
    return f"{where}: the index gave them different answers; let all shards start from the store of one `plan`"


def read(path: Path) -> Report:
    """The report in the file at `path`.

    Raises:
        ShardError: it cannot be read, or is none.
    """
    try:
        return ADAPTER.validate_json(regular_files.read_named(path, limit=FILE_LIMIT))
    except FileNotFoundError as error:
        raise ShardError(f"{path} cannot be read: {error}") from None
    except regular_files.RefusedFileError as problem:
        raise ShardError(f"{path} {problem}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ShardError(f"{path} is no matrix.json of this version: {f'{place}: ' if place else ''}{first['msg']}") from None


def join(reports: Sequence[tuple[Path, Report]], order: Sequence[str], axes: Sequence[str]) -> Report:
    """The one report that `reports` are the shards of: `order` has the ids of all cells, `axes` the names of all axes.

    Raises:
        ShardError: they are not shards of one matrix, or not all of them.
    """
    (first, one), *others = reports
    for path, report in others:
        for name in _SAME:
            if getattr(one, name) != getattr(report, name):
                raise ShardError(f"{first} and {path} differ in {name}: {getattr(one, name)} and {getattr(report, name)}")
    if problems := list(_problems(reports, order)):
        raise ShardError("these are not the shards of one matrix: " + "; ".join(problems))
    cells = {cell.id: cell for _, report in reports for cell in report.cells}
    return assembly.assemble(
        [cells[identifier] for identifier in order],
        axes,
        generated=max((report.generated for _, report in reports if report.generated), default=None),
        platform=one.platform,
        torch=one.torch,
        probe=one.probe,
    )


def _problems(reports: Sequence[tuple[Path, Report]], order: Sequence[str]) -> Iterator[str]:
    seen: dict[str, tuple[Path, Status]] = {}
    for path, report in reports:
        for cell in report.cells:
            if cell.id in seen:
                where, status = seen[cell.id]
                told = "" if status is cell.status else f", {status.value} in the one and {cell.status.value} in the other"
                yield f"{cell.id} is in {where} and in {path}{told}"
            seen[cell.id] = (path, cell.status)
    if missing := [identifier for identifier in order if identifier not in seen]:
        yield f"in none of them: {_listed(missing)}"
    if strangers := [identifier for identifier in seen if identifier not in set(order)]:
        yield f"not in this matrix: {_listed(strangers)}"


def _listed(identifiers: Sequence[str]) -> str:
    return ", ".join(identifiers[:12]) + (f", and {len(identifiers) - 12} more" if len(identifiers) > 12 else "")
