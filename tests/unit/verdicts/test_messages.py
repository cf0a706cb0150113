"""What messages say of versions."""

from __future__ import annotations

import pytest

from harness.verdicts.messages import between_versions, demands, headline, is_above, plain


@pytest.mark.parametrize(
    ("kind", "message", "what"),
    [
        ("ModuleNotFoundError", "No module named 'onnxscript._framework_apis.torch_2_13'", "missing"),
        ("OnnxExporterError", "Module onnx is not installed! No module named 'onnx'", "missing"),
        ("AttributeError", "module 'torch.utils._pytree' has no attribute 'register_pytree_node'", "missing"),
        ("ImportError", "libtorch_cpu.so: undefined symbol: iJIT_NotifyEvent", "missing"),
        ("SystemError", "initialization of _pywrap failed: _ARRAY_API not found", "binaries"),
        ("ValueError", "numpy.dtype size changed, may indicate binary incompatibility", "binaries"),
        ("ProbeFailure", "Disabling PyTorch because PyTorch >= 2.6 is required but found 2.1.2", "check"),
        ("RuntimeError", "MarianMTModel requires the PyTorch library but it was not found in your environment", "check"),
        ("RuntimeError", "this exporter requires onnx >= 1.17", "check"),
        ("RuntimeError", "Exporting the operator 'aten::triu' to ONNX opset version 12 is not supported", None),
        ("AttributeError", "'DynamicCache' object has no attribute 'key_cache'", None),
        ("TypeError", "forward() requires 3 positional arguments", None),
    ],
)
def test_words_about_versions_are_known(kind, message, what):
    found = between_versions(kind, message)
    assert (found is None) if what is None else what in found


@pytest.mark.parametrize(
    ("message", "above"),
    [
        ("Unsupported model IR version: 10, max supported IR version: 9", True),
        ("model.cc:111 onnxruntime::Model::Model Unknown model file format version.", True),
        ("Opset 20 is under development and support for this is limited.", True),
        ("Unknown model file", False),
    ],
)
def test_onnxruntime_says_in_several_ways_that_a_stamp_is_above_its_own(message, above):
    assert is_above(message) is above


def test_uvs_proof_names_who_asks_for_what():
    proof = """error: No solution found when resolving dependencies:
  cause: Because onnxruntime==1.18.1 depends on numpy>=1.26.0,<2.0 and you require
      onnxruntime==1.18.1, we can conclude that you require numpy>=1.26.0,<2.0. And because all versions of onnxscript
      depend on onnx>=1.16, … are unsatisfiable. hint: 0.7.3.dev2 depends on onnx>=1.16"""
    assert demands(proof) == [
        "onnxruntime==1.18.1 depends on numpy>=1.26.0,<2.0",
        "all versions of onnxscript depend on onnx>=1.16",
    ]


OVERLOADS = "incompatible function arguments. The following argument types are supported:"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f"f(): {OVERLOADS}\n  1. (x: int)\n\nInvoked with: 'a'", "f(): incompatible function arguments"),
        (
            f"f(): {OVERLOADS}\n  1. (x: int)\n(Occurred when translating aten::add).\n",
            "f(): incompatible function arguments\n(Occurred when translating aten::add).",
        ),
        (f"f(): {OVERLOADS} (Occurred when a) then b", "f(): incompatible function arguments"),
        ("no overload", "no overload"),
    ],
)
def test_what_a_message_lists_is_left_out(message, expected):
    assert plain(message) == expected


# Each would take longer than anybody waits with a pattern that goes back over what it has seen.
@pytest.mark.parametrize(
    "message",
    [
        f"{OVERLOADS}{' ' * 500_000}x",
        f"{OVERLOADS}{'(Occurred when ' * 50_000}",
        "\n" * 500_000 + "x",
        "a" * 500_000,
        "a>=1" * 50_000,
        "all versions of " * 50_000,
        "version `" * 50_000,
        "Requires " + "a " * 200_000,
    ],
)
def test_no_words_keep_anybody_waiting(message):
    assert headline(message) == headline(f"{message} ")
    assert demands(message) == []
    assert between_versions("RuntimeError", message) is None


def test_the_graph_that_torchscript_prints_is_not_the_point():
    dump = (
        "  [Caused by the value '29 defined in (%29 : Float(*) = onnx::Pad(%x))' (type 'Tensor') in the TorchScript graph.]"
        + " x" * 300
    )
    assert headline(f"Unsupported: a kernel of unknown shape.{dump}") == "Unsupported: a kernel of unknown shape."
