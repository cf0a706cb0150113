"""history.jsonl in the reports folder: a line for each run, with what each cell came to and a digest of its lock.

Lines are independent of each other and only ever added, so git merges two histories by keeping the lines of both
(`merge=union` in .gitattributes). A reader sorts them by time, takes a line that is there twice once, and names what is no
line of a history.

    {"schema": 1, "id": …, "time": …, "newest": …, "harness": …, "uv": …, "platform": …, "probe": …,
     "torch": …, "cells": {"works": {"py311-t2150-…": "1a2b3c4d", …}, "fails": {…}},
     "versions": {"py311-t2150-…": "5e6f7a8b", …}}
"""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

import harness
from harness import regular_files, report_locations
from harness.errors import ReportError
from harness.foreign_text import escaped_json
from harness.hashing import digest
from harness.model import Status
from harness.report.page import RunCount
from harness.verdicts.report_schema import FILE_LIMIT, OBSERVED, UTC, Report, versions_of

LINE_LIMIT = 8 * 2**20
"""Bytes of the longest line that is read. One with 10,000 cells has a megabyte."""
TREND = 60
"""Runs in a picture, at most."""
_DIGEST = 8
"""Characters of a digest: enough to see that the lock of one cell moved, and to tell the cells of a matrix apart."""
_SHOWN = 100
"""Characters of a place in a line that are shown."""
_CONFLICT = (b"<<<<<<<", b"|||||||", b"=======", b">>>>>>>")
"""What git writes into a file that it cannot merge."""


@dataclass(frozen=True, kw_only=True)
class PastRun:
    """What a run came to: a line of the file."""

    schema: Literal[1]
    id: Annotated[str, Field(max_length=64)]
    """Random: no other run has it."""
    time: Annotated[str, Field(pattern=UTC)]
    """When the run ended."""
    newest: Annotated[str, Field(pattern=UTC)] | None
    """When the newest of its results was made, as `generated` of matrix.json; others may be of earlier runs."""
    harness: str
    """Its version."""
    uv: str
    """Its version."""
    platform: str
    probe: str
    """Digest of the probe's source."""
    torch: str
    """The source of torch."""
    cells: dict[Status, dict[str, Annotated[str, Field(max_length=_DIGEST)] | None]]
    """Status → id of a cell → the start of the digest of its lock; null if it had none."""
    versions: dict[str, Annotated[str, Field(max_length=_DIGEST)]] = field(default_factory=dict)
    """Id → the start of a digest of what distinguishes the cell; its id has versions as they are spelled. Old lines lack it."""

    def status(self, cell: str) -> Status | None:
        """What a cell came to; None if the run did not have it."""
        return next((status for status, cells in self.cells.items() if cell in cells), None)

    def id_of(self, cell: str, versions: str | None) -> str | None:
        """The id in this run of the cell that another run calls `cell`, with these `versions`; None if it is not there."""
        if versions is None or not self.versions or self.versions.get(cell) == versions:
            return cell
        return next((name for name, found in self.versions.items() if found == versions), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What a file tells."""

    runs: tuple[PastRun, ...]
    """The oldest first."""
    skipped: tuple[str, ...]
    """A sentence about each line that is none of a history."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A cell in a run."""

    run: PastRun
    status: Status
    lock: str | None
    changed: tuple[str, ...]
    """What differs from the run before it that had this cell: `status works → fails`, `uv 0.9.1 → 0.9.2`."""


def append(report: Report, folder: Path) -> Path | None:
    """Add a line about a run that has just ended to the history in `folder`.

    Returns:
        The file; None if nothing was added: the run observed nothing, or the newest line says the same of the same results.

    Raises:
        ReportError: the file cannot be read or written, or is no regular file.
    """
    if not any(variant.status in OBSERVED for cell in report.cells for variant in cell.variants):
        return None
    path = folder / report_locations.HISTORY
    content = escaped_json(json.dumps(_line(report), separators=(",", ":"))).encode()
    if runs := read(folder).runs:
        made = _RUN.validate_json(content)
        if replace(made, id=runs[-1].id, time=runs[-1].time) == runs[-1]:
            return None
    try:
        _append(path, content + b"\n")
    except OSError as error:
        raise ReportError(f"the run cannot be added to {path}: {error}; its report is written") from None
    return path


def _line(report: Report) -> dict[str, Any]:
    cells: dict[str, dict[str, str | None]] = {}
    for cell in report.cells:
        cells.setdefault(cell.status.value, {})[cell.id] = cell.lock and cell.lock[:_DIGEST]
    return {
        "schema": 1,
        "id": secrets.token_hex(6),
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "newest": report.generated,
        "harness": harness.__version__,
        "uv": metadata.version("uv"),
        "platform": report.platform,
        "probe": report.probe.id,
        "torch": report.torch,
        "cells": cells,
        "versions": {cell.id: digest(versions_of(cell))[:_DIGEST] for cell in report.cells},
    }


def _append(path: Path, line: bytes) -> None:
    """Add `line` in one call, so that runs that end at once keep each other's."""
    # A link leads out of the folder of reports, and a FIFO would wait for a reader.
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    handle = os.open(path, flags, 0o644)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a regular file")
        cut = status.st_size and os.pread(handle, 1, status.st_size - 1) != b"\n"
        os.write(handle, b"\n" * bool(cut) + line)
    finally:
        os.close(handle)


def read(folder: Path) -> History:
    """The history in a folder of reports; empty where there is none.

    Raises:
        ReportError: the file cannot be read.
    """
    path = folder / report_locations.HISTORY
    runs: dict[str, PastRun] = {}
    skipped: list[str] = []
    try:
        with regular_files.opened_named(path, limit=FILE_LIMIT) as (handle, _), os.fdopen(os.dup(handle), "rb") as file:
            for number, line in enumerate(_lines(file), 1):
                found = _parsed(line)
                if isinstance(found, str):
                    skipped.append(f"line {number} of {path} is skipped: {found}")
                elif found and runs.setdefault(found.id, found) != found:
                    skipped.append(f"line {number} of {path} is skipped: an earlier line has its id, and says something else")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error}") from None
    except regular_files.RefusedFileError as problem:
        raise ReportError(f"{path} {problem}") from None
    return History(runs=tuple(sorted(runs.values(), key=lambda run: run.time.replace("Z", "+00:00"))), skipped=tuple(skipped))


def _lines(file: io.BufferedReader) -> Iterator[bytes | None]:
    """The lines; None for one that is too long."""
    while line := file.readline(LINE_LIMIT):
        too_long = False
        while not line.endswith(b"\n") and len(line) == LINE_LIMIT:
            too_long, line = True, file.readline(LINE_LIMIT)
        yield None if too_long else line


def _parsed(line: bytes | None) -> PastRun | str | None:
    """The run of a line, or why it is none; None for an empty line."""
    if line is None:
        return f"it has more than {LINE_LIMIT:,} bytes"
    if not line.strip():
        return None
    if line.startswith(_CONFLICT):
        return "it is a mark of a merge conflict"
    try:
        run = _RUN.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:_SHOWN]
        return f"{f'{place}: ' if place else ''}{first['msg']}"
    names = [name for cells in run.cells.values() for name in cells]
    return run if len(set(names)) == len(names) else "a cell has two statuses"


_RUN = TypeAdapter(PastRun)


def statuses(history: History, cell: str) -> list[Status]:
    """What a cell came to in each run that had it, the oldest first."""
    return [entry.status for entry in entries(history, cell)]


def entries(history: History, cell: str) -> list[Entry]:
    """The runs that had a cell, the oldest first, each with what changed; `cell` is its id in the newest run with that id."""
    versions = next((run.versions.get(cell) for run in reversed(history.runs) if run.status(cell)), None)
    found: list[Entry] = []
    for run in history.runs:
        name = run.id_of(cell, versions)
        if name and (status := run.status(name)):
            entry = Entry(run=run, status=status, lock=run.cells[status][name], changed=())
            changed = tuple(_changed(found[-1], entry)) if found else ()
            found.append(Entry(run=run, status=status, lock=entry.lock, changed=changed))
    return found


def trend(folder: Path, report: Report) -> list[RunCount]:
    """The runs in a folder of reports, and `report` unless it is of the newest of them; the oldest first, the last `TREND`.

    Empty if that is one run; or if the file cannot be read: `append` says so.
    """
    try:
        runs = read(folder).runs
    except ReportError:
        return []
    found = [
        RunCount(time=run.time, works=len(run.cells.get(Status.WORKS, ())), cells=sum(map(len, run.cells.values())))
        for run in runs
    ]
    if report.generated:
        now = RunCount(time=report.generated, works=report.count(Status.WORKS), cells=len(report.cells))
        if not runs or runs[-1].newest != now.time or replace(found[-1], time=now.time) != now:
            found.append(now)
    return found[-TREND:] if len(found) > 1 else []


def _changed(before: Entry, now: Entry) -> Iterator[str]:
    old, new = before.run, now.run
    for name, earlier, later in (
        ("status", before.status.value, now.status.value),
        ("lock", before.lock, now.lock),
        ("probe", old.probe, new.probe),
        ("platform", old.platform, new.platform),
        ("torch from", old.torch, new.torch),
        ("uv", old.uv, new.uv),
        ("harness", old.harness, new.harness),
    ):
        if earlier != later:
            yield f"{name} {earlier or 'none'} → {later or 'none'}"
