"""External data: the files beside a model that hold its weights. They are looked at, and never read."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.onnx_files.onnx_model import ELEMENT_TYPES, OnnxModel, Tensor
from harness.regular_files import kind_of

_NUMBER = re.compile(r"[0-9]{1,18}")


class DataPlace(StrEnum):
    """How external data lie beside a model."""

    PLAIN = "plain"
    """A file in the folder of the model."""
    SUBFOLDER = "subfolder"
    SYMBOLIC_LINK = "symbolic-link"
    """A link to a file in the folder of the model."""
    SYMBOLIC_LINK_OUTSIDE = "symbolic-link-outside"
    """A link to a file in another folder, while the model is no link."""
    MODEL_AND_DATA_LINKED = "model-and-data-linked"
    """Both are links to files in one other folder, as the cache of a hub lays them out."""
    HARD_LINK = "hard-link"
    """The file has another name elsewhere."""
    OUTSIDE = "outside"
    """The location has `..` and leaves the folder."""
    ABSOLUTE = "absolute"
    """The location is an absolute path to another folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFile:
    """One file of weights."""

    location: str
    """As the model writes it."""
    tensors: int
    place: DataPlace
    size: int | None
    """Bytes; None if it is not there, was not looked at, or is no regular file."""
    problem: str | None
    """Why no runtime can read it: the end of a sentence about the file."""


def data_files(model: OnnxModel, path: Path) -> list[DataFile]:
    """The files that the model at `path` names, in the order in which it names them."""
    by_location: dict[str, list[Tensor]] = {}
    for tensor in model.tensors():
        if tensor.external:
            by_location.setdefault(tensor.external.location, []).append(tensor)
    return [_data_file(location, tensors, path) for location, tensors in by_location.items()]


def _data_file(location: str, tensors: Sequence[Tensor], model: Path) -> DataFile:
    place = _named_place(location)
    size, problem = None, None
    if place in {DataPlace.PLAIN, DataPlace.SUBFOLDER}:
        file = model.absolute().parent / location
        size, problem = _size(file)
        if size is not None:
            place = _place(file, model, place)
    problem = problem or next(_wrong(tensors, size), None)
    return DataFile(location=location, tensors=len(tensors), place=place, size=size, problem=problem)


def _named_place(location: str) -> DataPlace:
    """The place by the name alone. What leaves the folder is not looked at: the model is a stranger's."""
    if location.startswith("/"):
        return DataPlace.ABSOLUTE
    parts = os.path.normpath(location).split("/") if location else [""]
    if parts[0] == "..":
        return DataPlace.OUTSIDE
    return DataPlace.PLAIN if len(parts) == 1 else DataPlace.SUBFOLDER


def _size(file: Path) -> tuple[int | None, str | None]:
    """(bytes, None), or (None, why it cannot be read)."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None, "is not there"
    except (OSError, ValueError) as error:
        return None, f"cannot be looked at: {getattr(error, 'strerror', None) or error}"
    if not stat.S_ISREG(status.st_mode):
        return None, f"is {kind_of(status.st_mode)}, not a regular file"
    return status.st_size, None


def _place(file: Path, model: Path, named: DataPlace) -> DataPlace:
    """The place of a file that is there, links followed."""
    real, folder = Path(os.path.realpath(file)), Path(os.path.realpath(model.absolute().parent))
    if real != folder / os.path.normpath(file.relative_to(model.absolute().parent)):
        if real.is_relative_to(folder):
            return DataPlace.SYMBOLIC_LINK
        beside = real.parent == Path(os.path.realpath(model)).parent
        return DataPlace.MODEL_AND_DATA_LINKED if beside else DataPlace.SYMBOLIC_LINK_OUTSIDE
    return DataPlace.HARD_LINK if file.stat().st_nlink > 1 else named


def _wrong(tensors: Sequence[Tensor], size: int | None) -> Iterator[str]:
    """What is wrong with the ranges of tensors in a file of `size` bytes."""
    for tensor in tensors:
        external, needed = tensor.external, _bytes(tensor)
        offset, length = (external.offset, external.length) if external else ("", "")
        if not all(_NUMBER.fullmatch(number or "0") for number in (offset, length)):
            yield f"holds {tensor.name} at an offset or with a length that is no number"
        elif length and needed is not None and int(length) != needed:
            yield f"holds {int(length):,} bytes for {tensor.name}, and its shape needs {_counted(needed)}"
        elif size is not None and int(offset or 0) + int(length or needed or 0) > size:
            end = int(offset or 0) + int(length or needed or 0)
            yield f"has {size:,} bytes, and {tensor.name} ends at byte {_counted(end)}"


def _counted(number: int) -> str:
    """A number of bytes; the shape of a stranger's tensor may need one with more digits than Python writes."""
    return f"{number:,}" if number < _MOST else f"more than {_MOST:,}"


_MOST = 10**21


def _bytes(tensor: Tensor) -> int | None:
    """The bytes that a tensor of this type and shape needs; None for types without a fixed size."""
    known = ELEMENT_TYPES.get(tensor.element)
    if known is None or known.bits == 0 or any(dim < 0 for dim in tensor.dims):
        return None
    return (math.prod(tensor.dims) * known.bits + 7) // 8
