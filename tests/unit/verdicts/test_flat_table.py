"""A report as rows: flat, with equal keys, of values that any table takes."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

from values import report, reported_cell, reported_variant

from harness.model import Cause, Certainty, Stage, Status
from harness.verdicts import report_file
from harness.verdicts.flat_table import columns, rows

ROOT = Path(__file__).parents[3]


def test_a_row_for_each_variant():
    failing = reported_variant(
        Status.FAILS, Stage.LOAD, cause=Cause.RUNTIME, certainty=Certainty.PROVEN, error="no", layout="merged", ir=9
    )
    made = report(reported_cell(reported_variant(), failing))
    made = replace(made, cells=[*made.cells, reported_cell(status=Status.FLAKY, onnx=None)])
    first, second, third = rows(made)
    assert list(first) == list(second) == list(third) == list(columns(made.cells))
    assert (first["cell"], first["cell_status"], first["setup"], first["onnx"]) == (
        made.cells[0].id,
        "works",
        "together",
        "1.16.2",
    )
    assert [second[name] for name in ("layout", "status", "stage", "cause", "certainty", "error", "ir")] == [
        "merged",
        "fails",
        "load",
        "runtime",
        "proven",
        "no",
        9,
    ]
    assert (third["onnx"], third["cell_status"]) == ("absent", "flaky")


def test_values_are_texts_numbers_and_none():
    found = rows(report_file.read(ROOT / "reports" / "matrix.json"))
    assert {type(value) for row in found for value in row.values()} == {str, int, float, type(None)}


def test_a_table_takes_them():
    made = report_file.read(ROOT / "reports" / "matrix.json")
    file = io.StringIO()
    writer = csv.DictWriter(file, list(columns(made.cells)))
    writer.writeheader()
    writer.writerows(rows(made))
    file.seek(0)
    read = list(csv.DictReader(file))
    assert len(read) == sum(len(cell.variants) for cell in made.cells)
    assert read[0]["torch"] == made.cells[0].pins["torch"]
