"""Shares of a matrix, one for each of several machines: a pure function of matrix and locks.

Cells that rest on one export stay together. So no export happens on two machines, all onnxruntimes of an export run it
where it was made, and cross-checks are the same as in one run of everything.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harness.environments.resolver import NOT_RESOLVED
from harness.errors import ShardError
from harness.execution.work import CellWork
from harness.matrix.shard import Shard
from harness.model import Status


def share(cells: Sequence[CellWork], shard: Shard) -> list[CellWork]:
    """The cells that `shard` runs, in the matrix's order; none where there are fewer exports than shards.

    Raises:
        ShardError: a cell's lock is not known.
    """
    dealt = deal(cells, shard.of)
    return dealt[shard.number - 1] if shard.number <= len(dealt) else []


def deal(cells: Sequence[CellWork], count: int) -> list[list[CellWork]]:
    """The cells of each of `count` shards, or of fewer where there are not so many exports.

    The heaviest export goes first, each to the shard with the least to do so far. What counts is the work there would
    be if nothing were known: every shard must come to the same shares, whatever its own store holds.

    Raises:
        ShardError: a cell's lock is not known.
    """
    _require_locks(cells)
    # What has no solution is no work, and goes with whoever has the least.
    groups: dict[str | None, list[int]] = {}
    for place, (_, tasks) in enumerate(cells):
        groups.setdefault(tasks.export.key if tasks else None, []).append(place)
    work = {key: _work([cells[place] for place in places]) for key, places in groups.items()}
    count = min(count, max(1, len(groups.keys() - {None})))
    loads, shares = [0] * count, [list[int]() for _ in range(count)]
    for key in sorted(groups, key=lambda key: -work[key]):
        lightest = loads.index(min(loads))
        loads[lightest] += work[key]
        shares[lightest] += groups[key]
    return [[cells[place] for place in sorted(places)] for places in shares]


def github(cells: Sequence[CellWork], count: int) -> str:
    """The job matrix of GitHub Actions for `count` shards, or for as many as have something to do: JSON, on one line.

    Raises:
        ShardError: a cell's lock is not known.
    """
    dealt = deal(cells, count)
    jobs: list[dict[str, Any]] = []
    for number, cells_of_one in enumerate(dealt, start=1):
        shard = str(Shard(number, len(dealt)))
        exports = len({tasks.export.key for _, tasks in cells_of_one if tasks})
        name = f"{shard} (exports: {exports}, cells: {len(cells_of_one)})"
        jobs.append({"shard": shard, "name": name, "cells": len(cells_of_one)})
    return json.dumps({"include": jobs}) + "\n"


def _require_locks(cells: Sequence[CellWork]) -> None:
    """Without a cell's lock this shard would deal otherwise than the others, and no shard would run some cells."""
    for resolved, _ in cells:
        result = resolved.result
        if result.status is Status.ERROR or result.problem == NOT_RESOLVED:
            raise ShardError(
                f"shards are dealt out by what every cell resolves to, and {resolved.cell.id} has no answer: {result.problem}"
            )


def _work(cells: Sequence[CellWork]) -> int:
    """Seconds, roughly, that these cells take on a machine of their own."""
    return sum(task.seconds for task in {task for _, tasks in cells if tasks for task in tasks.all})
