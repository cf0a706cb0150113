"""A report whose every text is hostile: nothing of it does anything where it is shown."""

from __future__ import annotations

import dataclasses
import io
import re

import pytest
from hostile_report import HOSTILE, hostile_report
from schemas import valid_junit, valid_sarif
from values import rendered, report, reported_cell

from harness.cli.console import console
from harness.errors import ReportError
from harness.report.formats import format_named
from harness.report.pages import matrix
from harness.verdicts.report_file import read
from harness.verdicts.report_schema import Report

NEVER = ("\x1b", "\x07", "\u202e", "<img", "![", "\n::", "##[", "s3kr3t")
MARKUP = ("<img", "![")
ON_GITHUB = ("*b*", "_c_", "@alice", "#12", "$x$", ":100:", "://")


@pytest.fixture
def hostile() -> Report:
    return hostile_report()


def test_every_kind_of_text_is_made_hostile(hostile):
    assert hostile.generated == hostile.platform == hostile.probe.model == hostile.cells[0].id == HOSTILE
    assert hostile.cells[1].variants[0].error == hostile.cells[1].variants[0].exporter == HOSTILE


def test_a_hostile_report_does_nothing_on_a_page(hostile):
    page = rendered(hostile)
    assert "2030" in page
    # Between backticks nothing is markup.
    shown = re.sub("`[^`\n]*`", "", page)
    assert [mark for mark in (*NEVER, *ON_GITHUB) if mark in shown] == []
    assert [mark for mark in NEVER if mark in page and mark not in MARKUP] == []


def test_a_hostile_report_does_nothing_on_a_terminal(hostile):
    out = console(color="never", stderr=False)
    out.file = io.StringIO()
    format_named("text").show(matrix.page(hostile), out)
    assert "2030" in out.file.getvalue()
    assert [mark for mark in NEVER if mark in out.file.getvalue() and mark not in MARKUP] == []


@pytest.mark.parametrize(("name", "harmless"), [("csv", MARKUP), ("junit", ("![",)), ("sarif", MARKUP)])
def test_a_hostile_report_does_nothing_in_other_formats(hostile, name, harmless):
    text = rendered(hostile, name)
    assert "2030" in text
    assert [mark for mark in NEVER if mark in text and mark not in harmless] == []
    if name == "junit":
        valid_junit(text)
    if name == "sarif":
        valid_sarif(text)


def test_a_hostile_report_adds_no_annotation(hostile):
    lines = rendered(hostile, "github").splitlines()
    assert len(lines) == 5  # how it came out, and a line for each other status
    assert all(re.match("::(notice|warning) title=export-matrix[^:]*::", line) for line in lines)
    assert [mark for mark in NEVER for line in lines if mark in line and mark not in MARKUP] == []


@pytest.mark.parametrize("when", ["2030\x1b]0;x", "soon", "2030-01-01\x1b00:00:00+00:00", "2030-01-01T00:00:00+00:00\n<img>"])
def test_when_a_report_was_made_is_a_time(tmp_path, when):
    (tmp_path / "matrix.json").write_text(rendered(dataclasses.replace(report(reported_cell()), generated=when), "json"))
    with pytest.raises(ReportError, match="generated: String should match pattern"):
        read(tmp_path / "matrix.json")
