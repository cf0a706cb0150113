"""The TorchScript exporter: `torch.onnx.export` by tracing."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import torch

from ..graph_request import GraphRequest
from ..messages import text_of
from ..outcome import NotRun


def export(request: GraphRequest, path: Path, opset: int) -> None:
    """Write `request` to `path` at `opset`; NotRun if this torch has no such opset for TorchScript."""
    options: dict[str, Any] = {}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False
    # An export before this one may have left the wrapper in training mode.
    request.module.eval()
    try:
        torch.onnx.export(
            request.module,
            tuple(request.inputs.values()),
            str(path),
            input_names=list(request.inputs),
            output_names=list(request.outputs),
            dynamic_axes={**request.input_axes, **request.output_axes},
            opset_version=opset,
            **options,
        )
    except (ValueError, RuntimeError) as exc:  # from Python, or from the C++ of newer releases
        if re.search(r"[Uu]nsupported (ONNX opset|onnx_opset)", text_of(exc)):
            raise NotRun(f"torch {torch.__version__}: {text_of(exc)}") from exc
        raise
