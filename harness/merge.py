"""What shards found out, as one: their stores copied into one store, or their matrix.json files joined into one report.

Nothing is run. A result is what it is whoever obtained it, so stores need no more than copying; two results that
cannot both be true are refused, and nothing is copied then.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import ShardError
from harness.model import Status
from harness.report import assembly
from harness.report.contract import ADAPTER, Report
from harness.store import Store

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


@dataclass(kw_only=True, slots=True)
class _Found:
    """Where each record is to come from."""

    store: Store
    taken: dict[str, tuple[Path, Any]] = field(default_factory=dict)
    """Key → the source and its record; only what is not in the store already."""
    damaged: list[Path] = field(default_factory=list)

    def look(self, source: Path) -> None:
        """Choose what to take from `source`: what is new, facts where there were errors, and flaky results before facts."""
        for path in sorted((source / "results").glob("??/*.json")):
            record = _read(path)
            if _meaning(record) is None:
                self.damaged.append(path)
                continue
            where, known = self.taken.get(path.stem) or (self.store.root, self.store.get(path.stem))
            if _meaning(known) is None or _rank(record) > _rank(known):
                self.taken[path.stem] = (source, record)
            elif _rank(record) == _rank(known) == _FACT and _meaning(known) != _meaning(record):
                raise ShardError(_contradiction(where, source, path.stem, known, record))


def copy(sources: Sequence[Path], store: Store) -> list[Path]:
    """Copy what the stores `sources` know into `store`, logs and artifacts too; returns the files that were damaged.

    Of two records of one thing, the earlier source's stays; but a fact replaces an error, and a flaky result, which has
    seen both outcomes, replaces a fact.

    Raises:
        ShardError: two of the stores contradict each other.
    """
    found = _Found(store=store)
    for source in sources:
        found.look(source)
    for key, (source, record) in found.taken.items():
        if isinstance(record, Mapping):
            _copy_files(source, record, store)
        # Last, so that what is known has everything it speaks of.
        store.put(key, record)
    return found.damaged


def _copy_files(source: Path, record: Mapping[str, Any], store: Store) -> None:
    """The artifact and the logs that `record` speaks of, as far as they are there."""
    artifact = record.get("artifact")
    if artifact and (source / "artifacts" / artifact).is_dir() and not store.intact(artifact):
        with store.scratch() as scratch:
            shutil.copytree(source / "artifacts" / artifact, scratch / "artifact")
            store.publish(scratch / "artifact")
    for log in {Path(one["log"]).name for one in record.get("stages", ()) if one.get("log")}:
        if (source / "logs" / log).is_file():
            shutil.copyfile(source / "logs" / log, store.root / "logs" / log)


def _read(path: Path) -> Any | None:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _meaning(record: Any) -> object | None:
    """What a record says, without when and in what time it was found out; None where it is damaged."""
    match record:
        case {"stages": [_, *_] as stages}:
            found = [(one.get("stage"), one.get("status")) for one in stages if isinstance(one, dict)]
            return found if len(found) == len(stages) and all(map(all, found)) else None
        case {"stages": []}:
            return []
        case {"lock": lock, "result": {"status": status}}:
            return lock or str(status)
        case {"backend": backend, "when": _}:
            return [backend]
        case [str(), *_]:
            return list(record)
        case _:
            return None


_ERROR, _FACT, _FLAKY = range(3)


def _rank(record: Any) -> int:
    """How much a record knows: an error nothing, a fact one outcome, a flaky result two."""
    statuses = {one.get("status") for one in record.get("stages", ())} if isinstance(record, Mapping) else set()
    return _ERROR if Status.ERROR in statuses else _FLAKY if Status.FLAKY in statuses else _FACT


def _contradiction(one: Path, other: Path, key: str, known: Any, record: Any) -> str:
    where = f"{one} and {other} contradict each other (results/{key[:2]}/{key}.json)"
    if "stages" in known and "stages" in record:
        said = [", ".join(f"{step['stage']} {step['status']}" for step in found["stages"]) for found in (known, record)]
        return f"{where}: {said[0]} in the one, {said[1]} in the other, for the same input; run one of them again with --force"
    return f"{where}: the index gave them different answers; let all shards start from the store of one `plan`"


def read(path: Path) -> Report:
    """The report in the file at `path`.

    Raises:
        ShardError: it cannot be read, or is none.
    """
    try:
        return ADAPTER.validate_json(path.read_bytes())
    except OSError as error:
        raise ShardError(f"{path} cannot be read: {error}") from None
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
