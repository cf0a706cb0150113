"""Rules on the page and on the terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import rendered, report, reported_cell, reported_variant

from harness.diagnose.rules.rules import find
from harness.model import Stage, Status
from harness.report import rules
from harness.verdicts.report_schema import Report
from harness.verdicts.rule_model import Condition, ConditionKind, Tried

AXES = ("python", "torch", "transformers", "onnx", "onnxruntime")


def ruled(*cells) -> Report:
    found, unexplained = find(cells, AXES)
    return replace(report(*cells), rules=found, unexplained=unexplained)


def fails(stage: Stage = Stage.LOAD, **axes: str):
    return reported_cell(reported_variant(Status.FAILS, stage, signature="s", error="no"), status=Status.FAILS, **axes)


OLD = ruled(
    fails(onnxruntime="1.16.0"),
    fails(onnxruntime="1.18.0"),
    reported_cell(onnxruntime="1.20.0"),
    fails(Stage.IMPORT, torch="9"),
)


def test_both_say_what_a_rule_explains_and_what_was_tried():
    for text in (rendered(OLD), rendered(OLD, "text")):
        assert "onnxruntime<1.20.0 → load" in text
        assert "2 variants in 2 cells" in text
        assert "onnxruntime fails up to 1.18.0, passes at 1.20.0 (not asked)" in text
    assert f"`{OLD.cells[0].id}`, `{OLD.cells[1].id}`" in rendered(OLD)


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        ([], "onnxruntime fails up to 1.18.0, passes at 1.20.0"),
        (
            [Tried(version="1.19.0", outcome="fails at import")],
            "onnxruntime fails up to 1.18.0, passes at 1.20.0 (of 1.19.0 between them nothing is known)",
        ),
    ],
)
def test_a_closed_boundary(tried, said):
    rule = next(rule for rule in OLD.rules if rule.stage is Stage.LOAD)
    assert rules.boundary_text(replace(rule.boundaries[0], closed=True, tried=tried)) == said


def test_a_boundary_is_open_only_where_a_release_is_known_to_lie_between():
    boundary = next(rule for rule in OLD.rules if rule.stage is Stage.LOAD).boundaries[0]
    assert rules.boundary_text(boundary).endswith("passes at 1.20.0 (not asked)")
    assert rules.boundary_text(replace(boundary, between=["1.19.0"])).endswith("passes at 1.20.0 (open)")
    tried = [Tried(version="1.19.0", outcome="error at load")]
    assert rules.boundary_text(replace(boundary, tried=tried)).endswith("passes at 1.20.0 (open)")


def test_a_rule_names_the_cause_of_what_it_explains():
    (rule, *_) = OLD.rules
    assert rules.support_text(replace(rule, causes={"format gate": 2})) == "2 variants in 2 cells, format gate"


def test_a_rule_that_others_share_and_one_that_has_an_equal():
    (rule, *_) = OLD.rules
    assert rules.support_text(replace(rule, alone=1)) == "2 variants in 2 cells, 1 of them by no other rule"
    equal = replace(OLD, rules=[replace(rule, alternatives=["b → load", "c → load"])])
    assert f"`{rule.text}`, or as well `b → load`" in rendered(equal)
    assert "c → load" not in rendered(equal)


def test_what_no_rule_explains_is_said_once_for_each_stage():
    made = ruled(fails(onnxruntime="1.16.0"), fails(onnxruntime="1.18.0"))
    for text in (rendered(made), rendered(made, "text")):
        assert (
            text.lower().count("no rule explains 2 variants that fail at load: nothing that got as far passed this stage") == 1
        )


def test_of_many_rules_the_largest_are_shown():
    made = replace(OLD, rules=[replace(OLD.rules[0], text=f"rule {number}.") for number in range(rules.SHOWN + 3)])
    for text in (rendered(made), rendered(made, "text")):
        assert f"rule {rules.SHOWN - 1}." in text
        assert f"rule {rules.SHOWN}." not in text
        assert "and 3 rules more, in matrix.json" in text.lower()


def test_where_all_works_there_is_nothing_to_say():
    made = ruled(reported_cell())
    assert "Rules" not in rendered(made)
    assert "Rules" not in rendered(made, "text")


def atom(name: str, op: str, value: str) -> Condition:
    return Condition(kind=ConditionKind.AXIS, name=name, op=op, value=value)


@pytest.mark.parametrize(
    ("atoms", "text"),
    [
        ([atom("torch", "<", "2.6.0")], "With torch older than 2.6.0"),
        ([atom("layout", "=", "merged"), atom("onnx", ">=", "1.23.2")], "With layout merged and onnx 1.23.2 or newer"),
        ([atom("a", "=", "1"), atom("b", "=", "2"), atom("c", "<", "3")], "With a 1, b 2 and c older than 3"),
    ],
)
def test_a_rule_is_a_sentence(atoms, text):
    rule = replace(OLD.rules[0], atoms=atoms, stage=Stage.LOAD)
    assert rules.sentence(rule) == f"{text}, everything that gets as far as load fails there"
    assert rules.sentence(replace(rule, stage=Stage.RESOLVE)) == f"{text}, nothing resolves"
