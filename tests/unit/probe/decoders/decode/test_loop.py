"""The decoding loop over graphs that write down what they are given, and give what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from harness.probe.artifact import Case
from harness.probe.decoders.decode.case import DecodingCase
from harness.probe.decoders.decode.loop import decode
from harness.probe.decoders.decode.program import Program, Start
from harness.probe.findings import Findings
from harness.probe.outcome import NotRun, ProbeFailure
from harness.probe.runtime import Graph, array_form
from harness.probe.runtimes.graph_names import MissingOutput
from harness.probe.variant import RequestedVariant

BATCH, PREFIX, STEPS, SOURCE, VOCABULARY = 2, 3, 4, 5, 7
HEADS, SIZE = 2, 4
ENCODER_DECODER = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
DECODER_ONLY = ("key", "value")
NO_PAST = Start("no past", 0)


def case(parts: tuple[str, ...] = ENCODER_DECODER) -> DecodingCase:
    """Tokens 0 … 6 in the first row and 10 … 16 in the second; a mask that grows, and one that does not."""
    total = PREFIX + STEPS
    inputs = {
        "tokens": np.arange(total)[None] + np.array([[0], [10]]),
        "encoder/input_ids": np.zeros((BATCH, SOURCE), np.int64),
        "common/encoder_attention_mask": np.ones((BATCH, SOURCE), np.int64),
        "growing/attention_mask": np.ones((BATCH, total), np.int64),
    }
    expected = [{"logits": np.zeros((BATCH, PREFIX if step == 0 else 1, VOCABULARY))} for step in range(STEPS + 1)]
    cache = {"layers": 1, "heads": HEADS, "head_size": SIZE, "parts": parts}
    notes = {"batch": BATCH, "prefix_length": PREFIX, "steps": STEPS, "cache": cache}
    return DecodingCase(Case("case", inputs, expected, notes=notes))


class Handle:
    """A value that can be read by `numpy` only, as an OrtValue is."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.reads = 0

    def numpy(self) -> Any:
        self.reads += 1
        return self._array


class Fake(Graph):
    """Takes note of its calls; `answers` gets the inputs of each."""

    def __init__(self, inputs: tuple[str, ...], answers: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        self.inputs = inputs
        self.calls: list[dict[str, Any]] = []
        self._answers = answers

    def run(self, values: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append(dict(values))
        return self._answers(values)

    def form(self, value: Any) -> Any:
        return array_form(value._array if isinstance(value, Handle) else value)


def zeros(*shape: int) -> Any:
    return np.zeros(shape, np.float32)


def answered(values: Mapping[str, Any], parts: tuple[str, ...]) -> dict[str, Any]:
    """What a correct decoder returns; its logits say which token they follow, and its cache how long it is."""
    tokens = values["input_ids"]
    logits = zeros(*tokens.shape, VOCABULARY) + tokens[:, :, None].astype(np.float32)
    # A cached step has a mask over everything so far.
    length = values["attention_mask"].shape[1]
    sizes = {part: SOURCE if part.startswith("encoder.") else length for part in parts}
    return {"logits": logits, **{f"present.0.{part}": zeros(BATCH, HEADS, size, SIZE) for part, size in sizes.items()}}


def correct(values: Mapping[str, Any]) -> dict[str, Any]:
    return answered(values, ENCODER_DECODER)


def own_part(values: Mapping[str, Any]) -> dict[str, Any]:
    """Of a decoder with past: the cross-attention cache is not returned again."""
    return {name: value for name, value in correct(values).items() if ".encoder." not in name}


PAST = tuple(f"past_key_values.0.{part}" for part in ENCODER_DECODER)


def encoder() -> Fake:
    return Fake(("input_ids",), lambda _values: {"last_hidden_state": zeros(BATCH, SOURCE, 8)})


def pair(first=correct, later=own_part) -> dict[str, Fake]:
    return {"encoder": encoder(), "decoder": Fake(("input_ids",), first), "decoder_with_past": Fake(PAST, later)}


def steps(graphs: Mapping[str, Graph], program: Program, start: Start = NO_PAST, of: DecodingCase | None = None) -> list[Any]:
    return list(decode(graphs, program, of or case(), start))


CACHED = Program("pair", "cached", "keep-cross")


def given(graph: Fake, name: str) -> list[Any]:
    """What each call gave for an input, as lists; None where it gave nothing."""
    return [call[name].tolist() if name in call else None for call in graph.calls]


def test_the_prefix_goes_through_the_first_decoder_and_each_further_token_through_the_other():
    graphs = pair()
    taken = steps(graphs, CACHED)
    assert given(graphs["decoder"], "input_ids") == [[[0, 1, 2], [10, 11, 12]]]
    assert given(graphs["decoder_with_past"], "input_ids") == [[[n], [n + 10]] for n in (3, 4, 5, 6)]
    assert [step.outputs["logits"].shape for step in taken] == [(2, 3, VOCABULARY), *[(2, 1, VOCABULARY)] * 4]
    assert [step.outputs["logits"][1, -1, 0] for step in taken] == [12, 13, 14, 15, 16]
    assert [step.wrong for step in taken] == [None] * 5


def test_the_encoder_runs_once_and_every_decoder_is_given_what_it_said():
    graphs = pair()
    steps(graphs, CACHED)
    assert len(graphs["encoder"].calls) == 1
    assert set(graphs["encoder"].calls[0]) == {"input_ids"}
    hidden = {id(call["encoder_hidden_states"]) for role in ("decoder", "decoder_with_past") for call in graphs[role].calls}
    assert len(hidden) == 1


def test_masks_grow_with_the_tokens_or_are_as_they_are():
    graphs = pair()
    steps(graphs, CACHED)
    calls = [*graphs["decoder"].calls, *graphs["decoder_with_past"].calls]
    assert [call["attention_mask"].shape for call in calls] == [(2, 3), (2, 4), (2, 5), (2, 6), (2, 7)]
    assert {call["encoder_attention_mask"].shape for call in calls} == {(2, 5)}


def test_what_a_step_returned_is_the_past_of_the_next_and_the_very_same_value():
    returned: list[dict[str, Any]] = []

    def remembered(values: Mapping[str, Any]) -> dict[str, Any]:
        returned.append(correct(values))
        return returned[-1]

    graphs = pair(remembered, remembered)
    steps(graphs, Program("pair", "cached", "feed-all"))
    for before, call in zip(returned, graphs["decoder_with_past"].calls, strict=False):
        assert all(call[f"past_key_values.0.{part}"] is before[f"present.0.{part}"] for part in ENCODER_DECODER)


def test_the_cross_attention_cache_is_kept_or_fed_back_as_it_is_asked_for():
    def emptied(values: Mapping[str, Any]) -> dict[str, Any]:
        return {**correct(values), **{f"present.0.encoder.{part}": zeros(0, HEADS, 1, SIZE) for part in ("key", "value")}}

    lengths = {}
    for feedback in ("keep-cross", "feed-all"):
        graphs = pair(later=emptied)
        steps(graphs, Program("pair", "cached", feedback))
        calls = graphs["decoder_with_past"].calls
        lengths[feedback] = [call["past_key_values.0.encoder.key"].shape[0] for call in calls]
    assert lengths == {"keep-cross": [2, 2, 2, 2], "feed-all": [2, 0, 0, 0]}


def test_without_a_cache_everything_so_far_is_given_each_time():
    graphs = pair()
    taken = steps(graphs, Program("no-cache", "cached", "keep-cross"))
    assert [len(one[0]) for one in given(graphs["decoder"], "input_ids")] == [3, 4, 5, 6, 7]
    assert graphs["decoder_with_past"].calls == []
    assert [step.outputs["logits"].shape[1] for step in taken] == [3, 1, 1, 1, 1]
    assert [step.outputs["logits"][0, -1, 0] for step in taken] == [2, 3, 4, 5, 6]


def test_mixed_begins_to_use_the_cache_at_the_third_step():
    graphs = pair()
    steps(graphs, Program("pair", "mixed", "keep-cross"))
    assert [len(one[0]) for one in given(graphs["decoder"], "input_ids")] == [3, 4, 5]
    assert given(graphs["decoder_with_past"], "input_ids") == [[[5], [15]], [[6], [16]]]
    assert graphs["decoder_with_past"].calls[0]["past_key_values.0.decoder.key"].shape == (2, HEADS, 5, SIZE)


@pytest.mark.parametrize("length", [0, 1])
def test_a_merged_graph_is_told_which_branch_and_given_a_dummy_past_at_first(length):
    graphs = {"encoder": encoder(), "decoder_merged": Fake(PAST, correct)}
    steps(graphs, Program("merged", "cached", "keep-cross"), Start("dummy", length))
    merged = graphs["decoder_merged"]
    assert given(merged, "use_cache_branch") == [[False], *[[True]] * 4]
    first = merged.calls[0]
    assert {name: first[name].shape for name in PAST} == dict.fromkeys(PAST, (BATCH, HEADS, length, SIZE))
    assert {str(first[name].dtype) for name in PAST} == {"float32"}
    assert not any(first[name].any() for name in PAST)
    assert merged.calls[1]["past_key_values.0.decoder.key"].shape == (2, HEADS, 3, SIZE)


def test_a_merged_graph_may_return_an_empty_cross_attention_cache_and_a_pair_may_not():
    def emptied(values: Mapping[str, Any]) -> dict[str, Any]:
        empty = {f"present.0.encoder.{part}": zeros(0, HEADS, 1, SIZE) for part in ("key", "value")}
        return {**correct(values), **(empty if values["use_cache_branch"].all() else {})}

    merged = {"encoder": encoder(), "decoder_merged": Fake(PAST, emptied)}
    assert [step.wrong for step in steps(merged, Program("merged", "cached", "keep-cross"))] == [None] * 5
    passing = {"encoder": encoder(), "decoder_merged": Fake(PAST, emptied)}
    wrong = [step.wrong for step in steps(passing, Program("merged-passthrough", "cached", "keep-cross"))]
    assert wrong == [None, *["present.0.encoder.key is float32[0, 2, 1, 4] instead of float32[2, 2, 5, 4]"] * 4]
    assert steps(pair(later=emptied), CACHED)[1].wrong == wrong[1]


def test_a_model_without_an_encoder():
    graphs = {
        "decoder": Fake(("input_ids",), lambda values: answered(values, DECODER_ONLY)),
        "decoder_with_past": Fake(("past_key_values.0.key",), lambda values: answered(values, DECODER_ONLY)),
    }
    assert [step.wrong for step in steps(graphs, CACHED, of=case(DECODER_ONLY))] == [None] * 5
    assert "encoder_hidden_states" not in graphs["decoder"].calls[0]
    assert graphs["decoder_with_past"].calls[3]["past_key_values.0.key"].shape == (2, HEADS, 6, SIZE)


def replaced(**outputs: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A correct decoder but for some outputs, `__` for the dot; None leaves one out."""
    changed = {name.replace("__", "."): value for name, value in outputs.items()}

    def answers(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**own_part(values), **changed}.items() if value is not None}

    return answers


@pytest.mark.parametrize(
    ("later", "wrong"),
    [
        (
            replaced(present__0__decoder__key=zeros(BATCH, HEADS, 1, SIZE)),
            "present.0.decoder.key is float32[2, 2, 1, 4] instead of float32[2, 2, 4, 4]",
        ),
        (
            replaced(present__0__decoder__value=np.zeros((BATCH, HEADS, 4, SIZE), np.float16)),
            "present.0.decoder.value is float16[2, 2, 4, 4] instead of float32[2, 2, 4, 4]",
        ),
        (replaced(logits=zeros(BATCH, 4, VOCABULARY)), "logits is float32[2, 4, 7] instead of float32[2, 1, -1]"),
        (replaced(logits=zeros(1, 1, VOCABULARY)), "logits is float32[1, 1, 7] instead of float32[2, 1, -1]"),
        (replaced(logits=zeros(BATCH, 1, 99)), None),  # the vocabulary is compared with the reference
        (replaced(present__0__decoder__value=None), "the graph returns no present.0.decoder.value"),
        (replaced(something__else=zeros(1)), None),
    ],
)
def test_a_wrong_form_is_told_with_the_step(later, wrong):
    taken = decode(pair(later=later), CACHED, case(), NO_PAST)
    assert next(taken).wrong is None
    assert next(taken).wrong == wrong


def test_a_past_that_nobody_returned_is_missing_and_no_call_is_made():
    def forgets(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in correct(values).items() if "decoder.value" not in name}

    graphs = pair(first=forgets)
    taken = decode(graphs, CACHED, case(), NO_PAST)
    assert next(taken).wrong == "the graph returns no present.0.decoder.value"
    with pytest.raises(MissingOutput, match=r"there is no past to feed back: .* no present\.0\.decoder\.value$") as raised:
        next(taken)
    assert isinstance(raised.value, ProbeFailure)
    assert graphs["decoder_with_past"].calls == []


def test_only_the_logits_are_read():
    made: list[tuple[str, Handle]] = []

    def handled(values: Mapping[str, Any]) -> dict[str, Any]:
        handles = {name: Handle(value) for name, value in correct(values).items()}
        made.extend(handles.items())
        return dict(handles)

    taken = steps(pair(handled, handled), CACHED)
    assert [step.wrong for step in taken] == [None] * 5
    assert {name: {handle.reads for of, handle in made if of == name} for name, _ in made} == {
        "logits": {1},
        **{f"present.0.{part}": {0} for part in ENCODER_DECODER},
    }


def test_steps_are_taken_one_by_one():
    graphs = pair()
    taken = decode(graphs, CACHED, case(), NO_PAST)
    next(taken)
    assert graphs["decoder_with_past"].calls == []
    next(taken)
    assert len(graphs["decoder_with_past"].calls) == 1


def variant(layout: str, strategy: str | None = None, feedback: str | None = None) -> RequestedVariant:
    findings: Findings = []
    asked = {"id": "v", "exporter": "torchscript", "opset": 17, "layout": layout, "strategy": strategy, "feedback": feedback}
    return RequestedVariant(asked, findings)


def test_the_program_of_a_variant():
    assert Program.of(variant("pair")) == ("pair", "cached", "keep-cross")
    assert Program.of(variant("merged", "mixed", "feed-all")) == ("merged", "mixed", "feed-all")
    with pytest.raises(NotRun, match="the layout no-cache has no cache that the strategy mixed could begin to use"):
        Program.of(variant("no-cache", "mixed"))


@pytest.mark.parametrize(
    ("layout", "lengths"), [("no-cache", [0]), ("pair", [0]), ("merged", [0, 1]), ("merged-passthrough", [0, 1])]
)
def test_how_a_layout_is_begun(layout, lengths):
    assert [start.dummy_length for start in Program(layout, "cached", "keep-cross").starts()] == lengths
