"""Equal faults get equal fingerprints."""

from __future__ import annotations

import pytest

from harness.model import Failure, Stage
from harness.probe.runtimes.runner.client import RuntimeFault
from harness.verdicts.signature import normalised, signature


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("no file /tmp/tmpa1/model.onnx", "no file /home/u/.harness/artifacts/ff/model.onnx"),
        ("object at 0x7f3ca1", "object at 0xdeadbeef"),
        ("cannot reshape {1,4,0,8}", "cannot reshape {2,4,0,8}"),
        ("requested shape:{0,-1,1,8}", "requested shape:{0,4,1,8}"),
        (
            "Message: /onnxruntime_src/core/reshape.h:45 A::A(const Shape&, bool) i == size was false. It cannot",
            "Message: /onnxruntime_src/core/reshape.h:91 A::A(const Shape&, bool) i == asked_size was false. It cannot",
        ),
        ("shape [1, 2] is not (3, 4)", "shape [5, 6] is not (7, 8)"),
        ("differ by 3.2e-05", "differ by 1.7e-04"),
        ("differ by 0.50217", "differ by 1.73001"),
        ("<Pass object at 0x7f1de92fd110>", "<Pass object at 0x7f43b61ab510>"),
        ("cannot open tmp8x_k2q1 for writing", "cannot open tmpzz91_ab for writing"),
        ("no file /tmp/tmpab12cd_9", "no file /var/tmp/tmpqq88zz_1"),
        ("Tensor with id 140234567890123 is gone", "Tensor with id 139871234567012 is gone"),
        ("key 1f0c3a5be2d94f01 is missing", "key a0b1c2d3e4f5a6b7 is missing"),
        ("run 123e4567-e89b-12d3-a456-426614174000 ended", "run 00000000-e89b-12d3-a456-426614174999 ended"),
        ('File "torch/onnx/utils.py", line 1612, in export', 'File "torch/onnx/utils.py", line 1598, in export'),
        ("worker pid 4711 died", "worker pid 12 died"),
        ("node_Reshape_17 failed", "node_Reshape_2041 failed"),
        ("at /decoder/layers.0/Concat_3", "at /decoder/layers.1/Concat_12"),
        ("one  two\nthree", "one two three"),
        ("unexpected keys {'alpha', 'beta'}", "unexpected keys {'beta', 'alpha'}"),
        ("at 16:22:36 no", "at 9:01:00.123 no"),
        ("2026-11-29 16:22:36.12 no", "2026-11-30T00:00:00,5 no"),
        ("since 2026-11-29 no", "since 2025-01-02 no"),
        ("Could not guard on Eq(u0, 1)", "Could not guard on Eq(u12, 1)"),
        ("case a1, started with no past, step 2: no", "case b2, started with dummy past of length 1, step 4: no"),
        ("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : no", "Error in execution: no"),
        ("while running MatMul node. Name:'later/MatMul' Status", "while running MatMul node. Name:'fused' Status"),
    ],
)
def test_what_differs_from_run_to_run_does_not_count(one, other):
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "Unsupported model IR version: 10, max supported IR version: 9",
            "Unsupported model IR version: 9, max supported IR version: 8",
        ),
        ("died at step 3", "died at step 4"),
        ("no file model.onnx", "no file decoder.onnx"),
        ("requires onnx>=1.16", "requires onnx>=1.17"),
        ("Reshape failed", "Concat failed"),
        ("opset 17 is not supported", "opset 18 is not supported"),
        ("index 1 is out of bounds for axis 2", "index 1 is out of bounds for axis 3"),
        ("no attribute tmp_dir", "no attribute tmp_folder"),
        ("deadbeefdeadbeef is a name", "feedfacefeedface is a name"),
        ("no kernel for int64", "no kernel for int8"),
        ("no kernel for tensor(float16)", "no kernel for tensor(float64)"),
        ("float8_e4m3fn is no type", "float8_e5m2fn is no type"),
        ("no class Conv1d", "no class Conv2d"),
        ("no wheel for cp311", "no wheel for cp312"),
        ("not compiled for sm_80", "not compiled for sm_90"),
        ("no module symbolic_opset14", "no module symbolic_opset15"),
        ("libcudnn.so.8: cannot open shared object file", "libcudnn.so.9: cannot open shared object file"),
        ("dtype '<u8' is not supported", "dtype '<u4' is not supported"),
        ("unexpected keys {'alpha', 'beta'}", "unexpected keys {'alpha', 'gamma'}"),
    ],
)
def test_what_makes_a_fault_another_one_counts(one, other):
    assert normalised(one) != normalised(other)


def test_a_signature_is_of_a_stage_a_type_and_a_message():
    failure = Failure(type="ValueError", message="object at 0x1", traceback="here")
    same = Failure(type="ValueError", message="object at 0x2", traceback="there")
    assert signature(Stage.LOAD, failure) == signature(Stage.LOAD, same)
    assert signature(Stage.LOAD, failure) != signature(Stage.DECODE, failure)
    assert signature(Stage.LOAD, failure) != signature(Stage.LOAD, Failure(type="TypeError", message="object at 0x1"))


def test_one_refusal_of_a_library_has_one_signature_whatever_its_binding():
    text = "Non-zero status code returned while running Reshape node. Name:'a' Status Message: no"
    of_python = Failure(type="Fail", message=f"[ONNXRuntimeError] : 1 : FAIL : {text}")
    of_runner = Failure(type=RuntimeFault.__name__, message=text)
    assert signature(Stage.DECODE, of_python) == signature(Stage.DECODE, of_runner)
    assert signature(Stage.DECODE, of_runner) != signature(Stage.DECODE, Failure(type="RunnerCrash", message=text))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("no file //a/b/c.onnx", "no file …/c.onnx"),
        ("no file /a//b/", "no file …/b/"),
        ("see http://h/a/b, and /tmp", "see http:…/b, and /tmp"),
        ("see //h or /", "see //h or /"),
        ("a/b/c:d/e/f", "a…/c:d…/f"),
        ("differ by 1.2.3e-05 and 7e-3x", "differ by 1.… and …x"),
    ],
)
def test_of_a_path_its_last_part_is_left(text, same):
    assert normalised(text) == same


# Each would take longer than anybody lives with a pattern that goes back over what it has seen.
@pytest.mark.parametrize(
    "part",
    [
        "/",
        "/a",
        "//a",
        "1",
        "1.",
        "1e",
        "{",
        "tmp",
        "0x",
        "case , step 1",
        "/onnxruntime_src/x:1 ",
        "/onnxruntime_src/x:1 ::(",
        "{a",
        "2026-11-29 1:",
        "1:00:",
        "s1",
    ],
)
@pytest.mark.parametrize("end", ["", "/: bad", " ("])
def test_no_message_keeps_anybody_waiting(part, end):
    message = Failure(type="X", message=f"x {part * 100_000}{end}").message
    assert len(message) <= 20_000
    assert normalised(message) == normalised(f"{message}  ")


def test_of_a_message_without_end_the_middle_is_left_out():
    kept = Failure(type="X", message="start" + "a" * 30_000 + "end").message
    assert kept == f"start{'a' * 9990} […] {'a' * 9992}end"
    secret = f"{'a' * 9_980} https://user:{'s3' * 8_000}@h/simple {'b' * 9_000}"
    assert "s3" not in Failure(type="X", message=secret).message
