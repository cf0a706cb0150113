"""Which changes are worth a trial, in order of cost."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from values import DYNAMO, PAIR, resolved, result

from harness.diagnose.remedies.interface import Change, Failing
from harness.diagnose.remedies.kinds import KINDS
from harness.diagnose.remedies.kinds.axis_version import MINOR, PATCH
from harness.diagnose.remedies.kinds.layout import LAYOUT
from harness.diagnose.remedies.kinds.opset import OPSET
from harness.diagnose.remedies.trials import VariantSearch, batches
from harness.matrix.schema import Matrix
from harness.model import Stage, StageResult, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict

AXES = {"python": ["3.11"], "torch": ["2.1.2"], "transformers": ["4.46.3"], "onnx": ["1.16.2"], "onnxruntime": ["1.16.3"]}


def failing(stage: Stage, variant: Variant = PAIR, *before: StageResult, **data: object) -> VariantVerdict:
    last = result(stage, Status.FAILS, **data)
    return VariantVerdict(variant=variant, status=Status.FAILS, results=(*before, last))


def proposing(one: VariantVerdict, **tables: object) -> Failing:
    return Failing(verdict=one, cell=resolved().cell, matrix=Matrix.model_validate({"axes": AXES, **tables}))


def texts(one: VariantVerdict, **tables: object) -> list[list[str]]:
    return [[change.text for change in batch] for batch in batches(proposing(one, **tables), KINDS)]


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
    proposed = texts(failing(Stage.LOAD, DYNAMO, result(Stage.EXPORT, ir=12), findings=[finding, opset]))
    assert ["ir-version 9"] in proposed
    assert ["opset 15"] in proposed
    assert sum(change.startswith("opset") for batch in proposed for change in batch) == 1


def test_nobody_is_advised_to_feed_everything_back():
    fed = failing(Stage.DECODE, replace(PAIR, feedback="feed-all"))
    assert "feedback keep-cross" in texts(fed)[0]
    assert not [change for batch in texts(failing(Stage.DECODE)) for change in batch if change.startswith("feedback")]


def test_opsets_of_the_matrix_go_first():
    proposed = texts(failing(Stage.EXPORT), variants={"exporters": ["torchscript"], "opsets": {"torchscript": [17, 12]}})
    assert proposed == [["opset 12"], *OPSETS[::-1], ATTENTION]


def test_a_probe_of_ones_own_knows_what_its_matrix_names():
    variants = {"exporters": ["script"], "layouts": ["whole"], "feedbacks": ["none"], "opsets": {"script": [17]}}
    whole = Variant(exporter="script", opset=17, layout="whole", feedback="none")
    proposed = texts(failing(Stage.DECODE, whole), variants=variants, probe={"module": "probe.py"})
    assert proposed == [[*SESSION, "memory-pattern disabled", "binding ortvalue"], *OPSETS]


def test_without_a_lock_no_variant_can_work():
    unresolved = replace(resolved(PAIR), result=result(Stage.RESOLVE, Status.FAILS))
    here = Verdict(resolved=unresolved, status=Status.FAILS, variants=(failing(Stage.RESOLVE),))
    # The search has nothing to run extra cells with.
    searched = VariantSearch(
        extra=SimpleNamespace(), planned=unresolved.planned, kinds=KINDS, here=here, asks_index=False
    ).run()
    assert (searched.trials, searched.remedy, searched.open) == ((), None, False)


def test_what_the_matrix_shows_to_work_goes_first_of_its_kind_and_a_patch_release_before_another_exporter():
    known = [
        Change(kind=OPSET, variant=(("opset", 13),)),
        Change(kind=LAYOUT, variant=(("layout", "merged"),)),
        Change(kind=MINOR, pin=("onnx", "1.17.0")),
        Change(kind=PATCH, pin=("onnx", "1.16.3")),
    ]
    made = batches(proposing(failing(Stage.EXPORT)), KINDS, known)
    proposed = [[change.text for change in batch] for batch in made]
    assert proposed == [["opset 13"], *OPSETS[::-1], ATTENTION, ["layout merged"], ["onnx 1.16.3"], ["exporter dynamo"]]
