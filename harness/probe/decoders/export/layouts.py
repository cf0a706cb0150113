"""The layouts: how the exported graphs of a model become the files of a variant."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Callable, Mapping, NamedTuple

from ...export.external import place
from .merge import merge_decoders

Graphs = Mapping[str, Path]
"""Role → path of an exported graph, which all variants of one exporter, opset and attention share."""


class LayoutBuilder(NamedTuple):
    """`roles`: its graphs, as far as the model has them. `build` writes its files into a folder."""

    roles: tuple[str, ...]
    build: Callable[[Graphs, Path], None]


def place_graphs(graphs: Graphs, folder: Path) -> None:
    """Copy the graphs into `folder`, each named by its role, with their external data."""
    for role, path in graphs.items():
        place(path, folder / f"{role}.onnx")


def _merge(graphs: Graphs, folder: Path, *, passes_cross: bool = False) -> None:
    merged = folder / "decoder_merged.onnx"
    merge_decoders(graphs["decoder"], graphs["decoder_with_past"], merged, passes_cross=passes_cross)
    place_graphs({role: path for role, path in graphs.items() if not role.startswith("decoder")}, folder)


_WITHOUT_PAST = ("encoder", "decoder")
_ALL = (*_WITHOUT_PAST, "decoder_with_past")

LAYOUTS = {
    # The decoder returns its cache here too; a loop without cache ignores it.
    "no-cache": LayoutBuilder(_WITHOUT_PAST, place_graphs),
    "pair": LayoutBuilder(_ALL, place_graphs),
    "merged": LayoutBuilder(_ALL, _merge),
    "merged-passthrough": LayoutBuilder(_ALL, functools.partial(_merge, passes_cross=True)),
}
