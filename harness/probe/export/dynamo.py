"""The dynamo exporter: `torch.onnx.export(dynamo=True)`, based on `torch.export`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch

from ..failures import NotRun
from ..graphs import GraphRequest

# The bounds that torch.export is told for every axis. It treats lengths of 0 and 1 as special cases whatever it is
# told, and torch 2.8 gives up on an axis that claims them; without the upper bound torch 2.5 does, which then cannot
# prove that a length is not 2**63 - 1. Lengths of 1 are among the cases that a run compares, so the graph has to work
# for them all the same.
_SHORTEST, _LONGEST = 2, 2**31 - 1


def export(request: GraphRequest, path: Path, opset: int) -> None:
    """Write `request` to `path` at `opset`; NotRun where this torch cannot be told which axes are dynamic."""
    parameters = inspect.signature(torch.onnx.export).parameters
    if "dynamo" not in parameters or "dynamic_shapes" not in parameters:
        message = f"torch {torch.__version__}: torch.onnx.export has no dynamo=True with dynamic_shapes (torch ≥ 2.5 has)"
        raise NotRun(message)
    options: dict[str, Any] = {}
    if "fallback" in parameters:
        # Falling back to TorchScript would answer another question than the one that was asked.
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
    for name in set(names) - set(dims):  # "length + 1" depends on another axis, which torch.export has to be told
        base, _, more = name.partition(" + ")
        dims[name] = dims[base] + int(more)
    axes = [{axis: dims[name] for axis, name in request.input_axes.get(key, {}).items()} for key in request.inputs]
    parameters = inspect.signature(request.module.forward).parameters.values()
    single = sum(parameter.kind is not parameter.VAR_POSITIONAL for parameter in parameters)
    rest = tuple(axes[single:])
    return (*axes[:single], rest) if rest else tuple(axes)
