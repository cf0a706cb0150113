"""How the exported graphs of a model become the files of a variant."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Mapping, NamedTuple

from ...export.external import place
from .merge import merge_decoders

Graphs = Mapping[str, Path]
"""Role → path of an exported graph, shared by all variants of one exporter, opset and attention."""


class Layout(NamedTuple):
    """`roles` are the graphs it is made of, as far as the model has them; `build` puts its files into a folder."""

    roles: tuple[str, ...]
    build: Callable[[Graphs, Path], None]


def place_graphs(graphs: Graphs, folder: Path) -> None:
    """Copy the graphs into `folder`, each named by its role, and the data that lie beside them."""
    for role, path in graphs.items():
        place(path, folder / f"{role}.onnx")


def _merged(graphs: Graphs, folder: Path) -> None:
    _merge(graphs, folder, passes_cross=False)


def _merged_passthrough(graphs: Graphs, folder: Path) -> None:
    _merge(graphs, folder, passes_cross=True)


_WITHOUT_PAST = ("encoder", "decoder")
_ALL = (*_WITHOUT_PAST, "decoder_with_past")

LAYOUTS = {
    # The decoder returns its cache here too; a loop that never feeds one back leaves it alone.
    "no-cache": Layout(_WITHOUT_PAST, place_graphs),
    "pair": Layout(_ALL, place_graphs),
    "merged": Layout(_ALL, _merged),
    "merged-passthrough": Layout(_ALL, _merged_passthrough),
}


def _merge(graphs: Graphs, folder: Path, *, passes_cross: bool) -> None:
    merged = folder / "decoder_merged.onnx"
    merge_decoders(graphs["decoder"], graphs["decoder_with_past"], merged, passes_cross=passes_cross)
    place_graphs({role: path for role, path in graphs.items() if not role.startswith("decoder")}, folder)
