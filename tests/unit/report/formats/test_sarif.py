"""Problems beside the lines of a change, valid by the schema of the standard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from schemas import valid_sarif

from harness.model import Stage, Status
from harness.report.formats import format_named
from harness.report.formats.sarif import _RULES
from harness.report.page import UNKNOWN, Annotation, Page

BREAKS = Annotation(
    level="error",
    title="check: BREAKS",
    text="torch 1 → 2\nfails at load",
    file="sub dir/requirements.txt",
    line=3,
    subject="torch 1 → 2",
    status=Status.FAILS,
    rule="load",
    fingerprint="f" * 32,
)


def run_of(*annotations: Annotation, **given: Any) -> Any:
    page = Page(**{"title": "The answer", "data": None, "source": None, "annotations": annotations, **given})
    (run,) = valid_sarif(str(format_named("sarif").render(page)))["runs"]
    return run


def test_a_problem_is_a_result_at_its_line():
    run = run_of(BREAKS)
    assert run["results"] == [
        {
            "ruleId": "load",
            "ruleIndex": 0,
            "level": "error",
            "message": {"text": "torch 1 → 2\nfails at load"},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": "sub%20dir/requirements.txt"}, "region": {"startLine": 3}}}
            ],
            "partialFingerprints": {"exportMatrix/v1": "f" * 32},
        }
    ]
    (rule,) = run["tool"]["driver"]["rules"]
    assert (rule["id"], rule["shortDescription"]["text"]) == ("load", "The runtime does not load the exported graphs.")


def test_a_file_without_a_line_and_no_file():
    file, none = run_of(replace(BREAKS, line=None), replace(BREAKS, file=None, line=None))["results"]
    assert file["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "sub%20dir/requirements.txt"}}}]
    assert none["locations"] == []


@pytest.mark.parametrize(
    ("level", "status", "found"),
    [
        ("error", Status.FAILS, "error"),
        ("warning", Status.FAILS, "warning"),
        ("notice", Status.FAILS, "note"),
        ("warning", Status.ERROR, "note"),
        ("warning", Status.FLAKY, "note"),
    ],
)
def test_what_proves_nothing_is_a_note(level, status, found):
    (result,) = run_of(replace(BREAKS, level=level, status=status))["results"]
    assert result["level"] == found


def test_rules_are_those_of_the_results_once_each():
    annotations = [replace(BREAKS, rule=rule) for rule in ("parity", "load", "parity", UNKNOWN)]
    run = run_of(*annotations)
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["parity", "load", "unknown"]
    assert [result["ruleIndex"] for result in run["results"]] == [0, 1, 0, 2]
    assert set(_RULES) == {*Stage, UNKNOWN}


def test_what_is_no_problem_is_no_result():
    safe = replace(BREAKS, level="notice", status=Status.WORKS, rule="")
    run = run_of(safe, summary="in short")
    assert run["results"] == run["tool"]["driver"]["rules"] == []
    (invocation,) = run["invocations"]
    assert [note["message"]["text"] for note in invocation["toolExecutionNotifications"]] == ["The answer\nin short"]


def test_foreign_text_is_no_placeholder_and_no_link():
    (result,) = run_of(replace(BREAKS, text="reshape {0,4} [x](http://h) \x1b[0m ##[error]"))["results"]
    assert result["message"]["text"] == "reshape {{0,4}} [x] (http://h) \\x1b[0m #\\x23[error]"
