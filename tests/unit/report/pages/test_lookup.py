"""The page of a message that was looked up, and that of all messages."""

from __future__ import annotations

from pathlib import Path

import pytest
from values import report, reported_cell, reported_variant

from harness import invocation
from harness.decide.known_messages import explained_in, known_messages
from harness.decide.lookup import nearest, recognised
from harness.model import Cause, Certainty, Stage, Status
from harness.published import Published
from harness.report.formats import FORMATS, format_named
from harness.report.page import Page
from harness.report.pages import lookup
from harness.verdicts.report_schema import ReportedVariant

MESSAGE = "Node (a|b) is <b>not</b> what version 3 of it expects"


def failing(cause: Cause | None, stage: Stage = Stage.LOAD, error: str = MESSAGE, **given: object) -> ReportedVariant:
    certainty = Certainty.PROVEN if cause else Certainty.OPEN
    evidence = ["it fails", "another one works"]
    return reported_variant(Status.FAILS, stage, error=error, cause=cause, certainty=certainty, evidence=evidence, **given)


def published(*variants: ReportedVariant, name: str = "matrix") -> Published:
    works = reported_cell(reported_variant(), onnxruntime="1.20.1")
    return Published(name=name, path=Path("matrix.json"), report=report(reported_cell(*variants), works))


def lines(page: Page[object], format_name: str = "text") -> list[str]:
    text = format_named(format_name).render(page)
    assert isinstance(text, str)
    return [line.strip() for line in text.splitlines()]


def answer(text: str, *reports: Published) -> Page[object]:
    known, first = known_messages(reports), explained_in(reports)
    found = recognised(text, known)
    return lookup.recognised(found, first) if found else lookup.unknown(nearest(text, known))


def test_all_causes_are_named_the_best_supported_first():
    reports = [published(failing(Cause.EXPORTER)), published(failing(Cause.RUNTIME), failing(Cause.RUNTIME), name="variants")]
    shown = lines(answer(MESSAGE, *reports))
    assert shown[0] == "recognised: fails at load; cause: runtime, proven or exporter, proven"
    assert [line for line in shown if line.startswith("cause: ")] == ["cause: runtime, proven", "cause: exporter, proven"]
    assert [line for line in shown if " of 1 cell" in line] == ["2 variants of 1 cell", "1 variant of 1 cell"]
    assert shown.count("no remedy was found") == 2
    assert shown.count("another one works") == 2


def test_the_command_for_more_is_one_that_shows_this_report():
    reports = [published(failing(Cause.EXPORTER)), published(failing(Cause.RUNTIME), name="variants")]
    cell = reports[0].report.cells[0].id
    commands = [line for line in lines(answer(MESSAGE, *reports)) if line.startswith("in full: ")]
    assert commands == [
        f"in full: {invocation.command('explain', cell)}",
        f"in full: {invocation.command('show', 'variants')}",
    ]


def test_an_open_cause_is_named_as_such():
    assert lines(answer(MESSAGE, published(failing(None))))[0] == "recognised: fails at load; cause: open"


def test_remedies_are_counted_and_the_rest_is_a_number():
    remedies = [f"numpy<{number}" for number in range(2, 10)]
    shown = lines(
        answer(MESSAGE, published(failing(Cause.RUNTIME, remedies=remedies), failing(Cause.RUNTIME, remedies=["opset 14"])))
    )
    (remedy,) = [line for line in shown if line.startswith("works with: ")]
    assert remedy.startswith("works with: numpy<2 (1 variant); opset 14 (1 variant); numpy<3 (1 variant); ")
    assert remedy.endswith(", and 3 more")


@pytest.mark.parametrize("stage", [Stage.EAGER, Stage.DECODE, Stage.PARITY])
def test_a_message_of_a_running_graph_does_not_show_its_cause(stage):
    shown = lines(answer(MESSAGE, published(failing(Cause.EXPORTER, stage))))
    assert shown[0] == f"recognised: fails at {stage}; cause, where it was measured: exporter, proven"
    assert any(line.startswith(f"At {stage} a message says what did not fit, and not why.") for line in shown)


def test_what_is_near_has_neither_cause_nor_remedy():
    near = MESSAGE.replace("what version", "the one that release")
    shown = lines(answer(near, published(failing(Cause.RUNTIME, remedies=["opset 14"]))))
    assert shown[0] == "unknown: no published report has this message"
    assert any(" alike; at load, in " in line for line in shown)
    assert not any("runtime, proven" in line or "opset 14" in line for line in shown)
    assert invocation.command("check", "--from requirements.txt") in shown[-1]


def test_without_anything_near_only_the_command_is_shown():
    shown = lines(answer("something else entirely", published(failing(Cause.RUNTIME))))
    assert len([line for line in shown if line]) == 3


def test_the_page_of_all_messages_has_a_heading_for_each_and_is_the_same_however_the_program_was_started(monkeypatch):
    reports = [published(failing(Cause.RUNTIME), failing(Cause.EXPORTER, error="another message of the exporter, with 7"))]
    page = lookup.all_known(known_messages(reports), explained_in(reports))
    shown = lines(page, "markdown")
    assert [line for line in shown if line.startswith("## ")] == [
        "## Node (a\\|b) is &lt;b>not&lt;/b> what version … of it expects",
        "## another message of the exporter, with …",
    ]
    assert "Fails at load. Measured with 7." in shown
    monkeypatch.setenv(invocation.STARTED_BY, "nox")
    assert lines(lookup.all_known(known_messages(reports), explained_in(reports)), "markdown") == shown


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_the_answer(name):
    pages = [answer(MESSAGE, published(failing(Cause.RUNTIME))), answer("else", published(failing(Cause.RUNTIME)))]
    recognised_text, unknown_text = (str(format_named(name).render(page)) for page in pages)
    assert "runtime" in recognised_text
    assert "unknown" in unknown_text or '"recognised": false' in unknown_text
