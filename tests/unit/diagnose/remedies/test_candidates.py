"""Which changes are worth a trial."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import DYNAMO, PAIR, resolved, result

from harness.diagnose.remedies.candidates import batches, bump_kind, bumps, releases
from harness.diagnose.remedies.changes import Change, ChangeKind, apply, text
from harness.matrix.schema import Matrix
from harness.model import Stage, StageResult, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict

AXES = {"python": ["3.11"], "torch": ["2.1.2"], "transformers": ["4.46.3"], "onnx": ["1.16.2"], "onnxruntime": ["1.16.3"]}


def failing(stage: Stage, variant: Variant = PAIR, *before: StageResult, **data: object) -> VariantVerdict:
    last = result(stage, Status.FAILS, **data)
    return VariantVerdict(variant=variant, status=Status.FAILS, results=(*before, last))


def texts(one: VariantVerdict, **tables: object) -> list[list[str]]:
    matrix = Matrix.model_validate({"axes": AXES, **tables})
    return [[change.text for change in batch] for batch in batches(one, resolved().cell, matrix, resolved=True)]


SESSION = ["optimization extended", "optimization basic", "optimization disabled"]
OPSETS = [["opset 16", "opset 15", "opset 14"], ["opset 18", "opset 19", "opset 20"]]
ATTENTION = ["attention eager", "attention sdpa"]


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (Stage.RESOLVE, [["exporter dynamo"]]),
        (Stage.IMPORT, []),
        (Stage.EAGER, []),
        (Stage.EXPORT, [*OPSETS[::-1], ATTENTION, ["exporter dynamo"]]),
        (Stage.CHECK, [["ir-version 7"], *OPSETS[::-1], ATTENTION, ["exporter dynamo"]]),
        (Stage.LOAD, [SESSION, ["ir-version 7"], *OPSETS, ATTENTION, ["exporter dynamo"]]),
        (
            Stage.DECODE,
            [[*SESSION, "memory-pattern disabled", "binding ortvalue"], *OPSETS, ATTENTION, ["exporter dynamo"]],
        ),
    ],
)
def test_only_what_can_reach_the_stage_in_order_of_cost(stage, expected):
    assert texts(failing(stage, PAIR, result(Stage.EXPORT, ir=8))) == expected


def test_what_was_measured_is_the_value_to_try():
    finding = {"rule": "ir-above-runtime", "message": "", "where": "decoder", "limit": 9}
    opset = {"rule": "opset-above-runtime", "message": "", "where": "decoder", "limit": 15}
    told = texts(failing(Stage.LOAD, DYNAMO, result(Stage.EXPORT, ir=12), findings=[finding, opset]))
    assert ["ir-version 9"] in told
    assert ["opset 15"] in told
    assert sum(change.startswith("opset") for batch in told for change in batch) == 1


def test_nobody_is_advised_to_feed_everything_back():
    fed = failing(Stage.DECODE, replace(PAIR, feedback="feed-all"))
    assert "feedback keep-cross" in texts(fed)[0]
    assert not [change for batch in texts(failing(Stage.DECODE)) for change in batch if change.startswith("feedback")]


def test_opsets_of_the_matrix_go_first():
    told = texts(failing(Stage.EXPORT), variants={"exporters": ["torchscript"], "opsets": {"torchscript": [17, 12]}})
    assert told == [["opset 12"], *OPSETS[::-1], ATTENTION]


def test_a_probe_of_ones_own_knows_what_its_matrix_names():
    variants = {"exporters": ["script"], "layouts": ["whole"], "feedbacks": ["none"], "opsets": {"script": [17]}}
    whole = Variant(exporter="script", opset=17, layout="whole", feedback="none")
    told = texts(failing(Stage.DECODE, whole), variants=variants, probe={"module": "probe.py"})
    assert told == [[*SESSION, "memory-pattern disabled", "binding ortvalue"], *OPSETS]


def test_without_a_lock_no_variant_can_work():
    assert batches(failing(Stage.RESOLVE), resolved().cell, Matrix.model_validate({"axes": AXES}), resolved=False) == []


def test_steps_on_an_axis_small_ones_first_newer_ones_first_the_runtime_last():
    versions = ({"torch": "2.6.0"}, {"torch": "2.2.0"}, {"torch": "2.0.0"}, {"torch": "2.1.1"}, {"onnxruntime": "1.17.0"})
    others = [*versions, {"transformers": "5.0.0"}, {"onnxruntime": "1.16.2"}]
    near = [Verdict(resolved=resolved(**pins), status=Status.WORKS, variants=()) for pins in others]
    assert [change.text for change in bumps(resolved().cell, near)] == [
        "torch 2.1.1",
        "onnxruntime 1.16.2",
        "torch 2.2.0",
        "torch 2.6.0",
        "onnxruntime 1.17.0",
        "torch 2.0.0",
    ]


@pytest.mark.parametrize(
    ("own", "other", "kind"),
    [
        ("1.16.3", "1.16.0", ChangeKind.PATCH),
        ("1.16.3", "1.17.0", ChangeKind.MINOR),
        ("1.16.3", "2.0.0", None),
        ("3.11", "3.12", ChangeKind.MINOR),
        ("2.13.0+cpu", "2.13.1", ChangeKind.PATCH),
    ],
)
def test_how_large_a_step_is(own, other, kind):
    assert bump_kind(own, other) is kind


def test_what_an_index_is_asked_for():
    assert releases(resolved().cell, "onnxruntime") == [
        (ChangeKind.PATCH, "onnxruntime>1.16.3,==1.16.*"),
        (ChangeKind.MINOR, "onnxruntime>1.16.3,==1.17.*"),
        (ChangeKind.MINOR, "onnxruntime>1.16.3,<2"),
    ]


def test_changes_are_made_together():
    changes = (
        Change(kind=ChangeKind.SECONDARY_PIN, bounds=("numpy<2",)),
        Change(kind=ChangeKind.EXPORTER, variant=(("exporter", "dynamo"), ("opset", 18))),
        Change(kind=ChangeKind.PATCH, pin=("onnxruntime", "1.16.0")),
    )
    planned, variant = apply(changes, resolved().planned, PAIR)
    assert text(changes) == "numpy<2, exporter dynamo, onnxruntime 1.16.0"
    assert variant == DYNAMO
    assert (planned.bounds, planned.variants) == (("numpy<2",), (DYNAMO,))
    assert planned.cell.version("onnxruntime") == "1.16.0"
    assert planned.cell.version("torch") == "2.1.2"
    assert planned.cell.id == f"{resolved().cell.id}+onnxruntime-1.16.0"
