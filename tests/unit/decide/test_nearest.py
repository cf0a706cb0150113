"""The messages that are near a text, and where they differ."""

from __future__ import annotations

from pathlib import Path

import pytest
from values import report, reported_cell, reported_variant

from harness.decide.known_messages import KnownMessage, known_messages
from harness.decide.nearest import Near, nearest
from harness.model import Stage, Status
from harness.published_reports import Published

RUNNING = "Non-zero status code returned while running"
SIZES = "The input tensor cannot be reshaped to the requested shape. Input shape:{1}, requested shape:{16,1}"
NUMPY = "A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0.2 as it may crash"
OPSET = "Opset 20 is under development. Current official support for domain ai.onnx is till opset 19."
CACHE = "Dictionaries are accepted too. Here, received an input of unsupported type: EncoderDecoderCache"
MESSAGES = [
    (Stage.IMPORT, f"import onnxruntime: {NUMPY}"),
    (Stage.IMPORT, "module 'numpy' has no attribute 'object'"),
    (Stage.EXPORT, CACHE),
    (Stage.LOAD, OPSET),
    (Stage.DECODE, f"{RUNNING} Reshape node. Name:'/model/decoder/Reshape_1' Status Message: {SIZES}"),
]


@pytest.fixture(scope="module")
def known() -> list[KnownMessage]:
    variants = [reported_variant(Status.FAILS, stage, error=error, error_type="Fail") for stage, error in MESSAGES]
    return known_messages([Published(name="matrix", path=Path("matrix.json"), report=report(reported_cell(*variants)))])


def first(text: str, known: list[KnownMessage]) -> Near:
    near = nearest(text, known)
    assert near
    return near[0]


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        (OPSET.replace("ai.onnx", "ai.onnx.ml").replace("20", "3"), ("ai.onnx", "ai.onnx.ml")),
        (f"12:01 error C++ code 7, Load model failed: {OPSET.replace('ai.onnx', 'ai.onnx.ml')}", ("ai.onnx", "ai.onnx.ml")),
        (CACHE.replace("EncoderDecoder", "Dynamic"), ("EncoderDecoderCache", "DynamicCache")),
        (OPSET.partition(" for domain")[0], ("for domain ai.onnx is till opset #", "")),
        (CACHE.replace("are accepted", "and lists are accepted"), ("", "and lists")),
    ],
)
def test_what_differs_most_is_named_without_what_stands_around(text, apart, known):
    near = first(text, known)
    assert near.apart == apart
    assert 0.6 <= near.similarity < 1


def test_the_same_words_at_the_import_of_another_module_are_near(known):
    near = first(f'{NUMPY}\nTraceback (most recent call last):\n  File "/a/site-packages/cv2/__init__.py", line 1, in b', known)
    assert (near.similarity, near.apart) == (1, ("import onnxruntime", "import cv2"))


def test_the_same_words_in_another_node_are_near(known):
    near = first(f"{RUNNING} Reshape node. Name:'Reshape_62' Status Message: {SIZES}", known)
    assert (near.similarity, near.apart) == (1, ("Reshape model/decoder/Reshape", "Reshape Reshape"))


def test_what_is_too_far_is_not_near(known):
    assert nearest("the weather is fine today", known) == []


def test_the_number_of_those_named_is_limited(known):
    assert len(nearest("\n".join(error for _, error in MESSAGES), known, count=2)) == 2


def test_a_message_about_other_names_is_not_near(known):
    assert nearest("AttributeError: module 'onnx' has no attribute 'mapping'", known) == []
    assert nearest("AttributeError: module 'numpy' has no attribute 'float'", known) != []
