"""Parameters that a function does not take, against what releases take."""

from __future__ import annotations

import pytest

from harness.decide.model_support import Reading
from harness.decide.parameter_refusals import ParameterRefusal, parameter_refusals
from harness.verdicts.package_names import MeasuredNames, PackageNames

READS, REFUSES = Reading.READS, Reading.REFUSES
MEASURED = MeasuredNames(
    schema=1,
    packages={
        "onnxruntime": PackageNames(
            releases=["1.14.1", "1.16.3", "1.20.1"],
            modules={},
            names={"onnxruntime.quantization": {"quantize_dynamic()": "0-2", "quantize_dynamic(optimize_model)": "0"}},
        ),
        "torch": PackageNames(
            releases=["2.0.1", "2.6.0"],
            modules={},
            names={
                "torch.onnx": {"export()": "0-1", "export(dynamo)": "1"},
                "torch.onnx.utils": {"export()": "0-1", "export(dynamo)": "1"},
                "torch.ao.quantize": {"two_at_once()": "0-1", "two_at_once(x)": "0"},
                "torch.ao.quantize.fx": {"two_at_once()": "0-1", "two_at_once(x)": "1"},
                "torch.ao": {"prepare_everything(x)": "0", "prepare_everything()": "0-1"},
            },
        ),
        "transformers": PackageNames(
            releases=["4.30.0", "4.57.6", "5.0.0"],
            modules={},
            names={
                "transformers.models.marian.modeling_marian": {
                    "MarianDecoder.forward()": "1-2",
                    "MarianDecoder.forward(cache_position)": "2",
                },
                "transformers.utils": {"prepare_everything()": "0-2", "prepare_everything(x)": "1"},
            },
        ),
    },
)  # fmt: skip


def refusals(text: str) -> list[ParameterRefusal]:
    return parameter_refusals(text, lambda: MEASURED)


def unexpected(function: str, parameter: str) -> str:
    return f"TypeError: {function}() got an unexpected keyword argument '{parameter}'"


def test_a_parameter_is_held_against_what_each_release_takes():
    text = unexpected("quantize_dynamic", "optimize_model")
    (refusal,) = refusals(f"{text}\n{text}")
    assert (refusal.package, refusal.module) == ("onnxruntime", "onnxruntime.quantization")
    assert refusal.readings == {"1.14.1": READS, "1.16.3": REFUSES, "1.20.1": REFUSES}


def test_a_release_without_the_function_is_not_counted():
    frame = 'File "/x/site-packages/transformers/models/marian/modeling_marian.py", line 1, in forward'
    (refusal,) = refusals(f"{frame}\n{unexpected('MarianDecoder.forward', 'cache_position')}")
    assert refusal.readings == {"4.57.6": REFUSES, "5.0.0": READS}


@pytest.mark.parametrize(
    "place", ["torch.onnx.export(model, x)", "site-packages/torch/onnx/utils.py", "from torch.onnx import export"]
)
def test_a_common_name_takes_a_text_that_names_its_package(place):
    (refusal,) = refusals(f"{place}\n{unexpected('export', 'dynamo')}")
    assert (refusal.module, refusal.readings) == ("torch.onnx", {"2.0.1": REFUSES, "2.6.0": READS})


@pytest.mark.parametrize(
    "text",
    [
        unexpected("export", "dynamo"),
        f"torchvision.export()\n{unexpected('export', 'dynamo')}",
        unexpected("prepare_everything", "x"),
        unexpected("forward", "cache_position"),
        unexpected("MarianDecoder.forward", "cache_position"),
        f"/x/site-packages/other/a.py {unexpected('quantize_dynamic', 'optimize_model')}",
        f"torch.ao.quantize {unexpected('two_at_once', 'x')}",
        unexpected("OtherDecoder.forward", "cache_position"),
        unexpected("quantize_dynamic", "something"),
        "quantize_dynamic() missing 1 required positional argument: 'optimize_model'",
    ],
)
def test_what_may_be_another_function_is_none(text):
    assert refusals(text) == []


def test_of_two_packages_the_one_that_the_text_names():
    (refusal,) = refusals(f"from transformers.utils import prepare_everything\n{unexpected('prepare_everything', 'x')}")
    assert refusal.package == "transformers"
