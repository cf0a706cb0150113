"""How the exported graphs of a model become the files of a variant."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Callable, Mapping

from .merge import merge_decoders

Graphs = Mapping[str, Path]
"""Role → path of an exported graph, shared by all variants of one exporter and opset."""


def _pair(graphs: Graphs, folder: Path) -> dict[str, Path]:
    return {role: _link(path, folder) for role, path in graphs.items()}


def _merged(graphs: Graphs, folder: Path) -> dict[str, Path]:
    merged = folder / "decoder_merged.onnx"
    merge_decoders(graphs["decoder"], graphs["decoder_with_past"], merged)
    kept = {role: _link(path, folder) for role, path in graphs.items() if role == "encoder"}
    return {**kept, "decoder_merged": merged}


LAYOUTS: dict[str, Callable[[Graphs, Path], dict[str, Path]]] = {"pair": _pair, "merged": _merged}
"""Layout → what puts its files into a folder and returns them by role."""


def _link(path: Path, folder: Path) -> Path:
    target = folder / path.name
    try:
        os.link(path, target)
    except OSError:  # not every file system has hard links
        shutil.copyfile(path, target)
    return target
