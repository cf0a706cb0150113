"""How the exported graphs of a model become the files of a variant."""

from __future__ import annotations

import os
from typing import Callable, Dict, Mapping

from .merge import merge_decoders

Graphs = Mapping[str, str]
"""Role → path of an exported graph, shared by all variants of one exporter and opset."""


def _pair(graphs: Graphs, folder: str) -> Dict[str, str]:
    return {role: _link(path, folder) for role, path in graphs.items()}


def _merged(graphs: Graphs, folder: str) -> Dict[str, str]:
    merged = os.path.join(folder, "decoder_merged.onnx")
    merge_decoders(graphs["decoder"], graphs["decoder_with_past"], merged)
    return {"encoder": _link(graphs["encoder"], folder), "decoder_merged": merged}


LAYOUTS: Dict[str, Callable[[Graphs, str], Dict[str, str]]] = {"pair": _pair, "merged": _merged}
"""Layout → what puts its files into a folder and returns them by role."""


def _link(path: str, folder: str) -> str:
    target = os.path.join(folder, os.path.basename(path))
    os.link(path, target)
    return target
