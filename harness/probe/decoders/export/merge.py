"""Merge two decoders into one graph with an If on the boolean input `use_cache_branch`, as optimum lays it out.

The environment's onnx stamps the result, and no IR version is pinned: with a new onnx a merged model may be out of an old
runtime's reach, and the harness shall find that out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ...export import external
from ...graph_request import Axes
from ...outcome import NotRun, ProbeFailure
from .branch import Branch

SWITCH = "use_cache_branch"
PAST = "past_key_values."
PRESENT = "present."
BATCH = "batch_size"


def merge_decoders(decoder: Path, decoder_with_past: Path, target: Path, *, passes_cross: bool = False) -> None:
    """Write one graph for the two at the given paths: with the switch true it runs `decoder_with_past`.

    Its inputs are those of both and the switch (bool, one element); its outputs those of `decoder`. `decoder_with_past` does
    not return the cross-attention cache: there it is **empty**, (0, heads, 1, head size), or with `passes_cross` the past
    that came in. NotRun if `passes_cross` and the decoder has no such cache: both layouts would be the same.
    """
    first, later = Branch.load(decoder, "first/"), Branch.load(decoder_with_past, "later/")
    pool = _InitializerPool()
    first.hand_over_initializers(pool.add)
    later.hand_over_initializers(pool.add)
    outputs = list(first.model.graph.output)
    lacking = [value.name for value in outputs if value.name not in later.outputs]
    if passes_cross and not lacking:
        raise NotRun("the decoder has no cross-attention cache to pass through: `merged` is the same graph")
    for name in lacking:
        later.add_output(name, _passed_through(name) if passes_cross else _empty_constant(name, later))
    switch = helper.make_tensor_value_info(SWITCH, TensorProto.BOOL, [1])
    choice = helper.make_node(
        "If",
        inputs=[SWITCH],
        outputs=[value.name for value in outputs],
        name="use_cache_branch_if",
        then_branch=later.as_branch([value.name for value in outputs], "decoder_with_past"),
        else_branch=first.as_branch([value.name for value in outputs], "decoder"),
    )
    graph = helper.make_graph(
        [choice],
        "decoder_merged",
        [*_joint_inputs(later, first), switch],
        [_merged_output(value, is_empty=value.name in lacking and not passes_cross) for value in outputs],
        initializer=pool.tensors,
    )
    model = helper.make_model(graph, opset_imports=_joint_opsets(first, later), producer_name="harness_probe")
    external.save(model, target)


class _InitializerPool:
    """The outer graph's initializers: tensors of equal content are kept once."""

    def __init__(self) -> None:
        self.tensors: list[Any] = []
        self._names: dict[Any, str] = {}

    def add(self, tensor: Any) -> str:
        """Return the outer graph's name for the content of `tensor`."""
        key = (tensor.data_type, tuple(tensor.dims), external.content_digest(tensor))
        if key not in self._names:
            kept = TensorProto()
            kept.CopyFrom(tensor)
            kept.name = f"shared/{len(self.tensors)}"
            self.tensors.append(kept)
            self._names[key] = kept.name
        return self._names[key]


def _empty_constant(output: str, branch: Branch) -> Any:
    """Return a Constant `output` shaped like the past input of its name, with a batch of 0 and a length of 1.

    Head count and head size are numbers in the input; an exporter need not infer those of the output.
    """
    past = _past_of(output)
    tensor = next(value for value in branch.model.graph.input if value.name == past).type.tensor_type
    _, heads, _, head_size = (dim.dim_value for dim in tensor.shape.dim)
    content = np.zeros((0, heads, 1, head_size), dtype=np.float32)
    return helper.make_node("Constant", [], [output], value=numpy_helper.from_array(content))


def _passed_through(output: str) -> Any:
    return helper.make_node("Identity", [_past_of(output)], [output])


def _past_of(present: str) -> str:
    return PAST + present[len(PRESENT) :]


def _joint_inputs(later: Branch, first: Branch) -> list[Any]:
    """Return the inputs of both branches. The first step ignores its past, which may have any length."""
    joint: dict[str, Any] = {}
    for value in [*first.model.graph.input, *later.model.graph.input]:
        if value.name not in joint:
            joint[value.name] = _with_named_axes(value, _input_axes(value.name))
    return list(joint.values())


def _merged_output(value: Any, *, is_empty: bool) -> Any:
    if not value.name.startswith(PRESENT):
        return _with_named_axes(value, {0: BATCH, 1: "decoder_sequence_length"})
    part = _part_of(value.name)
    # The empty constant for the cross-attention has another batch size: 0.
    batch = "present_encoder_batch_size" if is_empty else BATCH
    return _with_named_axes(value, {0: batch, 2: f"present_{part}_sequence_length"})


def _input_axes(name: str) -> Axes:
    if name.startswith(PAST):
        return {0: BATCH, 2: f"past_{_part_of(name)}_sequence_length"}
    if name == "attention_mask":  # of a decoder-only model: it covers the past too
        return {0: BATCH, 1: "total_sequence_length"}
    part = "encoder" if name.startswith("encoder_") else "decoder"
    return {0: BATCH, 1: f"{part}_sequence_length"}


def _part_of(name: str) -> str:
    return "encoder" if ".encoder." in name else "decoder"


def _with_named_axes(value: Any, axes: Axes) -> Any:
    """Return a copy of `value` whose symbolic axes are named by `axes`.

    The names of the two graphs must not be mixed: if an exporter numbers its symbols, `s4` is one length in one graph and
    another length in the other. An axis that an exporter froze to a number stays a number.
    """
    named = onnx.ValueInfoProto()
    named.CopyFrom(value)
    for axis, dim in enumerate(named.type.tensor_type.shape.dim):
        if axis in axes and not dim.HasField("dim_value"):
            dim.dim_param = axes[axis]
    return named


def _joint_opsets(first: Branch, later: Branch) -> Sequence[Any]:
    """Return the opset imports of both; ProbeFailure if one domain has two versions."""
    versions: dict[str, int] = {}
    for entry in [*first.model.opset_import, *later.model.opset_import]:
        if versions.setdefault(entry.domain, entry.version) != entry.version:
            raise ProbeFailure(
                f"the two decoders were exported at different opsets of domain {entry.domain!r}: "
                f"{versions[entry.domain]} and {entry.version}, so they cannot be merged"
            )
    return [helper.make_opsetid(domain, version) for domain, version in versions.items()]
