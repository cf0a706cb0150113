"""Test results as CI systems read them, valid by a published schema and read by a parser."""

from __future__ import annotations

from dataclasses import replace

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from schemas import valid_junit
from values import rendered, report, reported_cell, reported_variant

from harness.model import Cause, Certainty, Stage, Status
from harness.report.formats import format_named
from harness.report.page import Annotation, Page
from harness.verdicts.report_schema import ReportedCell

LOAD = reported_variant(
    Status.FAILS,
    Stage.LOAD,
    layout="merged",
    strategy="cached",
    attention="default",
    error="RuntimeError: too new",
    cause=Cause.FORMAT_GATE,
    certainty=Certainty.PROVEN,
    remedy="ir-version 9",
    remedies=["ir-version 9", "layout pair"],
    log="logs/x.log",
    seconds=2.5,
)


def parsed(text: str) -> JUnitXml:
    return JUnitXml.fromstring(valid_junit(text).encode())


def case(cell: ReportedCell):
    (suite,) = parsed(rendered(report(cell), "junit"))
    (found,) = suite
    return found


def test_works():
    found = case(reported_cell(reported_variant(seconds=1.25), reported_variant(seconds=1.5)))
    assert (found.name, found.classname) == ("3.11-2.1.2-4.46.3-1.16.2-1.16.3", "export-matrix")
    # Its variants share stages, so that a sum would count them twice.
    assert (found.time, found.result, found.system_out) == (1.5, [], None)


def test_works_in_part():
    found = case(reported_cell(reported_variant(), LOAD, reported_variant(Status.NOT_RUN, reason="no")))
    assert found.result == []
    assert found.system_out == (
        "torchscript-17-merged-keep-cross-numpy: fails at load: RuntimeError: too new\n"
        "  cause: format gate, proven\n  mended by ir-version 9, or by layout pair\n  log: logs/x.log"
    )


def test_fails():
    earlier = reported_variant(Status.FAILS, Stage.EXPORT, error="ValueError: no", seconds=1.0)
    found = case(reported_cell(earlier, LOAD, status=Status.FAILS))
    (result,) = found.result
    assert isinstance(result, Failure)
    # The variant that got furthest.
    assert (result.type, result.message, found.time) == ("load", "fails at load: RuntimeError: too new", 2.5)
    assert [line.partition(": ")[2] for line in result.text.splitlines() if not line.startswith(" ")] == [
        "fails at export: ValueError: no",
        "fails at load: RuntimeError: too new",
    ]


def test_a_cell_that_works_with_a_remedy_only_fails_as_it_is():
    cell = replace(reported_cell(LOAD, status=Status.WORKS_WITH_REMEDY), remedies=["ir-version 9"])
    (result,) = case(cell).result
    assert isinstance(result, Failure)
    assert result.message == "works with ir-version 9, and by itself fails at load: RuntimeError: too new"


@pytest.mark.parametrize("status", [Status.ERROR, Status.FLAKY])
def test_what_proves_nothing_is_an_error(status):
    (result,) = case(reported_cell(reported_variant(status, Stage.DECODE, error="timeout"), status=status)).result
    assert isinstance(result, Error)
    assert (result.type, result.message) == ("decode", f"{status} at decode: timeout")


def test_what_was_not_run_is_skipped():
    variant = reported_variant(Status.NOT_RUN, reason="the budget was over", seconds=0.0)
    cell = replace(reported_cell(variant, status=Status.NOT_RUN), inferred="works")
    (result,) = case(cell).result
    assert isinstance(result, Skipped)
    assert (result.type, result.message) == ("not-run", "not-run: the budget was over (inferred: works)")


def test_the_counts_are_those_of_the_cases():
    statuses = [
        Status.WORKS,
        Status.FAILS,
        Status.WORKS_WITH_REMEDY,
        Status.FLAKY,
        Status.ERROR,
        Status.NOT_RUN,
        Status.NOT_RUN,
    ]
    cells = [reported_cell(reported_variant(status), status=status, onnx=f"1.{n}") for n, status in enumerate(statuses)]
    whole = parsed(rendered(report(*cells), "junit"))
    (suite,) = whole
    assert [(one.tests, one.failures, one.errors, one.time) for one in (whole, suite)] == [(7, 2, 2, 7.0)] * 2
    assert suite.skipped == 2
    counted = {
        kind: sum(isinstance(one, kind) for found in suite for one in found.result) for kind in (Failure, Error, Skipped)
    }
    assert counted == {Failure: 2, Error: 2, Skipped: 2}


def test_a_clock_that_was_set_back_made_no_time():
    assert case(reported_cell(reported_variant(seconds=-3.0))).time == 0


def test_a_check_has_a_case_for_each_upgrade():
    def annotation(status: Status, answer: str, text: str) -> Annotation:
        level = "error" if status is Status.FAILS else "notice"
        return Annotation(level=level, title=f"check: {answer}", text=text, subject=text.splitlines()[0], status=status)

    annotations = [
        annotation(Status.FAILS, "BREAKS", "torch 1 → 2\nfails at load\nand more"),
        annotation(Status.ERROR, "UNKNOWN", "onnx 1 → 2\nnot known: no index"),
        annotation(Status.WORKS, "SAFE", "numpy 1 → 2"),
        Annotation(level="notice", title="about all", text="x"),
    ]
    page = Page(title="BREAKS", data=None, source=None, annotations=annotations)
    (suite,) = parsed(str(format_named("junit").render(page)))
    breaks, unknown, safe = suite
    assert (suite.tests, suite.failures, suite.errors) == (3, 1, 1)
    assert (breaks.name, breaks.result[0].message) == ("torch 1 → 2", "check: BREAKS: fails at load")
    assert breaks.result[0].text == "torch 1 → 2\nfails at load\nand more"
    assert (unknown.name, type(unknown.result[0])) == ("onnx 1 → 2", Error)
    assert (safe.name, safe.result) == ("numpy 1 → 2", [])


def test_a_page_without_cases_has_its_answer():
    page = Page(title="nothing to free", summary="in short", data=None, source=None)
    (suite,) = parsed(str(format_named("junit").render(page)))
    assert (suite.tests, list(suite)) == (0, [])
    assert suite._elem.find("system-out").text == "nothing to free\nin short"


def test_characters_that_xml_does_not_have_are_visible():
    error = "a\x00\x1b[31m\ufffe\ud800 <b> & ]]> \"'\n::error::x"
    found = case(reported_cell(reported_variant(Status.FAILS, Stage.LOAD, error=error), status=Status.FAILS))
    (result,) = found.result
    assert result.message.endswith("fails at load: a\\x00\\x1b[31m\\ufffe\\ud800 <b> & ]]> \"' ::error::x")
