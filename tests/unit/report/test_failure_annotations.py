"""What a report says beside the lines of matrix.toml."""

from __future__ import annotations

from pathlib import Path

import pytest
from values import report, reported_cell, reported_variant

from harness.model import Cause, Certainty, Stage, Status
from harness.report.page import Annotation
from harness.report.pages import matrix
from harness.source_lines import Places
from harness.verdicts.report_schema import ReportedCell

MATRIX = """\
[axes]
torch = ["2.1.2"]
onnx = ["1.15.0", ">=1.16; latest"]
onnxruntime = [
  "1.16.3",
  "1.17.0",
  "1.18.0",
]
"""


@pytest.fixture
def places(tmp_path, monkeypatch) -> Places:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "matrix.toml").write_text(MATRIX)
    return Places([Path("matrix.toml")])


def failing(runtime: str, status: Status = Status.FAILS, *, works: bool = False, **pins: str) -> ReportedCell:
    """A cell with a variant that fails to load, and, if it works, another one."""
    variant = reported_variant(
        status, Stage.LOAD, error="too new", signature=f"s{status}", cause=Cause.RUNTIME, certainty=Certainty.LIKELY
    )
    others = [reported_variant(layout="merged")] if works else []
    return reported_cell(variant, *others, status=Status.WORKS if works else status, onnxruntime=runtime, **pins)


def works(runtime: str, **pins: str) -> ReportedCell:
    return reported_cell(onnxruntime=runtime, **pins)


def annotations(places: Places, *cells: ReportedCell) -> list[Annotation]:
    return list(matrix.page(report(*cells), places=places).annotations)


def test_the_first_says_how_the_whole_came_out(places):
    (summary,) = annotations(places, works("1.16.3"), works("1.17.0"))
    assert summary == Annotation(level="notice", title="export-matrix", text="2 cells: 2 works", file="matrix.toml", line=None)


def test_a_failure_stands_at_the_version_that_all_share(places):
    _, failure = annotations(places, failing("1.16.3"), works("1.17.0"))
    assert (failure.level, failure.title, failure.file, failure.line) == (
        "warning", "export-matrix: fails at load", "matrix.toml", 5
    )  # fmt: skip
    assert failure.text.splitlines()[:3] == [
        "onnxruntime 1.16.3 (1 cell, 1 variant)",
        "too new",
        "cause: runtime, likely",
    ]
    assert (failure.status, failure.rule, failure.subject) == (Status.FAILS, "load", "fails at load: onnxruntime 1.16.3")


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        # Several versions of an axis: the line of the axis.
        ((failing("1.16.3"), failing("1.17.0"), works("1.18.0")), 4),
        # A version that a selector stands for: the line of the axis.
        ((failing("1.16.3", onnx="1.16.2"), works("1.16.3", onnx="1.15.0")), 3),
        # Of two axes the one with fewer versions that fail.
        ((failing("1.16.3", onnx="1.15.0"), failing("1.17.0", onnx="1.15.0"), works("1.18.0", onnx="1.16.2")), 3),
        # Everything fails: the file alone.
        ((failing("1.16.3"), failing("1.17.0")), None),
    ],
)
def test_where_a_failure_stands(places, cells, line):
    _, failure = annotations(places, *cells)
    assert (failure.file, failure.line) == ("matrix.toml", line)


def test_what_a_cell_does_not_stop_at_is_a_notice_and_comes_last(places):
    found = annotations(places, failing("1.16.3", Status.FLAKY, works=True), failing("1.17.0"), works("1.18.0"))
    assert [(one.level, one.title) for one in found[1:]] == [
        ("warning", "export-matrix: fails at load"),
        ("notice", "export-matrix: flaky at load"),
    ]
    assert "cause" not in found[2].text


def test_a_failure_keeps_its_fingerprint_while_its_versions_change(places):
    prints = {annotations(places, failing(runtime), works("1.18.0"))[1].fingerprint for runtime in ("1.16.3", "1.17.0")}
    other = annotations(places, failing("1.16.3", Status.ERROR), works("1.18.0"))[1].fingerprint
    assert len(prints) == 1
    assert other not in prints
