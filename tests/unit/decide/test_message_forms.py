"""The forms of messages: what differs between machines, bindings and terminals is not in them."""

from __future__ import annotations

import time

import pytest

from harness.decide import message_forms

RESHAPE = "The dimension with value zero exceeds the dimension size of the input tensor."
ARGUMENTS = "(const onnxruntime::TensorShape&, onnxruntime::TensorShapeVector&, bool)"
IR = "Unsupported model IR version: 10, max supported IR version: 9"


FILE = "providers/cpu/tensor/reshape_helper.h"
FUNCTION = "onnxruntime::ReshapeHelper::ReshapeHelper"
CONDITION = "i < input_shape.NumDimensions() was false."


@pytest.mark.parametrize(
    "place",
    [
        f"/onnxruntime_src/onnxruntime/core/{FILE}:28 {FUNCTION}{ARGUMENTS} {CONDITION} ",
        rf"D:\a\_work\1\s\onnxruntime\core\{FILE}:30 {FUNCTION} {CONDITION} ",
        f"/Users/runner/work/1/s/onnxruntime/core/{FILE}:37 {FUNCTION}{ARGUMENTS} {CONDITION} ",
        f"\n/onnxruntime/onnxruntime/core/{FILE}:27 {FUNCTION}{ARGUMENTS} {CONDITION} \n",
        "",
    ],
)
def test_the_place_in_onnxruntime_is_no_part_of_a_message(place):
    assert message_forms.form(f"running Reshape node. Name:'/a/b' Status Message: {place}{RESHAPE}") == (
        f"running Reshape node. Name:'…/b' Status Message: {RESHAPE}"
    )


@pytest.mark.parametrize(
    "place",
    [
        "matmul_helper.h:59 Compute",
        "matmul_helper.h:61 onnxruntime::MatMulComputeHelper::Compute",
        "/onnxruntime_src/core/providers/cpu/math/matmul_helper.h:61 onnxruntime::MatMulComputeHelper::Compute",
    ],
)
def test_the_function_of_a_status_is_no_part_of_a_message(place):
    assert message_forms.form(f"{place} MatMul dimension mismatch") == "MatMul dimension mismatch"


@pytest.mark.parametrize(
    "text",
    [
        IR,
        "Unsupported model IR version: 10,\nmax supported IR version: 9",
        "│ Unsupported model IR version: 10, │\n│ max supported IR version: 9      │",
        "> Unsupported model IR version: 10,\n> max supported IR version: 9",
        "E   Unsupported model IR version: 10, max supported IR version: 9",
        "\x1b[31mUnsupported model IR version: 10\x1b[0m, max supported IR version: 9",
        "**Unsupported model IR version: `10`, max supported IR version: `9`**",
    ],
)
def test_what_a_terminal_or_a_page_adds_is_no_part_of_a_message(text):
    assert message_forms.form(text) == IR


def test_a_comparison_at_the_start_of_a_line_stays():
    assert message_forms.form("PyTorch\n>= 2.6 is required\n>=2.6") == "PyTorch >= 2.6 is required >=2.6"


LOADING = "decoder_merged: [ONNXRuntimeError] : 1 : FAIL : Load model from <store>/artifacts/0f/decoder_merged.onnx failed:"
MODEL = "/onnxruntime_src/onnxruntime/core/graph/model.cc:149 onnxruntime::Model::Model(onnx::ModelProto&&, bool) "
PYTREE = "module 'torch.utils._pytree' has no attribute 'register_pytree_node'"
OVERLOADS = """z_(): incompatible function arguments. The following argument types are supported:
    1. (self: torch._C.Node)

Invoked with: %8 : Tensor = onnx::Constant()
, 'value', 0.25
(Occurred when translating attention)."""
SIZES = "The size of tensor a (s70) must match the size of tensor b (s70 + 1) at non-singleton dimension 3)"
SIZES_FORM = "The size of tensor a (s…) must match the size of tensor b (s… + 1) at non-singleton dimension 3"


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        (f"{LOADING}{MODEL}{IR}", (IR,)),
        (f"import transformers: AttributeError: {PYTREE}", (PYTREE,)),
        (f"Failed to export the model with torch.export.\ncaused by RuntimeError: {SIZES}", (SIZES_FORM,)),
        ("It failed to export.\ncaused by KeyError: 'mask' is missing", ("'mask' is missing", "It failed to export")),
        (OVERLOADS, ("z_(): incompatible function arguments", "(Occurred when translating attention)")),
        (
            "Exporting aten::a is not supported. Please feel free to request support or …",
            ("Exporting aten::a is not supported",),
        ),
        ("the beginning […] and the end", ("the beginning", "and the end")),
    ],
)
def test_the_parts_of_a_message_are_what_a_package_says(message, parts):
    assert message_forms.parts(message) == parts


def test_of_several_complaints_the_first_is_the_point():
    message = (
        "import transformers: Disabling PyTorch because PyTorch >= 2.6 is required but found 2.1.2; PyTorch was not found."
    )
    assert message_forms.parts(message, complaints=True) == (
        "Disabling PyTorch because PyTorch >= 2.6 is required but found 2.1.2",
    )


def test_of_a_proof_its_end_is_the_point():
    message = (
        "error: No solution found when resolving dependencies\n  cause: Because only these are available: […] 1.0\n"
        "  And because a==1 has no wheels and you require a==1, we can conclude that your requirements are unsatisfiable.\n\n"
        "hint: You require CPython 3.12"
    )
    assert message_forms.proof(message) == (
        "And because a==1 has no wheels and you require a==1, we can conclude that your requirements are unsatisfiable",
    )


@pytest.mark.parametrize(
    ("form", "template", "values"),
    [
        (IR, "Unsupported model IR version: #, max supported IR version: #", ("10", "9")),
        ("found 2.1.2+cu…, not 2.6.", "found #, not #.", ("2.1.2+cu…", "2.6")),
        ("onnx>=1.17 and opset14 of …/opset14.py", "onnx>=# and opset14 of …/opset14.py", ("1.17",)),
        ("X.shape={…} and axis=1", "X.shape={…} and axis=#", ("1",)),
    ],
)
def test_numbers_that_stand_alone_are_values(form, template, values):
    assert message_forms.template(form) == template
    assert message_forms.values(form) == values
    found = message_forms.pattern((template,)).search(f"before {form} behind")
    assert found
    assert found.groups() == values


@pytest.mark.parametrize(
    "text",
    [
        f"a {IR}0",
        "Unsupported model IR version: ten, max supported IR version: 9",
        f"running If node. Status Message: {IR}",
    ],
)
def test_a_pattern_ends_at_words_and_is_not_inside_of_another_node(text):
    pattern = message_forms.pattern(("Unsupported model IR version: #, max supported IR version: 9",))
    assert pattern.search(IR)
    assert not pattern.search(text)


@pytest.mark.parametrize(
    "text",
    [
        " " * 2**18 + "x",
        "a" * 2**18,
        "a-" * 2**17,
        "/a" * 2**17,
        "/onnxruntime_src/" * 2**14,
        "/onnxruntime_src/a.h:1 a::b " * 2**13,
        "…/" * 2**17,
        "with name '" * 2**14,
    ],
    ids=range(8),
)
def test_a_form_takes_time_in_proportion_to_the_text(text):
    def seconds(part: str) -> float:
        start = time.process_time()
        message_forms.form(part)
        return time.process_time() - start

    assert min(seconds(text) for _ in range(2)) < 40 * max(seconds(text[: len(text) // 8]), 0.001)


def test_what_the_probe_says_before_a_message_of_a_package_is_no_part_of_it():
    message = "import torch: it cannot exchange arrays with the installed numpy: Numpy is not available"
    assert message_forms.parts(message) == ("Numpy is not available",)


@pytest.mark.parametrize(
    "behind",
    [
        "  (Size-like symbols: none)\n\nCaused by: (_export/utils.py:12 in f)\n\nThe following call raised this error:\n  F",
        "\nCaused by: (_export/utils.py:12 in f)",
        "\n<omitting python frames>\n\n\nWhile executing %a : [num_users=1]\nOriginal traceback:\nFile probe.py, line 17",
    ],
)
def test_symbols_and_sources_of_a_model_are_no_part_of_a_message(behind):
    message = "Could not guard on data-dependent expression Eq(u0, 1) (unhinted: Eq(u0, 1))"
    assert message_forms.parts(f"{message}.{behind}") == (message_forms.form(message),)
