"""What is blamed on versions: only what the same code was seen to do beside others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import reported_cell, reported_variant

from harness.diagnose.causes.causes import diagnosed
from harness.model import Stage, Status
from harness.verdicts.report_schema import ReportedCell, ReportedVariant


def fails(stage: Stage, error: str = "no", **given) -> ReportedVariant:
    return reported_variant(Status.FAILS, stage, **{"error": error, "error_type": "RuntimeError", "signature": error, **given})


def blamed(*cells: ReportedCell) -> tuple[str | None, str | None]:
    """(cause, certainty) of the first cell's failure."""
    one = diagnosed(cells)[0].variants[0]
    return one.cause, one.certainty


def own(*variants: ReportedVariant, timm: str, **pins: str) -> ReportedCell:
    """A cell of a probe that does without transformers."""
    cell = reported_cell(*variants, timm=timm, **pins)
    return replace(cell, pins={name: version for name, version in cell.pins.items() if name != "transformers"})


@pytest.mark.parametrize(
    ("module", "name", "certainty"),
    [("onnx_ir", "onnx-ir", "proven"), ("onnxscript", "onnxscript", "proven"), ("yaml", "pyyaml", "likely")],
)
def test_a_module_proves_something_only_if_its_version_is_known(module, name, certainty):
    failing = fails(Stage.IMPORT, f"import {module}: ImportError: no", remedy="numpy<2")
    cells = [reported_cell(failing, torch="2.6.0"), reported_cell()]
    cells = [replace(cell, resolved={**cell.pins, name: "5.1"}) for cell in cells]
    one = diagnosed(cells)[0].variants[0]
    assert (one.cause, one.certainty) == ("version conflict", certainty)
    assert "None" not in " ".join(one.evidence)


def test_a_module_that_only_another_version_of_itself_mends_is_not_at_odds_with_others():
    failing = fails(Stage.IMPORT, "import onnx_ir: ImportError: no", remedy="onnx-ir<0.2")
    cell = replace(reported_cell(failing), resolved={"onnx-ir": "0.2.0"})
    assert blamed(cell, reported_cell(torch="2.6.0")) == ("version conflict", "likely")


@pytest.mark.parametrize(
    ("remedy", "others", "expected"),
    [
        (None, [reported_cell(torch="2.6.0", transformers="4.50.0")], ("model", "proven")),
        (None, [reported_cell(torch="2.6.0")], ("model", "proven")),
        # A remedy of something else, the same torch and transformers beside others, or each beside another.
        ("numpy<2", [reported_cell(torch="2.6.0", transformers="4.50.0")], ("version conflict", "proven")),
        (None, [reported_cell(onnx="1.18.0")], ("version conflict", "proven")),
        (None, [reported_cell(torch="2.6.0"), reported_cell(transformers="4.50.0")], ("version conflict", "proven")),
        # Another torch is another model's code: that mends it says nothing of the others.
        ("torch 2.6.0", [reported_cell(torch="2.6.0")], ("model", "proven")),
    ],
)
def test_pytorch_that_does_not_agree_with_itself_is_the_models_fault_unless_it_does_elsewhere(remedy, others, expected):
    disagrees = fails(Stage.EAGER, "logits differ", error_type="ProbeFailure", remedy=remedy)
    assert blamed(reported_cell(disagrees), *others) == expected


@pytest.mark.parametrize(("stage", "cause"), [(Stage.EAGER, "model"), (Stage.EXPORT, "exporter")])
def test_a_model_of_ones_own_is_the_same_code_only_where_all_its_axes_are_alike(stage, cause):
    failing = own(fails(stage), timm="0.9.0")
    assert blamed(failing, own(timm="1.0.0", onnx="1.17.0")) == (cause, "likely")
    assert blamed(failing, own(timm="0.9.0", onnx="1.17.0", torch="2.6.0"))[0] == cause
    same = [own(timm="0.9.0", onnx="1.17.0")]
    assert blamed(failing, *same) == ("version conflict", "proven")


@pytest.mark.parametrize(("remedy", "proven"), [("numpy 1.26.4", True), ("timm 1.0.0", False)])
def test_another_version_of_a_models_own_code_is_no_conflict(remedy, proven):
    for stage in (Stage.EAGER, Stage.EXPORT, Stage.DECODE):
        found = blamed(own(fails(stage, remedy=remedy), timm="0.9.0", numpy="2.0.0"), own(timm="2.0.0", torch="2.6.0"))
        assert (found == ("version conflict", "proven")) is proven, stage
