"""Merge two decoders into one graph with an If on the boolean input `use_cache_branch`, as optimum lays it out.

The result is stamped by the environment's own onnx, and no IR version is pinned: a new onnx lifting a merged model
out of an old runtime's reach is one of the things to be found out.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..failures import ProbeFailure
from .branch import Branch

SWITCH = "use_cache_branch"
PAST = "past_key_values."
PRESENT = "present."


def merge_decoders(decoder: str, decoder_with_past: str, target: str) -> None:
    """Write one graph for the two at the given paths: with the switch true it runs `decoder_with_past`.

    Its inputs are those of both and the switch (bool, one element); its outputs those of `decoder`. An output that
    `decoder_with_past` does not have, which is the cross-attention cache, is **empty** there: (0, heads, 1, head size).
    """
    first, later = Branch.load(decoder, "first/"), Branch.load(decoder_with_past, "later/")
    pool = _InitializerPool()
    first.hand_over_initializers(pool.add)
    later.hand_over_initializers(pool.add)
    outputs = list(first.model.graph.output)
    for value in outputs:
        if value.name not in later.outputs:
            later.add_output(value.name, _empty_constant(value.name, later))
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
        [_merged_output(value) for value in outputs],
        initializer=pool.tensors,
    )
    model = helper.make_model(graph, opset_imports=_joint_opsets(first, later), producer_name="harness_probe")
    onnx.save(model, target)


class _InitializerPool:
    """The outer graph's initializers: tensors of equal content are kept once."""

    def __init__(self) -> None:
        self.tensors: List[Any] = []
        self._names: Dict[Any, str] = {}

    def add(self, tensor: Any) -> str:
        """Return the outer graph's name for the content of `tensor`."""
        array = numpy_helper.to_array(tensor)
        key = (tensor.data_type, array.shape, array.tobytes())
        if key not in self._names:
            kept = TensorProto()
            kept.CopyFrom(tensor)
            kept.name = f"shared/{len(self.tensors)}"
            self.tensors.append(kept)
            self._names[key] = kept.name
        return self._names[key]


def _empty_constant(output: str, branch: Branch) -> Any:
    """Return a Constant `output` shaped like the past input of its name, with a batch of 0 and a length of 1.

    The input is asked because its head count and head size are plain numbers; an exporter need not infer the output's.
    """
    past = PAST + output[len(PRESENT) :]
    tensor = next(value for value in branch.model.graph.input if value.name == past).type.tensor_type
    _, heads, _, head_size = (dim.dim_value for dim in tensor.shape.dim)
    content = np.zeros((0, heads, 1, head_size), dtype=np.float32)
    return helper.make_node("Constant", [], [output], value=numpy_helper.from_array(content))


def _joint_inputs(later: Branch, first: Branch) -> List[Any]:
    """Return the inputs of both branches, with axis names that hold for either.

    The past given to the first step is a dummy of any length, so its cross-attention part may not share a name with
    the source length. The tokens are a prefix in the first step and one token later.
    """
    joint: Dict[str, Any] = {}
    for value in [*first.model.graph.input, *later.model.graph.input]:
        if value.name not in joint:
            joint[value.name] = onnx.ValueInfoProto()
            joint[value.name].CopyFrom(value)
    for name, value in joint.items():
        if name.startswith(PAST) and ".encoder." in name:
            value.type.tensor_type.shape.dim[2].dim_param = "past_encoder_sequence_length"
    return list(joint.values())


def _merged_output(value: Any) -> Any:
    """Return `value` with names for the axes of the If: what a branch calls a length, the other need not have."""
    merged = onnx.ValueInfoProto()
    merged.CopyFrom(value)
    dims = merged.type.tensor_type.shape.dim
    if value.name.startswith(PRESENT):
        part = "encoder" if ".encoder." in value.name else "decoder"
        dims[2].dim_param = f"present_{part}_sequence_length"
        if part == "encoder":
            dims[0].dim_param = "present_encoder_batch_size"
    return merged


def _joint_opsets(first: Branch, later: Branch) -> Sequence[Any]:
    """Return the opset imports of both; ProbeFailure where the exporter gave one domain two versions."""
    versions: Dict[str, int] = {}
    for entry in [*first.model.opset_import, *later.model.opset_import]:
        if versions.setdefault(entry.domain, entry.version) != entry.version:
            raise ProbeFailure(
                f"the two decoders were exported at different opsets of domain {entry.domain!r}: "
                f"{versions[entry.domain]} and {entry.version}, so they cannot be merged"
            )
    return [helper.make_opsetid(domain, version) for domain, version in versions.items()]
