"""Refusals of onnxruntime in pasted texts, against limits and kernels as they may have been measured."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from harness.decide.model_support import Reading
from harness.decide.runtime_refusals import ApiRefusal, RuntimeRefusal, Takes, runtime_refusals
from harness.verdicts.runtime_kernels import Kernel, Operator, Operators
from harness.verdicts.runtime_limits import RuntimeLimits

READS, UNKNOWN, REFUSES = Reading.READS, Reading.UNKNOWN, Reading.REFUSES
FLOAT, BOOL, HALF = "tensor(float)", "tensor(bool)", "tensor(float16)"


def limits(ir: int, opset: int, some: int, ml: int | None = 3) -> RuntimeLimits:
    return RuntimeLimits(
        ir=ir, opset=opset, opset_some=some, oldest_ir=1, oldest_opset=1, refusal_ir="", refusal_opset="", external={},
        domains=None if ml is None else {"ai.onnx.ml": ml}, measured=dt.date(2026, 11, 29), platform="", python="", numpy="",
    )  # fmt: skip


LIMITS = {
    "1.15.1": limits(9, 18, 19, None),
    "1.16.3": limits(9, 19, 19),
    "1.18.1": limits(10, 21, 21, 5),
    "1.20.1": limits(10, 21, 21, 5),
}


def operator(*kernels: tuple[tuple[str, ...], tuple[str, ...]]) -> Operator:
    made = tuple(Kernel(types={"T": types} if types else {}, runtimes=frozenset(runtimes)) for types, runtimes in kernels)
    return Operator(inputs=("T",), outputs=("T",), kernels=made)


KERNELS: Operators = {
    "ai.onnx": {
        "Trilu": {14: operator(((FLOAT,), ("1.16.3",)), ((BOOL, FLOAT), ("1.18.1", "1.20.1")))},
        "Range": {11: operator(((FLOAT,), ("1.16.3", "1.18.1", "1.20.1"))), 27: operator(((FLOAT, HALF), ("1.20.1",)))},
        "Late": {9: operator(), 22: operator(((), ("1.20.1",)))},
    },
    "com.microsoft": {"Late": {1: operator(((FLOAT,), ("1.18.1", "1.20.1")))}},
    "ai.onnx.ml": {"Scaler": {1: operator(((FLOAT,), ("1.16.3", "1.18.1", "1.20.1")))}},
}


def refusals(text: str) -> list[RuntimeRefusal]:
    return runtime_refusals(text, lambda: LIMITS, lambda: KERNELS)


def ir(asked: int, limit: int) -> str:
    return f"Load model from a.onnx failed:/a.cc:150 Unsupported model IR version: {asked}, max supported IR version: {limit}"


def opset(asked: int, limit: int, domain: str = "ai.onnx") -> str:
    return (
        "ONNX Runtime only *guarantees* support for models stamped with official released onnx opset versions. "
        f"Opset {asked} is under development and support for this is limited. The operator schemas and or other functionality "
        "may change before next ONNX release and in this case ONNX Runtime will not guarantee backward compatibility. "
        f"Current official support for domain {domain} is till opset {limit}."
    )


def kernel(operator: str) -> str:
    return f"[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for {operator} node with name '/a'"


def of_type(kind: str, operator: str) -> str:
    return f"Type Error: Type '{kind}' of input parameter (/Cast) of operator ({operator}) in node (/{operator}) is invalid."


@pytest.mark.parametrize(
    ("text", "saying", "readings"),
    [
        (ir(10, 9), ("1.15.1", "1.16.3"), [REFUSES, REFUSES, READS, READS]),
        (ir(77, 8), (), [REFUSES] * 4),
        (ir(3, 10), ("1.18.1", "1.20.1"), [READS] * 4),
        (opset(16, 15), (), [READS] * 4),
        (opset(20, 19), ("1.15.1", "1.16.3"), [REFUSES, REFUSES, READS, READS]),
        (opset(19, 18), (), [UNKNOWN, READS, READS, READS]),
    ],
)
def test_a_version_of_a_format_is_held_against_the_limits(text, saying, readings):
    (refusal,) = refusals(text)
    assert (refusal.saying, list(refusal.readings.values())) == (saying, readings)


def test_a_domain_is_held_against_its_own_limits_where_they_were_measured():
    (refusal,) = refusals(opset(4, 3, "ai.onnx.ml"))
    assert refusal.format == "opset of ai.onnx.ml"
    assert refusal.readings == {"1.16.3": REFUSES, "1.18.1": READS, "1.20.1": READS}
    (unmeasured,) = refusals(opset(4, 3, "com.example"))
    assert (unmeasured.readings, unmeasured.saying) == ({}, ())


def test_an_operator_without_a_kernel_is_answered_with_the_types_that_have_one():
    (refusal,) = refusals(kernel("Trilu(14)"))
    assert refusal.takes == (
        Takes(since=14, types=(FLOAT,), runtimes=("1.16.3",)),
        Takes(since=14, types=(BOOL, FLOAT), runtimes=("1.18.1", "1.20.1")),
    )
    assert refusal.readings == {"1.16.3": UNKNOWN, "1.18.1": UNKNOWN, "1.20.1": UNKNOWN}, "of 1.15.1 no kernels are known"
    assert refusals("Could not find an implementation for the node Trilu_12:Trilu(14)") == [refusal]
    assert refusals("Could not find an implementation for the node Trilu(14)") == [refusal]


def test_a_cast_keeps_the_numbers_of_an_operator_that_has_one_type_alone():
    def castable(**given: object) -> bool:
        form = replace(operator(((FLOAT,), ("1.16.3",))), **given)
        (refusal,) = runtime_refusals(kernel("X(1)"), lambda: LIMITS, lambda: {"ai.onnx": {"X": {1: form}}})
        return refusal.castable

    assert castable()
    assert not castable(outputs=("T2",)), "as DequantizeLinear, EyeLike and ArgMax"
    assert not castable(kernels=operator(((HALF,), ("1.16.3",))).kernels)
    assert not castable(inputs=())


def test_an_operator_is_answered_in_the_form_that_the_text_names():
    (old,), (new,) = refusals(kernel("Late(9)")), refusals(kernel("Late(22)"))
    assert (old.takes, set(old.readings.values())) == ((), {REFUSES})
    assert new.readings == {"1.16.3": REFUSES, "1.18.1": REFUSES, "1.20.1": READS}
    (other,) = refusals(kernel("Late(1)"))
    assert other.readings == {"1.16.3": REFUSES, "1.18.1": UNKNOWN, "1.20.1": UNKNOWN}, "it is that of com.microsoft"
    assert refusals(kernel("Late(23)")) == refusals(kernel("Unheard(1)")) == []


def test_a_type_is_looked_for_in_all_forms_of_an_operator():
    (refusal,) = refusals(of_type(HALF, "Range"))
    assert refusal.readings == {"1.16.3": REFUSES, "1.18.1": REFUSES, "1.20.1": READS}
    assert [taken.since for taken in refusal.takes] == [11, 27]
    (other,) = refusals(of_type(HALF, "Scaler"))
    assert set(other.readings.values()) == {REFUSES}


def test_a_log_may_have_several_and_each_is_answered_once():
    log = "\n".join([ir(10, 9), kernel("Trilu(14)"), ir(10, 9), opset(20, 19)])
    assert len(refusals(log)) == 3
    assert len(refusals(ir(10, 9).replace(" IR version: 10, ", "\n  IR version: 10,\n  "))) == 1, "a terminal has wrapped it"


def test_nothing_is_read_for_another_text():
    def never():
        raise AssertionError("read")

    assert runtime_refusals("ImportError: IR version 10 of opset 16, Trilu(14)", never, never) == []


API = (
    "The requested API version [20] is not available, only API versions [1, 16] are supported in this build. "
    "Current ORT Version is: 1.16.0"
)


def test_a_newer_c_api_than_the_library_has():
    known = {"1.15.1": None, "1.16.3": 16, "1.18.1": 18, "1.20.1": 20}
    measured = {version: replace(LIMITS[version], api=api) for version, api in known.items()}
    (found,) = runtime_refusals(f"{API}\n\nthread 'main' panicked", lambda: measured, dict)
    assert found == ApiRefusal(
        asked=20, limit=16, having=("1.16.3",), readings={"1.16.3": REFUSES, "1.18.1": REFUSES, "1.20.1": READS}
    )
    assert runtime_refusals(API.replace("[20]", "[twenty]"), lambda: measured, dict) == []
