"""Which runtime reads a model, what mends it, and how that is known."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_models import external, identity, merged, model, saved, value, weight
from values import report, reported_cell, reported_variant

from harness import published_reports
from harness.decide.inspection import InspectedModel, inspected, newer_parts
from harness.decide.model_support import Reading
from harness.model import Stage, Status
from harness.onnx_files.external_data import DataPlace, data_files
from harness.onnx_files.reader import read_model
from harness.verdicts.runtime_limits import RuntimeLimits

OLD = RuntimeLimits(
    ir=9, opset=18, opset_some=19, oldest_ir=3, oldest_opset=1, refusal_ir="no", refusal_opset="no",
    external=dict.fromkeys(DataPlace), domains={"ai.onnx.ml": 3, "com.microsoft": 1}, measured=dt.date(2026, 11, 29),
    platform="Linux", python="3.8.18", numpy="1.24.4",
)  # fmt: skip
NEW = replace(OLD, ir=13, opset=25, opset_some=25, external=OLD.external | {DataPlace.OUTSIDE: "it escapes"})
KERNELS = published_reports.runtime_kernels()
LIMITS = {"1.16.0": OLD, "1.16.3": replace(OLD, opset=19), "1.24.4": NEW}


def answer(folder: Path, made: Any, reports: dict[str, Any] | None = None) -> InspectedModel:
    path = saved(folder / "model.onnx", made)
    read = read_model(path)
    return inspected(str(path), read, data_files(read, path), LIMITS, KERNELS, reports=reports or {})


def readings(found: InspectedModel) -> dict[str, str]:
    return {each.version: each.reading.value for each in found.runtimes}


@pytest.mark.parametrize(
    ("ir", "opsets", "expected"),
    [
        (9, {"": 18}, ["reads", "reads", "reads"]),
        (10, {"": 18}, ["refuses", "refuses", "reads"]),
        (9, {"": 19}, ["unknown", "reads", "reads"]),
        (9, {"ai.onnx": 20}, ["refuses", "refuses", "reads"]),
        (14, {"": 26}, ["refuses", "refuses", "refuses"]),
        (2, {"": 9}, ["unknown", "unknown", "unknown"]),
        (9, {"com.microsoft": 1}, ["unknown", "unknown", "unknown"]),
    ],
)
def test_stamps_against_limits(tmp_path, ir, opsets, expected):
    assert list(readings(answer(tmp_path, identity(ir=ir, opsets=opsets))).values()) == expected


def test_reasons_have_the_words_of_the_probe(tmp_path):
    first, *_ = answer(tmp_path, identity(ir=10, opsets={"": 20})).runtimes
    assert [(reason.rule, reason.message) for reason in first.reasons] == [
        ("ir-above-runtime", "IR version 10; onnxruntime 1.16.0 runs up to 9"),
        ("opset-above-runtime", "opset 20; onnxruntime 1.16.0 runs up to 18"),
    ]


def test_external_data(tmp_path):
    weights = [external("w", (4,), location="../w.data")]
    found = answer(tmp_path, identity(ir=9, weights=weights))
    assert readings(found) == {"1.16.0": "reads", "1.16.3": "reads", "1.24.4": "refuses"}
    (suggested,) = found.suggestions
    assert (suggested.change, suggested.evidence.measured) == (
        "the data as a file in the folder of the model, and no link (../w.data)",
        "3 of 3 releases read such a file when they were measured",
    )
    missing = answer(tmp_path, identity(ir=9, weights=[external("w", (4,), location="w.data")]))
    assert set(readings(missing).values()) == {"refuses"}
    assert missing.runtimes[0].reasons[0].message == "w.data is not there"
    assert missing.suggestions == []


def gated(**changes: Any) -> Any:
    """A variant that is above the IR version of its runtime."""
    findings = ["ir-above-runtime: IR version 10; onnxruntime 1.16.3 runs up to 9"]
    given = {"status": Status.FAILS, "stage": Stage.LOAD, "ir": 10, "findings": findings} | changes
    return reported_variant(**given)


def test_a_stamp_is_suggested_with_the_runs_that_are_known(tmp_path):
    cells = [
        reported_cell(gated(remedy="ir-version 9", remedies=["ir-version 9", "exporter torchscript"])),
        reported_cell(gated(tried=["ir-version 9: fails at load"], remedies=["exporter torchscript"])),
        reported_cell(gated(), gated(ir_version=9, findings=[], stage=Stage.DECODE)),
        reported_cell(gated(), gated(ir_version=9, findings=[], status=Status.WORKS, stage=None)),
        reported_cell(gated(remedies=["layout pair"], ir=14)),
        reported_cell(gated(remedies=["ir-version 9"], findings=[])),
    ]
    (suggested,) = answer(tmp_path, identity(ir=10), {"matrix": report(*cells)}).suggestions
    assert (suggested.change, suggested.ir, suggested.runtimes) == ("ir-version 9", 9, ("1.16.0", "1.16.3"))
    assert (suggested.evidence.works, suggested.evidence.run) == (2, 4)
    # What mended another stamp is no help here.
    assert suggested.evidence.others == (("exporter torchscript", 2),)
    assert suggested.evidence.reports == ("matrix",)
    assert "no newer element type" in suggested.note


def test_without_runs_nothing_is_claimed(tmp_path):
    (suggested,) = answer(tmp_path, identity(ir=10)).suggestions
    assert (suggested.evidence.works, suggested.evidence.run, suggested.evidence.others) == (0, 0, ())


def test_a_stamp_is_not_suggested_where_the_model_needs_it(tmp_path):
    made = identity(ir=10, weights=[helper.make_tensor("w", TensorProto.INT4, [2], [1, 2])])
    (suggested,) = answer(tmp_path, made).suggestions
    assert suggested.ir is None
    assert "int4 (IR 10)" in suggested.note


@pytest.mark.parametrize(
    ("made", "ir", "expected"),
    [
        (identity(), 3, []),
        (identity(weights=[weight("w", np.zeros(2, dtype=np.float32))]), 3, []),
        (identity(weights=[helper.make_tensor("w", TensorProto.BFLOAT16, [1], [1])]), 3, ["bfloat16 (IR 4)"]),
        (identity(weights=[helper.make_tensor("w", TensorProto.BFLOAT16, [1], [1])]), 4, []),
        (
            model([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT8E5M2)], [value("x")], [value("y")]),
            8,
            ["float8e5m2 (IR 9)"],
        ),
        (
            model([helper.make_node("F", ["x"], ["y"], domain="d", overload="o")], [value("x")], [value("y")]),
            9,
            ["overloads of functions (IR 10)"],
        ),
        (identity(weights=[external("w", (4,), 99, location="w")]), 9, ["an element type that is not known here (99)"]),
    ],
)
def test_what_is_newer_than_a_stamp(tmp_path, made, ir, expected):
    assert newer_parts(read_model(saved(tmp_path / "model.onnx", made)), ir) == expected


def test_another_opset_takes_another_export(tmp_path):
    found = answer(tmp_path, identity(ir=9, opsets={"": 21}))
    assert [(suggested.change, suggested.runtimes, suggested.ir) for suggested in found.suggestions] == [
        ("opset 19", ("1.16.3",), None),
        ("opset 18", ("1.16.0",), None),
    ]


def test_the_trap_of_a_merged_decoder(tmp_path):
    def pair(feed_all: Stage, kept: Status) -> Any:
        fails = {"status": Status.FAILS, "stage": feed_all, "layout": "merged", "feedback": "feed-all"}
        stage = None if kept is Status.WORKS else Stage.DECODE
        keeps = {"status": kept, "stage": stage, "layout": "merged", "feedback": "keep-cross"}
        return reported_cell(reported_variant(**fails), reported_variant(**keeps))

    cells = [pair(Stage.DECODE, Status.WORKS), pair(Stage.DECODE, Status.FAILS), pair(Stage.LOAD, Status.WORKS)]
    trap = merged(np.zeros((0, 2, 1, 8), dtype=np.float32))
    trap.ir_version = 9
    (suggested,) = answer(tmp_path, trap, {"matrix": report(*cells)}).suggestions
    assert (suggested.change, suggested.evidence.works, suggested.evidence.run) == ("feedback keep-cross", 1, 2)
    assert answer(tmp_path, merged(None)).merged
    assert not [
        suggested for suggested in answer(tmp_path, merged(None)).suggestions if suggested.change.startswith("feedback")
    ]


def test_fixed_sizes_of_inputs_are_named_once(tmp_path):
    inputs = [value(name, (1, 16), TensorProto.INT64) for name in ("a", "b")]
    made = model([helper.make_node("Add", ["a", "b"], ["y"])], inputs, [value("y", ("n", "m"))], ir=9)
    assert [(found.rule, found.message) for found in answer(tmp_path, made).findings] == [
        ("frozen-dimension", "axis 0 of a, b is 1: a call with another size fails"),
        ("frozen-dimension", "axis 1 of a, b is 16: a call with another size fails"),
    ]


def test_operators_are_counted_by_domain(tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    nodes.append(helper.make_node("Gelu", ["b"], ["y"], domain="com.microsoft"))
    found = answer(tmp_path, model(nodes, [value("x")], [value("y")], opsets={"": 18, "com.microsoft": 1}))
    assert found.operators == {"ai.onnx": {"Relu": 2}, "com.microsoft": {"Gelu": 1}}
    assert found.reading("1.24.4") is Reading.UNKNOWN
    assert [(other.rule, other.message) for other in found.findings] == [
        ("other-domain", "no limits were measured for operators of com.microsoft")
    ]
    body = [helper.make_node("Relu", ["a"], ["b"])]
    function = helper.make_function("own", "Half", ["a"], ["b"], body, [helper.make_opsetid("", 18)])
    nodes = [helper.make_node("Half", ["x"], ["y"], domain="own")]
    made = model(nodes, [value("x")], [value("y")], functions=[function], opsets={"": 18, "own": 1})
    assert answer(tmp_path, made).findings == []
    assert answer(tmp_path, made).reading("1.24.4") is Reading.READS


def one(operator: str, domain: str = "", **given: Any) -> Any:
    """A model of one node of that operator."""
    return model([helper.make_node(operator, ["x"], ["y"], domain=domain)], [value("x")], [value("y")], ir=9, **given)


def function(opsets: dict[str, int], operator: str = "Identity", domain: str = "", own: str = "own") -> Any:
    """A function `F` of one node, in the domain `own`, that imports `opsets`."""
    nodes = [helper.make_node(operator, ["a"], ["b"], domain=domain)]
    imports = [helper.make_opsetid(name, version) for name, version in opsets.items()]
    return helper.make_function(own, "F", ["a"], ["b"], nodes, imports)


LATER = {"": 18, "own": 1}
CASES = {
    "an import of ai.onnx.ml": (identity(ir=9, opsets={"": 18, "ai.onnx.ml": 3}), "reads", ""),
    "one above it": (
        identity(ir=9, opsets={"": 18, "ai.onnx.ml": 4}), "refuses", "ai.onnx.ml 4; onnxruntime 1.16.3 runs up to 3"
    ),
    "one that is used": (one("Scaler", "ai.onnx.ml", opsets={"": 18, "ai.onnx.ml": 3}), "reads", ""),
    "one that no release looks at": (identity(ir=9, opsets={"": 18, "my.own": 99}), "reads", ""),
    "a function's own": (one("F", "own", opsets=LATER, functions=[function({"": 19})]), "reads", ""),
    "a function above it": (
        one("F", "own", opsets=LATER, functions=[function({"": 20})]),
        "refuses",
        "opset 20 of a function; onnxruntime 1.16.3 runs up to 19",
    ),
    "a function with ai.onnx.ml": (
        one("F", "own", opsets=LATER, functions=[function({"": 18, "ai.onnx.ml": 5})]),
        "refuses",
        "ai.onnx.ml 5; onnxruntime 1.16.3 runs up to 3",
    ),
    "a function of others": (
        one("F", "own", opsets=LATER, functions=[function({"": 18, "my.own": 1}, "Nothing", "my.own")]),
        "unknown",
        "no limits were measured for operators of my.own",
    ),
    "a function in ONNX's domain": (
        one("F", "ai.onnx.ml", opsets={"": 18, "ai.onnx.ml": 3}, functions=[function({"": 18}, own="ai.onnx.ml")]),
        "unknown",
        "the opset that is imported has no F of ai.onnx.ml",
    ),
    "another operator": (
        one("Nothing", "my.own", opsets={"": 18, "my.own": 1}), "unknown", "no limits were measured for operators of my.own"
    ),
    "no operator": (one("Nothing"), "unknown", "the opset that is imported has no Nothing of ai.onnx"),
    "a later operator": (one("Gelu", opsets={"": 18}), "unknown", "the opset that is imported has no Gelu of ai.onnx"),
    "its opset": (one("Gelu", opsets={"": 20}), "refuses", "opset 20; onnxruntime 1.16.3 runs up to 19"),
    "one taken away": (one("Upsample", opsets={"": 10}), "unknown", "the opset that is imported has no Upsample of ai.onnx"),
    "before that": (one("Upsample", opsets={"": 9}), "reads", ""),
    "of a domain that is not imported": (
        one("Scaler", "ai.onnx.ml", opsets={"": 18}), "unknown", "the opset that is imported has no Scaler of ai.onnx.ml"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_domains_functions_and_operators(tmp_path, case):
    made, reading, reason = CASES[case]
    found = next(each for each in answer(tmp_path, made).runtimes if each.version == "1.16.3")
    assert (found.reading, "; ".join(why.message for why in found.reasons)) == (Reading(reading), reason)


BFLOAT16, INT16, INT4 = TensorProto.BFLOAT16, TensorProto.INT16, TensorProto.INT4


def of(operator: str, element: int = TensorProto.FLOAT, opset: int = 17, second: int | None = None) -> Any:
    """A model of one node with two inputs."""
    inputs = [value("a", element=element), value("b", element=second or element)]
    return model(
        [helper.make_node(operator, ["a", "b"], ["y"])], inputs, [value("y", element=element)], ir=8, opsets={"": opset}
    )


def twice() -> Any:
    nodes = [helper.make_node("Identity", ["x"], ["y"])] * 2
    return model(nodes, [value("x")], [value("y")], ir=8)


def unfed(inner: str = "x", outer: str = "x") -> Any:
    """A model whose branch reads `inner`, and whose graph reads `outer`."""
    branch = helper.make_graph([helper.make_node("Relu", [inner], ["z"])], "branch", [], [value("z")])
    node = helper.make_node("If", ["condition"], ["a"], then_branch=branch, else_branch=branch)
    inputs = [value("x"), value("condition", (), TensorProto.BOOL)]
    return model([node, helper.make_node("Add", ["a", outer], ["y"])], inputs, [value("y")], ir=8)


@pytest.mark.parametrize(
    ("made", "reading", "reason"),
    [
        (of("Add"), "reads", ""),
        (of("Add", TensorProto.FLOAT16), "reads", ""),
        (of("MatMul", BFLOAT16), "unknown", "no kernel on the CPU of MatMul-13 for tensor(bfloat16)"),
        (of("Add", INT16), "unknown", "no kernel on the CPU of Add-14 for tensor(int16)"),
        (of("Add", opset=6), "unknown", "opset 6; no release says that it runs any before 7"),
        (one("Det", opsets={"": 17}), "reads", ""),
        (of("CastLike"), "reads", ""),
        (of("CastLike", second=TensorProto.STRING), "reads", ""),
        (of("Add", second=TensorProto.INT64), "refuses", "Add gets tensor(int64) beside tensor(float)"),
        (identity(ir=8, weights=[helper.make_tensor("w", INT4, [2], [1, 2])]), "refuses", "int4 came after IR version 9"),
        (twice(), "refuses", "these names are given twice: y"),
        (unfed(), "reads", ""),
        (unfed(inner="q"), "refuses", "nothing gives these names: q"),
        (unfed(outer="z"), "refuses", "nothing gives these names: z"),
    ],
)
def test_types_kernels_and_names(tmp_path, made, reading, reason):
    """As onnxruntime 1.16.3 was seen to load, or to refuse, these models; what it refuses for want of a kernel is not known."""
    found = next(each for each in answer(tmp_path, made).runtimes if each.version == "1.16.3")
    assert found.reading.value == reading
    assert reason in "; ".join(why.message for why in found.reasons)


def test_a_runtime_whose_kernels_are_not_known_is_not_said_to_read_anything(tmp_path, monkeypatch):
    monkeypatch.setitem(LIMITS, "1.15.1", OLD)
    assert answer(tmp_path, of("Add")).reading("1.15.1") is Reading.UNKNOWN


def test_limits_without_domains_tell_nothing_of_imports(tmp_path, monkeypatch):
    monkeypatch.setitem(LIMITS, "1.16.3", replace(OLD, domains=None))
    for domains, reading in (({"ai.onnx.ml": 1, "own": 1}, Reading.UNKNOWN), ({"own": 1}, Reading.READS), ({}, Reading.READS)):
        made = one("F", "own", opsets={"": 18, **domains}, functions=[function({"": 18})])
        assert answer(tmp_path, made).reading("1.16.3") is reading
