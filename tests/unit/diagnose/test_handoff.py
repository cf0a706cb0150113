"""A handoff cell has two sides: what one of them was not asked, or has in its lock, says nothing of the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import PINS, reported_cell, reported_variant

from harness.diagnose.causes.causes import diagnosed
from harness.diagnose.rules.rules import NOTHING_PASSED, find
from harness.model import Setup, Stage, Status
from harness.verdicts.report_schema import ReportedCell, ReportedVariant
from harness.verdicts.stages_passed import imports_all

AXES = ["python", *PINS]


def not_imported(name: str) -> ReportedVariant:
    message = f"import {name}: no"
    return reported_variant(Status.FAILS, Stage.IMPORT, error=message, error_type="ProbeFailure", signature=message)


def handoff(*variants: ReportedVariant, **pins: str) -> ReportedCell:
    return replace(reported_cell(*variants, **pins), environment=Setup.HANDOFF)


NOT_EXPORTED = reported_variant(Status.FAILS, Stage.EXPORT, error="boom", signature="boom")


@pytest.mark.parametrize(
    ("ends", "tried"),
    [
        ([reported_variant()], True),
        ([NOT_EXPORTED], False),
        ([NOT_EXPORTED, reported_variant(Status.FAILS, Stage.LOAD)], True),
        ([NOT_EXPORTED, reported_variant(Status.NOT_RUN, Stage.LOAD)], False),
    ],
)
def test_the_run_side_imports_only_what_has_been_exported(ends, tried):
    assert imports_all(handoff(*ends)) is tried
    assert imports_all(reported_cell(*ends)) is True


@pytest.mark.parametrize(("name", "certainty"), [("onnxruntime", "likely"), ("numpy", "likely"), ("transformers", "proven")])
def test_a_run_side_that_was_not_tried_has_imported_nothing(name, certainty):
    cells = [reported_cell(not_imported(name), torch="2.6.0"), handoff(NOT_EXPORTED)]
    cells = [replace(cell, resolved={"numpy": "2.4.6"}) for cell in cells]
    one = diagnosed(cells)[0].variants[0]
    assert (one.cause, one.certainty) == ("version conflict", certainty)


@pytest.mark.parametrize(
    ("name", "texts"), [("onnxruntime", ["torch≥2.7.0 → import"]), ("transformers", ["torch≥2.6.0 → import"])]
)
def test_a_rule_about_the_run_side_has_no_counter_example_that_was_not_tried(name, texts):
    cells = [reported_cell(not_imported(name), torch="2.7.0"), handoff(NOT_EXPORTED, torch="2.5.0"), handoff(torch="2.1.0")]
    cells.append(handoff(not_imported(name) if name == "transformers" else NOT_EXPORTED, torch="2.6.0"))
    found, _ = find(cells, AXES)
    assert [rule.text for rule in found if rule.stage is Stage.IMPORT] == texts


def test_a_run_side_that_was_tried_nowhere_else_tells_nothing_apart():
    found, left = find([reported_cell(not_imported("onnxruntime"), torch="2.6.0"), handoff(NOT_EXPORTED)], AXES)
    assert found == []
    assert (left[0].stage, left[0].why) == (Stage.IMPORT, NOTHING_PASSED)


@pytest.mark.parametrize(("name", "side"), [("onnxruntime", "run"), ("transformers", "export")])
def test_a_failed_import_is_judged_by_the_lock_of_the_side_that_made_it(name, side):
    """Of two onnx with two transformers no axis tells them apart; numpy does, on the side that imports."""

    def cell(onnx: str, transformers: str, numpy: str) -> ReportedCell:
        other = "2.4.6" if numpy == "1.26.4" else "1.26.4"
        sides = {one: {"numpy": numpy if one == side else other} for one in ("export", "run")}
        one = not_imported(name) if numpy == "2.4.6" else reported_variant()
        made = handoff(one, onnx=onnx, transformers=transformers)
        return replace(made, resolved={**made.pins, **sides["run"]}, resolved_sides=sides)

    old, new = "1.26.4", "2.4.6"
    places = [("1.14.0", "4.40.0", new), ("1.15.0", "4.40.0", old), ("1.14.0", "4.41.0", old), ("1.15.0", "4.41.0", new)]
    found, _ = find([cell(*place) for place in places], AXES)
    assert [rule.text for rule in found] == ["numpy≥2.4.6 → import"]
