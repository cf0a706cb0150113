"""What is said of a remedy that mends the same failure elsewhere."""

from __future__ import annotations

import pytest
from values import reported_cell, reported_variant

from harness.model import Stage, Status
from harness.report.remedies import RemedyTexts

DYNAMO = {"exporter": "dynamo", "opset": 18}
ELSEWHERE = reported_cell()


def failing(remedy: str | None = None):
    remedies = [remedy] if remedy else []
    return reported_variant(Status.FAILS, Stage.EXPORT, error="no", signature="s", remedy=remedy, remedies=remedies, **DYNAMO)


def said(remedy: str, *siblings) -> str:
    """What is said of a failure that `remedy` mends in ELSEWHERE, in a cell with these other variants."""
    here = reported_cell(failing(), *siblings, torch="2.9.1")
    texts = RemedyTexts([reported_cell(failing(remedy)), here])
    return texts.of(here, here.variants[0]).text


def sibling(status: Status, **given):
    return reported_variant(status, Stage.EXPORT, error="chance", signature="other", **given)


@pytest.mark.parametrize(("status", "ended"), [(Status.FLAKY, "flaky"), (Status.ERROR, "in an error")])
@pytest.mark.parametrize(
    ("remedy", "given"),
    [
        ("exporter torchscript", {}),
        ("opset 14", {**DYNAMO, "opset": 14}),
        ("layout no-cache", {**DYNAMO, "layout": "no-cache", "feedback": "none"}),
    ],
)
def test_what_ended_here_without_a_proof_was_run_here(remedy, given, status, ended):
    told = said(remedy, sibling(status, **given))
    assert told == f"unproven here, where it ended {ended}: {remedy}, which mends the same failure in {ELSEWHERE.id}"


@pytest.mark.parametrize(
    ("remedy", "siblings"),
    [
        ("exporter torchscript", []),
        ("exporter torchscript", [sibling(Status.NOT_RUN)]),
        ("exporter torchscript", [sibling(Status.FLAKY, layout="merged")]),
        ("exporter torchscript", [sibling(Status.FLAKY, exporter="optimum")]),
        ("numpy<2", [sibling(Status.FLAKY)]),
        ("torch 2.6.0", [sibling(Status.FLAKY)]),
    ],
)
def test_what_nobody_ran_here_is_said_so(remedy, siblings):
    assert said(remedy, *siblings) == f"not run here: {remedy}, which mends the same failure in {ELSEWHERE.id}"
