"""The page of a message that was looked up, and that of all messages."""

from __future__ import annotations

from pathlib import Path

import pytest
from values import report, reported_cell, reported_variant

from harness import invocation
from harness.decide.known_messages import explained_in, known_messages
from harness.decide.lookup import recognised
from harness.decide.nearest import nearest
from harness.decide.next_steps import FindOut
from harness.model import Cause, Certainty, Stage, Status
from harness.published_reports import Published
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
    return lookup.recognised(found, first) if found else lookup.unknown(nearest(text, known), FindOut.VERSIONS)


def test_all_causes_are_named_the_best_supported_first():
    reports = [published(failing(Cause.EXPORTER)), published(failing(Cause.RUNTIME), failing(Cause.RUNTIME), name="variants")]
    shown = lines(answer(MESSAGE, *reports))
    assert shown[0] == "recognised: fails at load; cause: runtime, proven or exporter, proven"
    assert [line for line in shown if line.startswith("cause: ")] == ["cause: runtime, proven", "cause: exporter, proven"]
    assert [line for line in shown if " of 1 cell" in line] == ["2 variants of 1 cell", "1 variant of 1 cell"]
    assert shown.count("no remedy was looked for") == 2
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
        answer(
            MESSAGE,
            published(
                failing(Cause.RUNTIME, Stage.EXPORT, remedies=remedies),
                failing(Cause.RUNTIME, Stage.EXPORT, remedies=["opset 14"]),
            ),
        )
    )
    (remedy,) = [line for line in shown if line.startswith("works with: ")]
    assert remedy.startswith("works with: numpy<2 (1 variant); opset 14 in place of 17 (1 variant); numpy<3 (1 variant); ")
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


def test_what_is_near_differs_in_a_part_that_is_shown():
    shown = lines(answer(MESSAGE.replace("expects", "accepts"), published(failing(Cause.RUNTIME))))
    assert "differs in: expects (measured), accepts (the text)" in shown


def test_a_long_difference_is_cut_and_a_missing_one_is_called_nothing():
    error = f"{'one two ' * 40}{'it is so ' * 16}and here is the end"
    shown = lines(answer(error.replace("it is so " * 16, "nobody knows "), published(failing(Cause.RUNTIME, error=error))))
    (line,) = [line for line in shown if line.startswith("differs in: ")]
    assert line.startswith("differs in: it is so it is so ")
    assert line.endswith(" it … (measured), nobody knows (the text)")
    shown = lines(answer(MESSAGE.rpartition(" ")[0], published(failing(Cause.RUNTIME))))
    assert "differs in: expects (measured), nothing (the text)" in shown


@pytest.mark.parametrize(
    ("way", "words", "following"),
    [
        (FindOut.VERSIONS, "check --from requirements.txt", True),
        (FindOut.MODEL, "docs/probe.md", False),
        (FindOut.NOTHING, "not measured at all", False),
    ],
)
def test_how_to_find_out_is_said_as_far_as_the_project_measures_it(way, words, following):
    page = lookup.unknown([], way)
    assert words in lines(page)[-1]
    assert bool(page.data["next"]) is following
    assert page.data["find_out"] == way


def test_an_import_that_the_text_does_not_show_is_said_and_blamed_for_nothing():
    error = "import onnx: module 'ml_dtypes' has no attribute 'float4'"
    made = published(failing(Cause.VERSION_CONFLICT, Stage.IMPORT, error, remedies=["onnx 1.18.0", "ml-dtypes 0.5.3"]))
    shown = lines(answer("module 'ml_dtypes' has no attribute 'float4'", made))
    assert shown[0] == "recognised: fails at import; cause, where it was measured: version conflict, proven"
    assert any(line.startswith("Measured at the import of onnx. The text does not show") for line in shown)
    assert "works with: ml-dtypes 0.5.3 (1 variant)" in shown
    assert "another one works" not in shown
    with_traceback = "File /a/site-packages/onnx/helper.py:3\nmodule 'ml_dtypes' has no attribute 'float4'"
    shown = lines(answer(with_traceback, made))
    assert shown[0] == "recognised: fails at import; cause: version conflict, proven"
    assert "works with: onnx 1.18.0 (1 variant); ml-dtypes 0.5.3 (1 variant)" in shown
    assert "another one works" in shown


def test_a_missing_import_of_an_export_names_what_is_left_out():
    missing = {"error_type": "ModuleNotFoundError", "remedies": ["onnxscript", "torch 2.6.0"]}
    shown = lines(
        answer(
            "No module named 'onnxscript'",
            published(failing(Cause.VERSION_CONFLICT, Stage.EXPORT, "No module named 'onnxscript'", **missing)),
        )
    )
    assert any("does not speak of torch: changes of torch are left out" in line for line in shown)
    assert "works with: onnxscript (1 variant)" in shown


def test_a_remedy_that_the_numbers_rule_out_is_named_with_its_limit():
    error = "Opset 20 is under development, and the support is till opset 19"
    made = published(failing(Cause.FORMAT_GATE, error=error, remedies=["opset 18", "onnxruntime 1.20.1"]))
    page = answer(error.replace("20", "16").replace("19", "15"), made)
    shown = lines(page)
    assert "Left out: opset 18, which was for other numbers. With those of the text, opset must be at most 15." in shown
    assert "works with: onnxruntime 1.20.1 (1 variant)" in shown
    assert page.data["messages"][0]["ruled_out"] == {"opset 18": "at most 15"}


def test_without_anything_near_only_the_command_is_shown():
    shown = lines(answer("something else entirely", published(failing(Cause.RUNTIME))))
    assert len([line for line in shown if line]) == 3


def test_the_page_of_all_messages_has_a_heading_for_each_and_is_the_same_however_the_program_was_started(monkeypatch):
    reports = [published(failing(Cause.RUNTIME), failing(Cause.EXPORTER, error="another message of the exporter, with 7"))]
    page = lookup.all_known(known_messages(reports), explained_in(reports))
    shown = lines(page, "markdown")
    assert [line for line in shown if line.startswith("## ")] == [
        "## Node (a|b) is &lt;b>not&lt;/b> what version … of it expects",
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
