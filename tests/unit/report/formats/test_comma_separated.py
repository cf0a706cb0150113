"""Rows for a spreadsheet or a data frame."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from values import rendered, report, reported_cell, reported_variant

from harness.model import Cause, Certainty, Stage, Status
from harness.report.formats import format_named
from harness.report.page import Annotation, Page, Paragraph, Section, Table, code, items

EMPTY = Page(title="The answer", data=None, source=None)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_row_for_each_variant_with_all_that_is_known():
    works = reported_variant(ir=8, max_abs_diff=2.1457672119140625e-06, seconds=9.546, peak_memory=586244096)
    fails = reported_variant(
        Status.FAILS,
        Stage.LOAD,
        opset=18,
        ir_version=9,
        cause=Cause.FORMAT_GATE,
        certainty=Certainty.PROVEN,
        remedy="layout pair",
        error='two\nlines, "quoted"',
        error_type="RuntimeError",
        signature="abc",
        log="logs/x.log",
    )
    cells = [reported_cell(works, fails, torch="2.10.0"), reported_cell(optimum="1.20")]
    text = rendered(report(*cells), "csv")
    first, second, third = rows(text)
    assert first == {
        "cell": cells[0].id, "cell_status": "works", "setup": "together", "lock": "", "python": "3.11", "torch": "2.10.0",
        "transformers": "4.46.3", "onnx": "1.16.2", "onnxruntime": "1.16.3", "optimum": "absent",
        "exporter": "torchscript", "opset": "17", "layout": "pair", "feedback": "keep-cross", "binding": "numpy",
        "strategy": "", "attention": "", "ir_version": "", "optimization": "default", "memory_pattern": "default",
        "status": "works", "stage": "", "cause": "", "certainty": "", "remedy": "", "error_type": "", "error": "",
        "reason": "", "signature": "", "ir": "8", "max_abs_diff": "2.1457672119140625e-06", "seconds": "9.546",
        "peak_memory": "586244096", "log": "",
    }  # fmt: skip
    told = ("status", "stage", "cause", "certainty", "remedy", "error_type", "error", "signature", "ir_version", "log")
    assert [second[name] for name in told] == [
        "fails", "load", "format gate", "proven", "layout pair", "RuntimeError", 'two lines, "quoted"', "abc", "9", "logs/x.log"
    ]  # fmt: skip
    assert third["optimum"] == "1.20"
    # Texts are in quotes, so that a reader may keep 2.10 a text, and numbers are not.
    assert ',"2.10.0",' in text
    assert ',17,"pair",' in text


def test_an_axis_with_the_name_of_another_column_has_a_column_of_its_own():
    cell = reported_cell()
    (row,) = rows(rendered(report(replace(cell, pins={**cell.pins, "error": "1.0"})), "csv"))
    assert (row["axis error"], row["error"]) == ("1.0", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " =", "\uff1d", "\n@"])
def test_a_text_that_a_spreadsheet_would_compute_is_a_text(start):
    error = f"{start}HYPERLINK(x)"
    (row,) = rows(rendered(report(reported_cell(reported_variant(Status.FAILS, Stage.LOAD, error=error))), "csv"))
    assert row["error"] == f"'{error.strip()}"


def test_a_check_has_a_row_for_each_answer():
    annotation = Annotation(
        level="error",
        title="t",
        text="one\n  two",
        file="requirements.txt",
        line=3,
        subject="torch 1 → 2",
        status=Status.FAILS,
        rule="load",
        fingerprint="f",
    )
    (row,) = rows(str(format_named("csv").render(replace(EMPTY, annotations=[annotation]))))
    assert row == {
        "status": "fails", "level": "error", "subject": "torch 1 → 2", "rule": "load", "text": "one two",
        "file": "requirements.txt", "line": "3", "fingerprint": "f",
    }  # fmt: skip


def test_other_pages_give_their_first_table_or_their_answer():
    table = Table(header=["name", "of\nit"], rows=[["a", code("b")], ["about the row"]])
    inside = replace(EMPTY, blocks=[items("x"), Section(title="s", blocks=[Paragraph(text="p"), table])])
    assert format_named("csv").render(inside) == '"name","of it"\n"a","b"\n"about the row",""\n'
    assert format_named("csv").render(EMPTY) == '"answer"\n"The answer"\n'
