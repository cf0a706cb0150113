"""Tables on a terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from values import report, reported_cell, reported_variant

from harness.model import Stage, Status
from harness.report.formats import format_named
from harness.report.pages import matrix

CELL = replace(
    reported_cell(reported_variant(), reported_variant(layout="merged"), reported_variant(exporter="dynamo", opset=18)),
    id="py311-t2150-tf5230-o1232-r1160",
)


def shown(*cells, width: int, options: str = "") -> str:
    out = Console(file=io.StringIO(), width=width)
    made = report(*cells, recommended={CELL.pins["onnxruntime"]: CELL.id})
    format_named("text").show(matrix.page(made, options), out)
    return out.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_an_id_is_whole_where_a_terminal_is_narrow(width):
    assert CELL.id in shown(CELL, width=width)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_nothing_is_cut_however_narrow_a_terminal_is(width):
    cells = [CELL, *(reported_cell(onnxruntime=f"1.{minor}.0") for minor in range(17, 27))]
    assert "…" not in shown(*cells, width=width)


def test_where_nothing_works_the_table_says_so_in_its_last_column():
    broken = reported_cell(reported_variant(Status.FAILS, Stage.LOAD), status=Status.FAILS, onnxruntime="1.9.0")
    (row,) = [line for line in shown(CELL, broken, width=200).splitlines() if "none of these cells works" in line]
    assert row.split("\u2502")[1].strip() == "1.9.0"
    assert row.split("\u2502")[-2].strip() == "none of these cells works"


def test_the_command_that_explains_means_the_same_matrix():
    broken = reported_cell(
        reported_variant(Status.FAILS, Stage.LOAD, error="no", signature="s"), status=Status.FAILS, onnxruntime="1.9.0"
    )
    text = shown(CELL, broken, width=80, options=" --config 'my matrix.toml' --store there")
    assert f"python -m harness explain {broken.id} --config 'my matrix.toml' --store there\n" in text
