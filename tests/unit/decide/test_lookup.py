"""Messages as people paste them: which are recognised, for which values, and which must not be."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from values import report, reported_cell, reported_variant

from harness.decide.known_messages import KnownMessage, causes, explained_in, known_messages
from harness.decide.lookup import Recognised, other_builds, recognised
from harness.model import Cause, Certainty, Stage, Status
from harness.published_reports import Published
from harness.verdicts.report_schema import ReportedVariant

MESSAGES = tomllib.loads((Path(__file__).parent / "pasted_messages.toml").read_text())
RUNNING = "Non-zero status code returned while running"
ZERO = "The dimension with value zero exceeds the dimension size of the input tensor."
IN_IF = f"{RUNNING} If node. Name:'a' Status Message: {RUNNING} Reshape node. Name:'/b' Status Message: {ZERO}"


def measured(name: str, **given: object) -> ReportedVariant:
    """The failure with this name."""
    message = MESSAGES["measured"][name]
    return failing(Stage(message["stage"]), message["type"], Cause(message["cause"]), message["error"], **given)


def failing(stage: Stage, error_type: str, cause: Cause, error: str, **given: object) -> ReportedVariant:
    certainty = {"cause": cause, "certainty": Certainty.PROVEN, "error_type": error_type}
    return reported_variant(Status.FAILS, stage, error=error, **certainty, **given)


def published(*variants: ReportedVariant, name: str = "matrix", **pins: str) -> Published:
    return Published(name=name, path=Path("matrix.json"), report=report(reported_cell(*variants, **pins)))


@pytest.fixture(scope="module")
def known() -> list[KnownMessage]:
    return known_messages([published(*map(measured, MESSAGES["measured"]))])


def found(text: str, known: list[KnownMessage]) -> list[str]:
    """The names of what is recognised."""
    names = {message["error"]: name for name, message in MESSAGES["measured"].items()}
    return [names[match.failures[0].variant.error] for match in recognised(text, known)]


@pytest.mark.parametrize("pasted", MESSAGES["pasted"], ids=lambda pasted: pasted["is"])
def test_a_message_is_recognised_in_whatever_way_it_is_pasted(pasted, known):
    assert found(pasted["text"], known) == [pasted["is"]]


@pytest.mark.parametrize("pasted", MESSAGES["unknown"], ids=lambda pasted: pasted["why"])
def test_what_is_merely_similar_is_unknown(pasted, known):
    assert recognised(pasted["text"], known) == []


def only(text: str, known: list[KnownMessage]) -> Recognised:
    (match,) = recognised(text, known)
    return match


def test_numbers_say_which_failures_a_text_speaks_of(known):
    match = only("Unsupported model IR version: 10, max supported IR version: 9", known)
    assert (match.values, match.measured) == (("10", "9"), True)
    assert [failure.variant.error for failure in match.failures] == [MESSAGES["measured"]["ir 10 of 9"]["error"]]


def test_other_numbers_are_recognised_as_not_measured(known):
    match = only("Unsupported model IR version: 11, max supported IR version: 10", known)
    assert (match.values, match.measured, len(match.failures)) == (("11", "10"), False, 2)


def test_another_name_with_digits_is_not_what_was_measured(known):
    assert only("module 'ml_dtypes' has no attribute 'float4_e2m1fn'", known).measured
    assert not only("module 'ml_dtypes' has no attribute 'float6_e2m3fn'", known).measured


def test_another_type_is_not_what_was_measured():
    words = "Could not find an implementation for ArgMax(13), which is what a node with tensor({}) would need"
    reports = [published(failing(Stage.LOAD, "Fail", Cause.RUNTIME, words.format("int64"), signature="of an older version"))]
    assert only(words.format("int64"), known_messages(reports)).measured
    assert not only(words.format("int8"), known_messages(reports)).measured


def test_messages_that_an_older_version_took_for_one_are_two():
    words = "the plugin {} cannot be used on this machine"
    names = ("libcudnn.so", "libcublas.so")
    fails = [failing(Stage.LOAD, "Fail", Cause.RUNTIME, words.format(name), signature="alike") for name in names]
    assert [message.text for message in known_messages([published(*fails)])] == [words.format(name) for name in names]


def test_the_end_alone_is_said_to_be_a_part(known):
    assert not only(ZERO, known).whole
    assert only(IN_IF, known).whole


NUMPY = "A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0.2 as it may crash"
FRAME = 'Traceback (most recent call last):\n  File "/a/site-packages/{}/__init__.py", line 3, in <module>\n'


@pytest.mark.parametrize(
    ("text", "unnamed"),
    [
        (NUMPY, {"onnxruntime"}),
        (f"{NUMPY}\n{FRAME.format('onnxruntime')}", set()),
        (f"{NUMPY}\n{FRAME.format('cv2')}AttributeError: no\n{FRAME.format('onnxruntime')}ValueError: no", {"onnxruntime"}),
        (f"import cv2\nimport onnxruntime\n\n{NUMPY}", {"onnxruntime"}),
        (f"import onnxruntime\nimport numpy as np\n\n{NUMPY}", set()),
    ],
)
def test_a_module_is_blamed_only_if_its_import_is_the_one_that_failed(text, unnamed):
    known = known_messages([published(measured("numpy 2", remedies=["onnxruntime 1.19.2 (also 1.20.1)", "numpy 1.26.4"]))])
    match = only(text, known)
    (failure,) = match.failures
    assert match.unnamed == unnamed
    assert match.shows_cause is not bool(unnamed)
    assert match.admits(failure, "onnxruntime 1.19.2") is not bool(unnamed)
    assert match.admits(failure, "numpy 1.26.4")


def test_of_one_message_of_several_imports_the_failures_of_the_same_import_count():
    other = replace(measured("numpy 2"), error=f"import torch: {NUMPY}")
    known = known_messages([published(measured("numpy 2"), other)])
    assert [failure.module for failure in only(f"{NUMPY}\n{FRAME.format('torch')}", known).failures] == ["torch"]
    assert only(NUMPY, known).unnamed == {"torch", "onnxruntime"}


@pytest.mark.parametrize(
    ("text", "unnamed"),
    [
        ("No module named 'onnxscript'", {"torch"}),
        ("with PyTorch 2.9: No module named 'onnxscript'", set()),
        ("torchvision: No module named 'onnxscript'", {"torch"}),
    ],
)
def test_an_export_that_lacks_an_import_blames_no_package_of_which_the_text_does_not_speak(text, unnamed):
    remedies = ["onnxscript", "torch 2.6.0", "exporter torchscript"]
    words = "No module named 'onnxscript'"
    known = known_messages(
        [published(failing(Stage.EXPORT, "ModuleNotFoundError", Cause.VERSION_CONFLICT, words, remedies=remedies))]
    )
    match = only(text, known)
    admitted = [change for change in remedies if match.admits(match.failures[0], change)]
    assert match.unnamed == unnamed
    assert admitted == [change for change in remedies if change != "torch 2.6.0" or not unnamed]


def test_a_remedy_that_the_numbers_rule_out_is_left_out():
    words = "Opset {} is under development. Current official support for domain ai.onnx is till opset {}."
    fails = failing(Stage.LOAD, "Fail", Cause.FORMAT_GATE, words.format(20, 19), remedies=["opset 18", "onnxruntime 1.20.1"])
    known = known_messages([published(fails)])
    other, same = only(words.format(16, 15), known), only(words.format(20, 19), known)
    assert other.ruled_out == {"opset 18": "at most 15"}
    assert [other.admits(other.failures[0], change) for change in fails.remedies] == [False, True]
    assert same.ruled_out == {}
    assert all(same.admits(same.failures[0], change) for change in fails.remedies)


def test_a_log_with_several_messages_gives_them_all_the_best_supported_first():
    known = known_messages([published(measured("attention"), measured("pytree"), measured("pytree"))])
    log = "\n".join(MESSAGES["measured"][name]["error"] for name in ("attention", "pytree"))
    assert found(log, known) == ["pytree", "attention"]


def test_words_of_the_harness_are_no_messages_but_what_packages_log_at_import():
    own = "case 1 tokens, step 0: logits: 99 of 100 values differ, by up to 0.338"
    reports = [published(failing(Stage.PARITY, "ProbeFailure", Cause.EXPORTER, own), measured("disabled"))]
    assert [message.text for message in known_messages(reports)] == [MESSAGES["measured"]["disabled"]["error"]]


def test_only_failures_are_messages():
    words = {"error": "the same words as elsewhere, for a test", "error_type": "RuntimeError"}
    statuses = (Status.FLAKY, Status.ERROR, Status.WORKS)
    assert known_messages([published(*(reported_variant(status, Stage.LOAD, **words) for status in statuses))]) == []


def test_one_message_with_several_causes_has_them_all_the_best_supported_first():
    exporter = replace(measured("zero"), cause=Cause.EXPORTER)
    consumer = measured("zero", remedies=["feedback keep-cross", "layout pair (also no-cache)"])
    reports = [published(exporter, consumer, onnxruntime="1.16.3"), published(consumer, name="variants", onnxruntime="1.20.1")]
    (message,) = known_messages(reports)
    first, second = causes(message.failures, explained_in(reports))
    assert (first.cause, first.variants, first.cells) == (Cause.CONSUMER_PROTOCOL, 2, 2)
    assert first.remedies == {"feedback keep-cross": 2, "layout pair": 2}
    assert [(found.report, found.explained) for found in first.occurrences] == [("matrix", True), ("variants", True)]
    assert (second.cause, second.variants, second.remedies) == (Cause.EXPORTER, 1, {})


def test_the_versions_of_a_failure_are_those_that_distinguish_it_and_those_that_are_everywhere():
    fails = reported_cell(measured("fusion"), reported_variant(exporter="dynamo"), onnxruntime="1.17.0")
    works = reported_cell(reported_variant(), reported_variant(exporter="dynamo"), onnxruntime="1.21.0")
    reports = [Published(name="matrix", path=Path("matrix.json"), report=report(fails, works))]
    (message,) = known_messages(reports)
    ((occurrence,),) = [cause.occurrences for cause in causes(message.failures, explained_in(reports))]
    spreads = {spread.name: (spread.failing, spread.measured) for spread in occurrence.versions}
    assert spreads["onnxruntime"] == (["1.17.0"], 2)
    assert spreads["torch"] == (["2.1.2"], 1)
    assert spreads["exporter"] == (["torchscript"], 2)
    assert "layout" not in spreads


def test_a_cell_that_explain_finds_in_another_report_is_not_explained_here():
    variant = measured("fusion")
    reports = [published(reported_variant()), published(variant, name="variants")]
    (message,) = known_messages(reports)
    ((occurrence,),) = [cause.occurrences for cause in causes(message.failures, explained_in(reports))]
    assert (occurrence.report, occurrence.explained) == ("variants", False)


@pytest.mark.parametrize(
    ("text", "builds"),
    [
        ("onnxruntime-training 1.19.2", ["onnxruntime-training"]),
        ("from onnxruntime_gpu, /onnxruntime_src/orttraining/x.cc", ["onnxruntime-gpu", "onnxruntime-training"]),
        ("onnxruntime_pybind11_state, onnxruntime-1.20.1, onnxruntime_src", []),
    ],
)
def test_builds_of_onnxruntime_that_were_not_measured_are_named(text, builds):
    assert other_builds(text) == builds


def test_changes_of_a_module_that_the_text_does_not_name_are_left_out_however_it_is_spelled(known):
    match = Recognised(
        message=known[0], values=(), whole=True, measured=True, failures=known[0].failures, unnamed={"onnxconverter_common"}
    )
    failure = known[0].failures[0]
    assert not match.admits(failure, "onnxconverter-common 1.16.0")
    assert match.admits(failure, "onnx 1.18.0")
