"""The difference of two reports as a page: the same answer in every format, and nothing foreign acts."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from schemas import valid_junit, valid_sarif
from values import report, reported_cell, reported_variant

from harness.model import Cause, Stage, Status
from harness.published_reports import Published
from harness.report.formats import format_named
from harness.report.pages import difference
from harness.source_lines import Places
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant

HOSTILE = "\x1b]0;x\x07<img src=x> ![x](http://h/x.png)\n::error::x https://u:s3kr3t@h `"
NEVER = {
    "text": ("\x1b", "\n::", "s3kr3t"),
    "markdown": ("\x1b", "<img", "![", "\n::", "s3kr3t"),
    "github": ("\x1b", "\n::error::", "s3kr3t"),
}


def failing(message: str = "RuntimeError: no", **pins: str) -> ReportedCell:
    failed = variant(Status.FAILS, Stage.LOAD, cause=Cause.RUNTIME, error=message, signature="a" * 12, log="logs/x.log")
    return replace(reported_cell(failed, status=Status.FAILS, **pins), lock="b", resolved={"numpy": "2.1.0"})


def working(**pins: str) -> ReportedCell:
    return replace(reported_cell(variant(Status.WORKS), **pins), lock="a", resolved={"numpy": "1.26.4"})


def variant(status: Status, stage: Stage | None = None, **given: Any) -> ReportedVariant:
    return reported_variant(status, stage, strategy="cached", attention="default", **given)


OLD, NEW = report(working()), report(failing())


def rendered(old: Report, new: Report, format_name: str = "text") -> str:
    text = format_named(format_name).render(difference.page(difference.compared(earlier(old), new)))
    assert isinstance(text, str)
    return text


def earlier(old: Report) -> Published:
    return Published(name="old.json", path=Path("old.json"), report=old)


def test_a_regression_is_told_with_what_moved_and_no_cause_is_claimed():
    lines = [line.strip() for line in rendered(OLD, NEW).splitlines()]
    identity = NEW.cells[0].id
    assert lines[0] == "1 regression in 1 cell that both reports have"
    assert lines[1].startswith("Earlier: old.json, measured on Linux-x86_64-glibc2.36, 2026-01-01. Now: Linux-x86_64-glibc2.36")
    start = lines.index("Newly broken")
    assert lines[start + 1 : start + 4] == [
        f"works → fails: {identity}",
        "torchscript-17-pair-keep-cross-numpy: fails at load (runtime): RuntimeError: no; before: works",
        "what differs in the lock, which is no proof of a cause: numpy 1.26.4 → 2.1.0",
    ]
    assert lines[start + 4].endswith(f"explain {identity}")
    assert f"numpy 1.26.4 → 2.1.0: 1 cell, {identity}" in lines
    assert lines[-1] == "1 cell newly broken, 1 lock moved"


def test_the_other_way_round_it_is_mended():
    text = rendered(NEW, OLD)
    assert "0 regressions in 1 cell" in text
    assert "fails → works" in text
    assert "torchscript-17-pair-keep-cross-numpy: works; before: fails at load (runtime): RuntimeError: no" in text
    assert "1 cell newly mended, 1 lock moved" in text


def test_equal_reports_differ_in_nothing():
    assert rendered(NEW, NEW).splitlines()[-1] == "nothing differs"


def test_a_broken_cell_with_the_same_lock_says_so():
    assert "the lock is the same" in rendered(report(replace(working(), lock="b")), NEW)
    assert "neither report has a lock" in rendered(report(replace(working(), lock=None)), report(replace(failing(), lock=None)))
    assert "only one of the reports has a lock" in rendered(report(replace(working(), lock=None)), NEW)
    same = replace(working(), resolved={"numpy": "2.1.0"})
    assert "the lock has the same versions, and other files" in rendered(report(same), NEW)


def test_other_probes_and_platforms_are_said_first():
    new = replace(NEW, platform="macOS", probe=replace(NEW.probe, id="e" * 16))
    expected = (
        "The reports differ in more than versions, and what follows may come from that: "
        f"probe {'f' * 16} → {'e' * 16}; platform Linux-x86_64-glibc2.36 → macOS."
    )
    assert rendered(OLD, new).splitlines()[1] == expected
    assert rendered(OLD, new, "markdown").splitlines()[2] == expected.replace("The", "**The").replace("that:", "that:**")


def test_where_nothing_that_worked_was_seen_again_nothing_is_proven():
    new = report(reported_cell(variant(Status.ERROR, error="killed"), status=Status.ERROR))
    (result,) = valid_sarif(rendered(OLD, new, "sarif"))["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("unknown", "note")
    said = "nothing proven: nothing that worked was seen again in 1 cell\n1 cell not known any more"
    assert result["message"]["text"] == said
    text = rendered(OLD, new)
    assert text.startswith("nothing proven: nothing that worked was seen again in 1 cell")
    assert "torchscript-17-pair-keep-cross-numpy: error: killed; before: works" in text


def test_cells_that_changed_alike_are_one_entry():
    pins = [f"1.{number}.0" for number in range(50)]
    old, new = report(*(working(onnx=pin) for pin in pins)), report(*(failing(onnx=pin) for pin in pins))
    text = rendered(old, new)
    assert text.count("works → fails") == 1
    assert " and 47 more\n" in text
    assert len(json.loads(rendered(old, new, "json"))["broken"]) == 50
    assert rendered(old, new, "github").count("\n") == 1


def test_a_page_does_not_grow_with_the_reports():
    pins = [f"1.{number}.0" for number in range(500)]
    old = report(*(working(onnx=pin) for pin in pins))
    new = report(*(failing(f"RuntimeError: {pin}", onnx=pin) for pin in pins))
    assert "and 460 more; --format json has all" in rendered(old, new)
    *errors, last = rendered(old, new, "github").splitlines()
    assert [line.startswith("::error ") for line in errors] == [True] * 9
    assert "::491 more annotations are left out here" in last


def test_for_programs():
    data = json.loads(rendered(OLD, NEW, "json"))
    assert data["before"] == {
        "name": "old.json",
        "generated": OLD.generated,
        "platform": OLD.platform,
        "torch": "cpu",
        "probe": "f" * 16,
    }
    (change,) = data["broken"]
    assert (change["cell"], change["before"], change["now"]) == (NEW.cells[0].id, "works", "fails")
    assert change["moves"] == [{"name": "numpy", "side": None, "before": "1.26.4", "now": "2.1.0"}]
    (changed,) = change["variants"]
    assert changed["variant"] == "torchscript-17-pair-keep-cross-numpy"
    assert (changed["before"]["status"], changed["now"]["stage"], changed["now"]["cause"]) == ("works", "load", "runtime")
    assert data["moved"] == [{"moves": change["moves"], "cells": [NEW.cells[0].id]}]
    assert (data["compared"], data["proves"], data["mended"], data["new"], data["gone"]) == (1, True, [], {}, {})


def test_other_formats_list_the_newer_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("matrix.toml").write_text('[axes]\nonnxruntime = [\n  "1.16.3",\n  "1.17.0",\n]\n')
    old, new = report(working(), working(onnxruntime="1.17.0")), report(working(), failing(onnxruntime="1.17.0"))
    page = difference.page(difference.compared(earlier(old), new), places=Places([Path("matrix.toml")]))
    suite = ET.fromstring(valid_junit(str(format_named("junit").render(page))))[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None] == [new.cells[1].id]
    assert suite.find("system-out").text.startswith("1 regression in 2 cells that both reports have\n")
    rows = list(csv.DictReader(io.StringIO(str(format_named("csv").render(page)))))
    assert [(row["cell"], row["status"]) for row in rows] == [(new.cells[0].id, "works"), (new.cells[1].id, "fails")]
    (result,) = valid_sarif(str(format_named("sarif").render(page)))["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("load", "error")
    place = {"artifactLocation": {"uri": "matrix.toml"}, "region": {"startLine": 4}}
    assert result["locations"] == [{"physicalLocation": place}]
    assert page.annotations[0].subject == f"works → fails: {new.cells[1].id}"
    assert page.answer == "1 of 2 work"


def test_a_regression_keeps_its_fingerprint_while_the_same_fails_and_the_same_moves():
    def fingerprint(now: ReportedCell) -> str:
        (found,) = difference.page(difference.compared(earlier(OLD), report(now))).annotations
        return found.fingerprint

    first = fingerprint(failing())
    assert len(first) == 32
    assert fingerprint(replace(failing(), resolved={"numpy": "2.2.0"})) == first
    assert fingerprint(replace(failing(), resolved={"numpy": "1.26.4", "sympy": "1.14"})) != first
    other = [replace(held, signature="b" * 12) for held in failing().variants]
    assert fingerprint(replace(failing(), variants=other)) != first


def test_a_cell_that_broke_as_a_whole_names_the_stage_at_which_it_fails():
    other = variant(Status.FAILS, Stage.DECODE, layout="merged", error="no", signature="c" * 12)
    old = replace(working(), variants=[variant(Status.WORKS), other])
    new = replace(failing(), variants=[variant(Status.ERROR, Stage.LOAD, error="killed"), other])
    (found,) = difference.page(difference.compared(earlier(report(old)), report(new))).annotations
    assert (found.status, found.rule) == (Status.FAILS, "decode")


def test_new_and_gone_cells_have_their_status():
    text = rendered(report(working(), working(onnx="1.15.0")), report(working(), failing(onnx="1.17.0")))
    lines = [line.strip() for line in text.splitlines()]
    assert lines[lines.index("New cells") + 1].startswith("fails — 1 cell: ")
    assert lines[lines.index("Cells that are gone, with what they were") + 1].startswith("works — 1 cell: ")


def test_foreign_text_only_shows():
    old = replace(OLD, platform=HOSTILE, probe=replace(OLD.probe, model=HOSTILE))
    remedied = replace(failing(HOSTILE, onnx="1.15.0"), status=Status.WORKS_WITH_REMEDY, remedies=[HOSTILE])
    broken = report(failing(HOSTILE), remedied)
    old = replace(old, cells=[*old.cells, working(onnx="1.15.0")])
    for name, marks in NEVER.items():
        text = rendered(old, broken, name)
        assert "x.png" in text
        assert [mark for mark in marks if mark in re.sub("`[^`\n]*`", "", text)] == []
    assert "s3kr3t" not in rendered(old, broken, "json")
