"""The dynamo exporter: `torch.onnx.export(dynamo=True)`, based on `torch.export`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch

from ..graph_request import GraphRequest
from ..outcome import NotRun

# Bounds of every axis for torch.export. It treats lengths of 0 and 1 as special cases in any event, and torch 2.8 fails on an
# axis that includes them. Without the upper bound torch 2.5 fails: it cannot prove that a length is not 2**63 - 1. Lengths of 1
# are among the cases that a run compares, so the graph has to work for them all the same.
_SHORTEST, _LONGEST = 2, 2**31 - 1


def export(request: GraphRequest, path: Path, opset: int) -> None:
    """Write `request` to `path` at `opset`; NotRun if this torch has no argument for dynamic axes."""
    parameters = inspect.signature(torch.onnx.export).parameters
    if "dynamo" not in parameters or "dynamic_shapes" not in parameters:
        message = f"torch {torch.__version__}: torch.onnx.export has no dynamo=True with dynamic_shapes (torch ≥ 2.5 has)"
        raise NotRun(message)
    options: dict[str, Any] = {}
    if "fallback" in parameters:
        # A fallback to TorchScript would be another exporter.
        options["fallback"] = False
    request.module.eval()
    torch.onnx.export(
        request.module,
        tuple(request.inputs.values()),
        str(path),
        input_names=list(request.inputs),
        output_names=list(request.outputs),
        dynamic_shapes=_dynamic_shapes(request),
        opset_version=opset,
        dynamo=True,
        external_data=False,
        **options,
    )


def _dynamic_shapes(request: GraphRequest) -> tuple[Any, ...]:
    """Return the axes in torch.export's form: an entry for each parameter of `forward`, one tuple for its `*rest`."""
    names = sorted({name for axes in request.input_axes.values() for name in axes.values()})
    dims = {name: torch.export.Dim(name, min=_SHORTEST, max=_LONGEST) for name in names if "+" not in name}
    for name in set(names) - set(dims):  # "length + 1" depends on another axis
        base, _, more = name.partition(" + ")
        dims[name] = dims[base] + int(more)
    axes = [{axis: dims[name] for axis, name in request.input_axes.get(key, {}).items()} for key in request.inputs]
    parameters = inspect.signature(request.module.forward).parameters.values()
    single = sum(parameter.kind is not parameter.VAR_POSITIONAL for parameter in parameters)
    rest = tuple(axes[single:])
    return (*axes[:single], rest) if rest else tuple(axes)
