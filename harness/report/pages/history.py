"""What a cell came to in each run, as a page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from harness.report.history import Entry, History, entries
from harness.report.page import Block, Look, Page, Span, Table, Text, code, items
from harness.report.tables import counted


def page(history: History, cell: str) -> Page[Sequence[Entry]]:
    """The page of a cell that a run of `history` has."""
    found = entries(history, cell)
    newest = found[-1]
    *later, since = takewhile(lambda entry: entry.status is newest.status, reversed(found))
    runs = f"{len(later) + 1} of {counted(len(found), 'run')}"
    rows: list[list[Text]] = [_row(entry) for entry in found]
    blocks: list[Block] = [Table(header=["time", "status", "lock", "what changed", "run"], rows=rows)]
    blocks += [items(*(Span(text, Look.QUOTED) for text in history.skipped))] if history.skipped else []
    return Page(
        title=[code(cell), ": ", Span(newest.status.value, status=newest.status), f" since {since.run.time}, in {runs}"],
        blocks=blocks,
        data={"cell": cell, "runs": list(map(_data, found)), "skipped": history.skipped},
        source=found,
    )


def _row(entry: Entry) -> list[Text]:
    return [
        entry.run.time,
        Span(entry.status.value, status=entry.status),
        code(entry.lock) if entry.lock else "",
        Span("; ".join(entry.changed), Look.QUOTED),
        code(entry.run.id),
    ]


def _data(entry: Entry) -> dict[str, Any]:
    run = entry.run
    return {
        "id": run.id,
        "time": run.time,
        "newest": run.newest,
        "status": entry.status,
        "lock": entry.lock,
        "changed": entry.changed,
        "harness": run.harness,
        "uv": run.uv,
        "platform": run.platform,
        "probe": run.probe,
        "torch": run.torch,
    }
