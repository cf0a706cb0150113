"""The largest IR and opset that a runtime runs: measured, because it has no call for it and tables go stale."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ..findings import Findings, finding
from ..identity_model import identity_model

# Stamps that every release runs, for one while the other is raised.
_SAFE_IR, _SAFE_OPSET = 8, 13
_HIGHEST = 99
"""The highest stamp that is tried: what runs it has no limit that could be found."""


def largest_stamps(runs: Callable[[bytes], bool]) -> dict[str, int | None]:
    """Return max_ir and max_opset; None if not even the safe stamps run, or no limit is found up to _HIGHEST.

    `runs` says whether the runtime runs a model.

    A model has to be run, not only loaded: onnxruntime may load an opset that is "under development" with a warning
    and then lack the kernels.
    """
    return {
        "max_ir": _largest(_SAFE_IR, lambda ir: runs(identity_model(ir, _SAFE_OPSET))),
        "max_opset": _largest(_SAFE_OPSET, lambda opset: runs(identity_model(_SAFE_IR, opset))),
    }


def stamps_above(manifest: Mapping[str, Any], limits: Mapping[str, int | None], runtime: str) -> Findings:
    """Return a finding for each graph with a stamp above `limits`, as `largest_stamps` gives them for `runtime`."""
    names = {"ir": ("ir-above-runtime", "IR version", "max_ir"), "opset": ("opset-above-runtime", "opset", "max_opset")}
    found = []
    for role, graph in manifest["graphs"].items():
        for key, (rule, words, limit) in names.items():
            largest = limits[limit]
            if largest is not None and graph[key] > largest:
                message = f"{words} {graph[key]}; {runtime} runs up to {largest}"
                found.append(finding(rule, message, role, limit=largest))
    return found


def _largest(first: int, runs: Callable[[int], bool]) -> int | None:
    refused = next((stamp for stamp in range(first, _HIGHEST + 1) if not runs(stamp)), None)
    return None if refused is None or refused == first else refused - 1
