"""Two decoders made one: the merged graph is run, and gives in each branch what that decoder gives by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.probe.decoders.export.merge import merge_decoders
from harness.probe.outcome import NotRun, ProbeFailure

HEADS, SIZE, VOCABULARY = 2, 3, 5
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64
CROSS = [f"encoder.{part}" for part in ("key", "value")]
OWN = [f"decoder.{part}" for part in ("key", "value")]
IR = 8
WEIGHT = np.arange(VOCABULARY, dtype=np.float32)


def value(name: str, dims: tuple[int | str | None, ...] | None, element: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, element, dims)


def node(operator: str, inputs: list[str], output: str, **attributes: Any) -> Any:
    # Without names: torch.export writes some so.
    return helper.make_node(operator, inputs, [output], **attributes)


def save(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], initializers: list[Any], *, opset: int) -> Path:
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, initializer=initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
    return path


def logits(factor: str) -> list[Any]:
    """(batch, tokens) → (batch, tokens, vocabulary): the product of each token, weight and factor."""
    return [
        node("Cast", ["input_ids"], "tokens", to=FLOAT),
        node("Unsqueeze", ["tokens", "last"], "column"),
        node("Mul", ["column", "weight"], "weighed"),
        node("Mul", ["weighed", factor], "logits"),
    ]


def constants(factor: float) -> list[Any]:
    return [
        numpy_helper.from_array(np.array([2], np.int64), "last"),
        numpy_helper.from_array(WEIGHT, "weight"),
        numpy_helper.from_array(np.array(factor, np.float32), "factor"),
    ]


def cached(axis: str | int = "length") -> tuple[str | int, ...]:
    return ("batch", HEADS, axis, SIZE)


def decoder(path: Path, *, opset: int = 17, cross: bool = True, batch: str | int = "s0") -> Path:
    """Without past: the cache is made of the hidden states, or, decoder-only, of the tokens."""
    made = [
        node("Unsqueeze", ["tokens", "ends"], "thin"),
        node("Expand", ["thin", "whole"], "spread"),
        node("Mul", ["spread", "factor"], "present.0.decoder.key"),
        node("Neg", ["spread"], "present.0.decoder.value"),
    ]
    outputs = [value("logits", (batch, "s1", VOCABULARY)), *(value(f"present.0.{part}", cached("s1")) for part in OWN)]
    inputs = [value("input_ids", (batch, "s1"), INT)]
    if cross:
        made += [node("Identity", ["encoder_hidden_states"], f"present.0.{part}") for part in CROSS]
        inputs.append(value("encoder_hidden_states", cached("s2")))
        outputs += [value(f"present.0.{part}", cached("s2")) for part in CROSS]
    shapes = [
        numpy_helper.from_array(np.array([1, 3], np.int64), "ends"),
        numpy_helper.from_array(np.array([1, HEADS, 1, SIZE], np.int64), "whole"),
    ]
    return save(path, [*logits("factor"), *made], inputs, outputs, [*constants(2.0), *shapes], opset=opset)


def decoder_with_past(path: Path, *, opset: int = 17, cross: bool = True, factor: float = 10.0) -> Path:
    """Its logits grow by what the cross-attention cache holds; it returns its own cache, longer by one."""
    past = [
        value(f"past_key_values.0.{part}", cached("s4" if part in OWN else "s1")) for part in [*OWN, *(CROSS if cross else [])]
    ]
    made = []
    for part in OWN:
        made += [
            node("ReduceMean", [f"past_key_values.0.{part}"], f"{part}/mean", axes=[2], keepdims=1),
            node("Concat", [f"past_key_values.0.{part}", f"{part}/mean"], f"present.0.{part}", axis=2),
        ]
    if cross:
        made += [
            node("ReduceSum", ["past_key_values.0.encoder.key"], "all", keepdims=0),
            node("Add", ["own", "all"], "logits"),
        ]
    first = logits("factor")
    if cross:
        first[-1].output[0] = "own"
    outputs = [value("logits", ("s0", 1, VOCABULARY)), *(value(f"present.0.{part}", cached("s9")) for part in OWN)]
    return save(path, [*first, *made], [value("input_ids", ("s0", 1), INT), *past], outputs, constants(factor), opset=opset)


def run(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    asked = {one.name for one in session.get_inputs()}
    outputs = [one.name for one in session.get_outputs()]
    return dict(
        zip(outputs, session.run(outputs, {name: array for name, array in values.items() if name in asked}), strict=True)
    )


def filled(*shape: int) -> Any:
    return (np.arange(np.prod(shape)) % 7).astype(np.float32).reshape(shape)


FIRST = {"input_ids": np.array([[1, 2, 3]]), "encoder_hidden_states": filled(1, HEADS, 4, SIZE)}
LATER = {
    "input_ids": np.array([[4], [5]]),
    **{f"past_key_values.0.{part}": filled(2, HEADS, 3, SIZE) for part in OWN},
    **{f"past_key_values.0.{part}": filled(2, HEADS, 4, SIZE) + 1 for part in CROSS},
}
NOTHING = {f"past_key_values.0.{part}": np.zeros((1, HEADS, 0, SIZE), np.float32) for part in [*OWN, *CROSS]}


def switched(*, on: bool) -> dict[str, Any]:
    return {"use_cache_branch": np.array([on])}


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    return decoder(tmp_path / "decoder.onnx"), decoder_with_past(tmp_path / "decoder_with_past.onnx")


@pytest.fixture
def merged(both, tmp_path) -> Path:
    merge_decoders(*both, tmp_path / "decoder_merged.onnx")
    return tmp_path / "decoder_merged.onnx"


def test_it_is_a_valid_model(merged):
    onnx.checker.check_model(str(merged), full_check=True)


def test_with_the_switch_off_it_is_the_first_decoder(both, merged):
    alone, together = run(both[0], FIRST), run(merged, {**FIRST, **NOTHING, **switched(on=False)})
    assert together.keys() == alone.keys()
    for name in alone:
        np.testing.assert_array_equal(together[name], alone[name], err_msg=name)
    np.testing.assert_array_equal(together["logits"][0, 2], 3 * 2 * WEIGHT)


def test_with_the_switch_on_it_is_the_other_with_an_empty_cross_attention_cache(both, merged):
    hidden = {"encoder_hidden_states": filled(2, HEADS, 4, SIZE)}
    alone, together = run(both[1], LATER), run(merged, {**hidden, **LATER, **switched(on=True)})
    for name in alone:
        np.testing.assert_array_equal(together[name], alone[name], err_msg=name)
    np.testing.assert_array_equal(together["logits"][1, 0], 5 * 10 * WEIGHT + LATER["past_key_values.0.encoder.key"].sum())
    for part in CROSS:
        assert together[f"present.0.{part}"].shape == (0, HEADS, 1, SIZE)


def test_passed_through_the_cross_attention_cache_is_what_was_given(both, tmp_path):
    merge_decoders(*both, tmp_path / "m.onnx", passes_cross=True)
    given = {"encoder_hidden_states": filled(2, HEADS, 4, SIZE), **LATER}
    together = run(tmp_path / "m.onnx", {**given, **switched(on=True)})
    for part in CROSS:
        np.testing.assert_array_equal(together[f"present.0.{part}"], LATER[f"past_key_values.0.{part}"])
    first = run(tmp_path / "m.onnx", {**FIRST, **NOTHING, **switched(on=False)})
    np.testing.assert_array_equal(first["present.0.encoder.key"], FIRST["encoder_hidden_states"])


def test_a_decoder_without_cross_attention_has_nothing_to_pass_through(tmp_path):
    first = decoder(tmp_path / "decoder.onnx", cross=False)
    later = decoder_with_past(tmp_path / "decoder_with_past.onnx", cross=False)
    with pytest.raises(NotRun, match="the decoder has no cross-attention cache to pass through: `merged` is the same graph"):
        merge_decoders(first, later, tmp_path / "m.onnx", passes_cross=True)
    merge_decoders(first, later, tmp_path / "m.onnx")
    given = {name: array for name, array in LATER.items() if ".encoder." not in name}
    together = run(tmp_path / "m.onnx", {**given, **switched(on=True)})
    np.testing.assert_array_equal(together["logits"][:, 0], np.array([[4.0], [5.0]]) * 10 * WEIGHT)


def dims(path: Path) -> dict[str, list[int | str]]:
    graph = onnx.load(str(path)).graph
    return {
        one.name: [dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in one.type.tensor_type.shape.dim]
        for one in [*graph.input, *graph.output]
    }


def test_the_axes_have_the_names_of_optimum(merged):
    named = dims(merged)
    assert named["input_ids"] == ["batch_size", "decoder_sequence_length"]
    # Of the hidden states the second axis is the source's, which is a number here: only what is symbolic is named.
    assert named["encoder_hidden_states"] == ["batch_size", HEADS, "s2", SIZE]
    assert named["use_cache_branch"] == [1]
    assert named["past_key_values.0.decoder.key"] == ["batch_size", HEADS, "past_decoder_sequence_length", SIZE]
    assert named["past_key_values.0.encoder.key"] == ["batch_size", HEADS, "past_encoder_sequence_length", SIZE]
    assert named["logits"] == ["batch_size", "decoder_sequence_length", VOCABULARY]
    assert named["present.0.decoder.key"] == ["batch_size", HEADS, "present_decoder_sequence_length", SIZE]
    assert named["present.0.encoder.key"] == ["present_encoder_batch_size", HEADS, "present_encoder_sequence_length", SIZE]


def test_what_is_passed_through_has_the_batch_of_the_rest(both, tmp_path):
    merge_decoders(*both, tmp_path / "m.onnx", passes_cross=True)
    assert dims(tmp_path / "m.onnx")["present.0.encoder.key"][0] == "batch_size"


def test_an_axis_that_an_exporter_froze_stays_a_number(tmp_path):
    first = decoder(tmp_path / "decoder.onnx", batch=1)
    merge_decoders(first, decoder_with_past(tmp_path / "later.onnx"), tmp_path / "m.onnx")
    assert dims(tmp_path / "m.onnx")["input_ids"][0] == 1


def tensors(path: Path) -> list[tuple[int, ...]]:
    return sorted(tuple(one.dims) for one in onnx.load(str(path)).graph.initializer)


def test_weights_that_both_have_are_there_once_and_others_twice(both, merged, tmp_path):
    # last, weight, ends, whole, and the two factors.
    assert tensors(merged) == [(), (), (1,), (2,), (4,), (VOCABULARY,)]
    later = decoder_with_past(tmp_path / "same.onnx", factor=2.0)
    merge_decoders(both[0], later, tmp_path / "same_merged.onnx")
    assert tensors(tmp_path / "same_merged.onnx") == [(), (1,), (2,), (4,), (VOCABULARY,)]
    assert not [one for branch in onnx.load(str(merged)).graph.node[0].attribute for one in branch.g.initializer]


def test_no_name_is_used_in_both_branches_nor_outside(merged):
    graph = onnx.load(str(merged)).graph
    (choice,) = graph.node
    made = [{output for node in branch.g.node for output in node.output} for branch in choice.attribute]
    outside = {one.name for one in [*graph.input, *graph.output, *graph.initializer]}
    assert made[0].isdisjoint(made[1])
    assert not (made[0] | made[1]) & outside


def test_two_opsets_cannot_be_merged(tmp_path):
    first = decoder(tmp_path / "decoder.onnx", opset=17)
    later = decoder_with_past(tmp_path / "later.onnx", opset=16)
    with pytest.raises(ProbeFailure, match="different opsets of domain '': 17 and 16, so they cannot be merged"):
        merge_decoders(first, later, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def with_function(path: Path, factor: float, domain_opset: int = 1) -> Path:
    """The model at `path`, its logits by a function of a name that the other model has too, which is another function."""
    model = onnx.load(str(path))
    body = [
        helper.make_node("Constant", [], ["by"], value_float=factor),
        helper.make_node("Mul", ["a", "by"], ["b"]),
    ]
    model.functions.append(helper.make_function("own", "Scale", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))
    model.opset_import.append(helper.make_opsetid("own", domain_opset))
    final = next(one for one in model.graph.node if "logits" in one.output)
    final.output[0] = "unscaled"
    model.graph.node.append(helper.make_node("Scale", ["unscaled"], ["logits"], domain="own"))
    onnx.save(model, str(path))
    return path


def test_functions_of_one_name_stay_two(both, tmp_path):
    first, later = with_function(both[0], 3.0), with_function(both[1], 5.0)
    merge_decoders(first, later, tmp_path / "m.onnx")
    together = run(tmp_path / "m.onnx", {**FIRST, **NOTHING, **switched(on=False)})
    np.testing.assert_array_equal(together["logits"][0, 2], 3 * 2 * WEIGHT * 3)
    given = {"encoder_hidden_states": filled(2, HEADS, 4, SIZE), **LATER}
    alone, together = run(later, LATER), run(tmp_path / "m.onnx", {**given, **switched(on=True)})
    np.testing.assert_array_equal(together["logits"], alone["logits"])


def test_an_output_that_is_an_input_is_computed_in_its_branch(tmp_path):
    """As the cross-attention cache is where a decoder without past is given it."""
    first = decoder(tmp_path / "decoder.onnx")
    model = onnx.load(str(first))
    kept = [one for one in model.graph.node if one.output[0] != "present.0.encoder.value"]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    for one in model.graph.input:
        if one.name == "encoder_hidden_states":
            copied = model.graph.input.add()
            copied.CopyFrom(one)
            copied.name = "present.0.encoder.value"
    onnx.save(model, str(first))
    merge_decoders(first, decoder_with_past(tmp_path / "later.onnx"), tmp_path / "m.onnx")
    branch = onnx.load(str(tmp_path / "m.onnx")).graph.node[0].attribute
    (first_branch,) = (one.g for one in branch if one.name == "else_branch")
    assert {output.name for output in first_branch.output} <= {output for one in first_branch.node for output in one.output}


def test_external_data_go_to_one_file_beside_the_graph(both, tmp_path):
    model = onnx.load(str(both[0]))
    big = numpy_helper.from_array(filled(64, 64), "big")
    model.graph.initializer.append(big)
    model.graph.node.extend([node("ReduceSum", ["big"], "sum", keepdims=0), node("Mul", ["weighed", "sum"], "logits")])
    # The last node makes the logits now.
    dropped = next(one for one in model.graph.node if one.output[0] == "logits")
    model.graph.node.remove(dropped)
    (tmp_path / "apart").mkdir()
    path = tmp_path / "apart" / "decoder.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=1024)
    target = tmp_path / "out" / "decoder_merged.onnx"
    target.parent.mkdir()
    merge_decoders(path, both[1], target)
    assert sorted(one.name for one in target.parent.iterdir()) == ["decoder_merged.onnx", "decoder_merged.onnx.data"]
    together = run(target, {**FIRST, **NOTHING, **switched(on=False)})
    np.testing.assert_allclose(together["logits"][0, 2], 3 * WEIGHT * filled(64, 64).sum(), rtol=1e-6)
