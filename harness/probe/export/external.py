"""External data: tensors that lie in files beside a graph, because protobuf holds no more than 2 GB.

Exporters choose the names of these files (TorchScript: one for each tensor, by the tensor's name), so two graphs in one
folder overwrite each other's. Here every graph is written in a folder of its own, and has one data file named after it:
`decoder.onnx` and `decoder.onnx.data`. Files are copied: onnx 1.23 refuses data that have another hard link. Data are copied
from file to file and never loaded: a loaded tensor only says where its content is.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, NamedTuple

import onnx
from onnx import TensorProto, numpy_helper

from ..outcome import ProbeFailure

LIMIT = 1_900_000_000
"""Bytes of tensors that a graph file may hold; names, shapes and nodes need the rest of protobuf's 2 GiB."""
_SMALL = 1024
"""A tensor of fewer bytes stays in its graph: runtimes read shapes early, to fold them."""
_ALIGNMENT = 64
_CHUNK = 1 << 24


class _Range(NamedTuple):
    """The place of a tensor's content."""

    file: Path
    offset: int
    length: int


def write_apart(write: Callable[[Path], None], path: Path) -> None:
    """Call `write` with a path in a folder of its own, and move the graph to `path`."""
    folder = path.with_name(f".{path.stem}")
    folder.mkdir(parents=True)
    written = folder / path.name
    try:
        write(written)
        if len(list(folder.iterdir())) == 1 and written.is_file() and written.stat().st_size <= LIMIT:
            written.replace(path)
        else:
            place(written, path)
    finally:
        shutil.rmtree(folder)


def place(path: Path, target: Path) -> None:
    """Copy the graph at `path` to `target`, and its external data, if it has any, beside that."""
    model = load(path)
    if path.stat().st_size <= LIMIT and not any(map(_is_external, tensors(model))):
        shutil.copyfile(str(path), str(target))
    else:
        save(model, target)


def load(path: Path) -> Any:
    """Return the model at `path`. Its external tensors have absolute locations, as `save` needs them."""
    model = onnx.load(str(path), load_external_data=False)
    for tensor in filter(_is_external, tensors(model)):
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = str(path.parent / entry.value)
    return model


def save(model: Any, target: Path) -> None:
    """Write a model to `target`; tensors that it cannot hold go to one file beside it.

    ProbeFailure if the content of an external tensor is missing.
    """
    held = [tensor for tensor in tensors(model) if not _is_external(tensor)]
    moved = [tensor for tensor in tensors(model) if _is_external(tensor)]
    if sum(len(tensor.raw_data) for tensor in held) > LIMIT:
        moved += [tensor for tensor in held if len(tensor.raw_data) >= _SMALL]
    if moved:
        data = target.with_name(target.name + ".data")
        with data.open("wb") as file:
            for tensor in moved:
                _move(tensor, file, data.name)
    onnx.save(model, str(target))


def content_digest(tensor: Any) -> bytes:
    """Return a digest of a tensor's values, wherever they are."""
    if not _is_external(tensor):
        return hashlib.sha256(numpy_helper.to_array(tensor).tobytes()).digest()
    digest = hashlib.sha256()
    for chunk in _chunks(_range(tensor)):
        digest.update(chunk)
    return digest.digest()


def tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor of a model: initializers and constants, of nested graphs and of functions too."""
    yield from _tensors_of_graph(model.graph)
    for function in model.functions:
        yield from _tensors_of_nodes(function.node)


def _tensors_of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _tensors_of_nodes(graph.node)


def _tensors_of_nodes(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                yield from _tensors_of_graph(attribute.g)
            for graph in attribute.graphs:
                yield from _tensors_of_graph(graph)


def _is_external(tensor: Any) -> bool:
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def _range(tensor: Any) -> _Range:
    known = {entry.key: entry.value for entry in tensor.external_data}
    file, offset = Path(known["location"]), int(known.get("offset", 0))
    size = file.stat().st_size if file.is_file() else -1
    length = int(known.get("length", size - offset))
    if size < offset + length or length < 0:
        message = f"the exporter left no data for the tensor {tensor.name}: {file.name} has not the bytes that the graph names"
        raise ProbeFailure(message)
    return _Range(file, offset, length)


def _chunks(where: _Range) -> Iterator[bytes]:
    with where.file.open("rb") as file:
        file.seek(where.offset)
        left = where.length
        while left:
            chunk = file.read(min(left, _CHUNK))
            left -= len(chunk)
            yield chunk


def _move(tensor: Any, file: BinaryIO, name: str) -> None:
    """Append the content of `tensor` to `file`, and make that its location."""
    file.write(b"\0" * (-file.tell() % _ALIGNMENT))
    offset = file.tell()
    file.writelines(_chunks(_range(tensor)) if _is_external(tensor) else [tensor.raw_data])
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (("location", name), ("offset", offset), ("length", file.tell() - offset)):
        tensor.external_data.add(key=key, value=str(value))
