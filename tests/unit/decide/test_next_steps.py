"""What would answer for an unknown message."""

from __future__ import annotations

import pytest

from harness.decide.next_steps import FindOut, way


@pytest.mark.parametrize(
    "text",
    [
        "No solution found when resolving dependencies",
        "error: Distribution `x==1.0 @ registry` can't be installed because it doesn't have a wheel for the current platform",
        "onnx 1.13.0 requires protobuf<4,>=3.20.2, but you have protobuf 3.20.1 which is incompatible.",
        "ImportError: cannot import name 'is_tf_available' from 'transformers.utils'",
        "module 'onnx.helper' has no attribute 'float32_to_bfloat16'",
        "Exporting the operator diff to ONNX opset version 11 is not supported.",
        "No ONNX function found for <OpOverload(op='aten.mul', overload='Scalar')>",
        "RuntimeError: operator torchvision::nms does not exist",
        'File "/x/onnxruntime/quant_utils.py", line 115, in <module>\n    x.FLOAT8: y,\nAttributeError: FLOAT8',
        "If this call came from a _pb2.py file, your generated code is out of date",
    ],
)
def test_check_answers_for_versions_and_for_operators_of_an_export(text):
    assert way(text) is FindOut.VERSIONS


@pytest.mark.parametrize(
    "text",
    [
        "Could not find an implementation for EyeLike(9) node with name 'EyeLike_0'",
        "External initializer: size to read: 11534336 given file_length: 4194304 are out of bounds",
        "Invalid Feed Input Name:past_key_values.3.encoder.value",
        "Non-zero status code returned while running Reshape node. Name:'Reshape_62'",
        "Opset 19 is under development. Official support is till opset 18. Load only official released onnx opset versions",
        "Constraints violated (batch)! guard L['x'].size()[0] != 1",
    ],
)
def test_what_is_about_a_graph_takes_the_model(text):
    assert way(text) is FindOut.MODEL


@pytest.mark.parametrize(
    "text",
    [
        "ImportError: DLL load failed while importing onnx_cpp2py_export",
        'LoadLibrary failed with error 126 "" when trying to load "C:\\x\\onnxruntime_providers_cuda.dll"',
        "OSError: /lib/libstdc++.so.6: version `GLIBCXX_3.4.29' not found (required by /x/onnxruntime_pybind11_state.so)",
        "ImportError: libonnxruntime.so.1.9: cannot enable executable stack as shared object requires: Invalid argument",
        "ImportError: flash_attn_2_cuda.cpython-311-x86_64-linux-gnu.so: undefined symbol: _ZN3c104cuda9SetDeviceEi",
    ],
)
def test_native_libraries_are_not_measured(text):
    assert way(text) is FindOut.NOTHING
