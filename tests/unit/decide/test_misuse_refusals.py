"""What onnxruntime says of damaged files and wrong feeds, with other names than those that were measured."""

from __future__ import annotations

import pytest

from harness.decide.misuse_refusals import MisuseRefusal, misuse_refusals
from harness.decide.model_support import Reading
from harness.model import Stage
from harness.published_reports import runtime_misuse
from harness.verdicts.runtime_misuse import MeasuredMisuse, Misuse

READS, REFUSES = Reading.READS, Reading.REFUSES
BROKEN = "Load model from {path} failed:Protobuf parsing failed"
REQUIRED = "Required inputs (['{missing}']) are missing from input feed (['{fed}'])"
INVALID = "Got invalid dimensions for input: {fed} for the following indices {sizes}"
UNEXPECTED = "Unexpected input data type. Actual: ({got_type}) , expected: ({expected_type})"
ABSENT = "Load model from {path} failed:Load model {path} failed"


def misuse(way: str, what: str, messages: dict[str, str]) -> Misuse:
    return Misuse(way=way, stage="load" if "path" in what else "decode", what=what, messages=messages)


MEASURED = MeasuredMisuse(
    schema=1,
    releases=["1.16.3", "1.20.1", "1.32.0"],
    misuses=[
        misuse("cut", "the file {path} ends early", {BROKEN: "0-2"}),
        misuse("text", "the file {path} is a text", {BROKEN: "0-1", "No protobuf": "2"}),
        misuse("absent", "no {path}", {ABSENT: "0-2"}),
        misuse("missing", "{missing} is not fed", {REQUIRED: "0-2"}),
        misuse("extra-input", "{extra} is fed", {"Invalid input name: {extra}": "1"}),
        misuse("count", "{missing} is not fed", {"Model requires {number} inputs. Input Feed contains {number}": "0"}),
        misuse("size", "{fed} has {sizes}", {INVALID: "0-2"}),
        misuse("type", "{got_type}, not {expected_type}", {UNEXPECTED: "0-2"}),
    ],
)
SIZES = "index: 2 Got: 0 Expected: 16\n index: 3 Got: 64 Expected: 128"


def refusals(text: str) -> list[MisuseRefusal]:
    return misuse_refusals(text, lambda: MEASURED)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "ValueError: Required inputs (['token_type_ids']) are missing from input feed (['input_ids', 'attention_mask']).",
            "token_type_ids is not fed",
        ),
        (
            "Required inputs (['a.0.key', 'a.0.value']) are missing from input feed ([]).",
            "a.0.key, a.0.value is not fed",
        ),
        ("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Invalid input name: position_ids.", "position_ids is fed"),
        ("onnxruntime says\nInvalid input name: past.0.key\nand more", "past.0.key is fed"),
        (
            f"Got invalid dimensions for input: past_key_values.9.value for the following indices\n {SIZES}\n Please fix",
            "past_key_values.9.value has index: 2 Got: 0 Expected: 16 index: 3 Got: 64 Expected: 128",
        ),
        (
            "Unexpected input data type. Actual: (tensor(int32)) , expected: (seq(map(string,tensor(float))))",
            "tensor(int32), not seq(map(string,tensor(float)))",
        ),
        ("Load model from /a b/m.onnx failed:Load model /a b/m.onnx failed. File doesn't exist", "no m.onnx"),
    ],
)
def test_names_sizes_and_types_are_those_of_the_text(text, what):
    (refusal,) = refusals(f"{text}\n{text}")
    assert refusal.what == (what,)


@pytest.mark.parametrize(
    "text",
    [
        "Required inputs are missing",
        "Missing Input: model.layers.0.input_layernorm.weight",
        "Load model from a.onnx failed:Load model b.onnx failed",
        "Got invalid dimensions for input: x for the following indices",
        "Unexpected input data type. Actual: (a) , expected: (b)",
        "onnxruntime: xInvalid input name: y",
        "grpc.RpcError: Triton: Invalid input name: image",
        "onnxruntime: Invalid input name: input ids with spaces",
        "onnxruntime: Invalid input name: past_key_values[0].key",
        "Model requires 2 inputs. Input Feed contains 3",
    ],
)
def test_less_than_the_message_is_none(text):
    assert refusals(text) == []


def test_one_message_of_several_misuses_names_them_all():
    (refusal,) = refusals("Load model from /m.onnx failed:Protobuf parsing failed.")
    assert refusal.what == ("the file m.onnx ends early", "the file m.onnx is a text")
    assert (refusal.stage, refusal.saying) == (Stage.LOAD, ("1.16.3", "1.20.1", "1.32.0"))
    assert set(refusal.readings.values()) == {REFUSES}


def test_of_two_files_each_has_its_own_message():
    text = (
        "Load model from a.onnx failed:ModelProto does not have a graph\nLoad model from b.onnx failed:Protobuf parsing failed."
    )
    (refusal,) = refusals(text)
    assert refusal.what == ("the file b.onnx ends early", "the file b.onnx is a text")


def test_a_release_without_a_message_takes_it():
    (refusal,) = refusals("onnxruntime: Invalid input name: y")
    assert refusal.readings == {"1.16.3": READS, "1.20.1": REFUSES, "1.32.0": READS}
    assert refusal.saying == ("1.20.1",)


def test_every_published_message_is_recognised_as_what_it_was_measured_for():
    measured = runtime_misuse()
    example = {"path": "m.onnx", "sizes": "index: 0 Got: 1 Expected: 2", "got": "3", "expected": "2", "number": "4"}
    example |= {"got_type": "tensor(int32)", "expected_type": "tensor(float)", "available": "CPUExecutionProvider"}
    example |= {"place": "a.cc:1 b"} | dict.fromkeys(("missing", "extra", "fed", "unknown", "absent", "name"), "some_name")
    for own_misuse in measured.misuses:
        for message, places in own_misuse.messages.items():
            found = misuse_refusals(f"onnxruntime\n{message.format(**example)}", lambda: measured)
            if message.startswith("Model requires"):  # it has no name
                assert found == []
                continue
            (own,) = [refusal for refusal in found if own_misuse.what.format(**example) in refusal.what]
            assert set(measured.saying(places)) <= set(own.saying)
            assert all(own.readings[version] is REFUSES for version in own.saying)
