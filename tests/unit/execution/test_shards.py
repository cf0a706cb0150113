"""Who does which cells: pure, and the same for every shard."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from values import PAIR, resolved, tasks_of

from harness.environments.resolver import NOT_RESOLVED
from harness.errors import ShardError
from harness.execution.shards import deal, github, share
from harness.execution.work import CellWork
from harness.matrix.shard import Shard, parse
from harness.model import Stage, StageResult, Status, Variant


def cell(*variants: Variant, **pins: str) -> CellWork:
    one = resolved(*variants, **pins)
    return one, tasks_of(one)


def without_lock(status: Status, *, python: bool = True, why: str = "because", **pins: str) -> CellWork:
    found = StageResult(stage=Stage.RESOLVE, status=status, data={"reason": why})
    one = replace(resolved(**pins), result=found, export=None, run=None)
    return (one if python else replace(one, interpreter=None)), None


def torches(shares: list[list[CellWork]]) -> list[list[str]]:
    return [[one.cell.version("torch") or "" for one, _ in share] for share in shares]


FOUR = [cell(torch=f"2.{minor}.0", onnxruntime=runtime) for minor in (1, 2, 3, 4) for runtime in ("1.16.3", "1.17.0", "1.18.0")]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_every_cell_is_in_one_shard_and_no_export_in_two(count):
    shares = [share(FOUR, Shard(number, count)) for number in range(1, count + 1)]
    assert sorted(one.cell.id for share in shares for one, _ in share) == sorted(one.cell.id for one, _ in FOUR)
    exports = [{tasks.export.key for _, tasks in share if tasks} for share in shares]
    assert sum(map(len, exports)) == len(set().union(*exports)) == 4
    assert all(share for share in shares[:4])


def test_a_share_is_in_the_order_of_the_matrix():
    order = [one.cell.id for one, _ in FOUR]
    for one_share in deal(FOUR, 2):
        ids = [one.cell.id for one, _ in one_share]
        assert ids == sorted(ids, key=order.index)


def test_shards_are_balanced_by_work_and_not_by_cells():
    many = tuple(Variant(exporter="torchscript", opset=opset, layout="pair") for opset in range(9, 19))
    cells = [cell(*many, torch="2.1.0"), *(cell(PAIR, torch=f"2.{minor}.0") for minor in (2, 3, 4))]
    assert torches(deal(cells, 2)) == [["2.1.0"], ["2.2.0", "2.3.0", "2.4.0"]]


def test_what_has_no_solution_goes_with_who_has_the_least():
    cells = [without_lock(Status.FAILS, torch="1.0"), *FOUR[:6], without_lock(Status.NOT_RUN, python=False, torch="1.1")]
    assert torches(deal(cells, 2)) == [["1.0", *["2.1.0"] * 3, "1.1"], ["2.2.0"] * 3]
    assert torches(deal(cells[:1], 3)) == [["1.0"]]


@pytest.mark.parametrize(("status", "why"), [(Status.ERROR, "because"), (Status.NOT_RUN, NOT_RESOLVED)])
def test_nothing_is_dealt_out_before_every_lock_is_known(status, why):
    with pytest.raises(ShardError, match=rf"2\.9\.0.* has no answer: {why}"):
        deal([*FOUR, without_lock(status, why=why, torch="2.9.0")], 2)


def test_what_is_known_to_have_no_lock_is_dealt_out():
    """It would have to be built, or a version is not published."""
    assert torches(deal([without_lock(Status.NOT_RUN, torch="2.9.0")], 2)) == [["2.9.0"]]


def test_a_job_matrix_has_a_job_for_every_shard_that_has_something_to_do():
    assert json.loads(github(FOUR, 256))["include"] == [
        {"shard": f"{number}/4", "name": f"{number}/4 (exports: 1, cells: 3)", "cells": 3} for number in (1, 2, 3, 4)
    ]
    assert [job["cells"] for job in json.loads(github(FOUR, 3))["include"]] == [6, 3, 3]


def test_a_shard_is_written_as_it_is_read():
    assert str(parse("2/3")) == "2/3"
    assert parse("02/3") == Shard(2, 3)


@pytest.mark.parametrize("text", ["", "x", "1", "/", "1/", "/3", "0/3", "4/3", "0/0", "1/3 ", "1.0/3", "²/3", "1/9999999"])
def test_what_is_no_shard(text):
    with pytest.raises(ShardError, match="expected the number of a shard"):
        parse(text)
