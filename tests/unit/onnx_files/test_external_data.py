"""Where external data lie, and what is wrong with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from onnx_models import external, identity, saved

from harness.onnx_files.external_data import DataFile, DataPlace, data_files
from harness.onnx_files.reader import read_model


def found(path: Path, **place: object) -> DataFile:
    """The file of the one external weight of a model at `path`: float32, 4 elements."""
    made = identity(weights=[external("w", (4,), **({"location": "w.data"} | place))])
    (file,) = data_files(read_model(saved(path, made)), path)
    return file


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "model" / "sub").mkdir(parents=True)
    (tmp_path / "blobs").mkdir()
    for name in ("model/w.data", "model/sub/w.data", "blobs/w.data"):
        (tmp_path / name).write_bytes(bytes(16))
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("location", "place", "size"),
    [
        ("w.data", DataPlace.PLAIN, 16),
        ("./w.data", DataPlace.PLAIN, 16),
        ("sub/w.data", DataPlace.SUBFOLDER, 16),
        ("sub/../w.data", DataPlace.PLAIN, 16),
        ("../blobs/w.data", DataPlace.OUTSIDE, None),
        ("sub/../../blobs/w.data", DataPlace.OUTSIDE, None),
        ("/etc/passwd", DataPlace.ABSOLUTE, None),
    ],
)
def test_the_place_of_a_location(folder, location, place, size):
    file = found(folder / "model.onnx", location=location)
    assert (file.place, file.size, file.problem) == (place, size, None)


def test_links_are_followed_to_where_they_lead(folder):
    (folder / "near").symlink_to("w.data")
    (folder / "far").symlink_to("../blobs/w.data")
    (folder / "linked-folder").symlink_to("../blobs")
    os.link(folder / "w.data", folder / "hard")
    names = ("near", "far", "linked-folder/w.data", "hard")
    places = {name: found(folder / "model.onnx", location=name).place for name in names}
    assert places == {
        "near": DataPlace.SYMBOLIC_LINK,
        "far": DataPlace.SYMBOLIC_LINK_OUTSIDE,
        "linked-folder/w.data": DataPlace.SYMBOLIC_LINK_OUTSIDE,
        "hard": DataPlace.HARD_LINK,
    }


def test_a_model_and_its_data_may_be_links_into_one_folder(folder):
    made = identity(weights=[external("w", (4,), location="far")])
    saved(folder.parent / "blobs" / "abc", made)
    (folder / "model.onnx").symlink_to("../blobs/abc")
    (folder / "far").symlink_to("../blobs/w.data")
    (file,) = data_files(read_model(folder / "model.onnx"), folder / "model.onnx")
    assert file.place is DataPlace.MODEL_AND_DATA_LINKED


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"location": "missing"}, "is not there"),
        ({"location": ""}, "is a folder, not a regular file"),
        ({"location": "C:\\w.data"}, "is not there"),
        ({"location": "sub"}, "is a folder, not a regular file"),
        ({"location": "fifo"}, "is a FIFO, not a regular file"),
        ({"location": "nul\0byte"}, "cannot be looked at: embedded null byte"),
        ({"location": "x" * 300}, "cannot be looked at: File name too long"),
        ({"offset": 1}, "has 16 bytes, and w ends at byte 17"),
        ({"offset": 4, "length": 16}, "has 16 bytes, and w ends at byte 20"),
        ({"length": 12}, "holds 12 bytes for w, and its shape needs 16"),
        ({"offset": "many"}, "holds w at an offset or with a length that is no number"),
        ({"length": -4}, "holds w at an offset or with a length that is no number"),
        ({"offset": 9**18}, "has 16 bytes, and w ends at byte 150,094,635,296,999,137"),
        ({"offset": 0, "length": 16}, None),
    ],
)
def test_what_is_wrong_with_a_file(folder, given, problem):
    os.mkfifo(folder / "fifo")
    assert found(folder / "model.onnx", **given).problem == problem


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ({"length": 4}, "holds 4 bytes for w, and its shape needs more than 1,000,000,000,000,000,000,000"),
        ({"offset": 4}, "has 16 bytes, and w ends at byte more than 1,000,000,000,000,000,000,000"),
    ],
)
def test_a_shape_may_need_more_bytes_than_can_be_written(folder, place, problem):
    path = folder / "model.onnx"
    saved(path, identity(weights=[external("w", (2**62,) * 300, location="w.data", **place)]))
    (file,) = data_files(read_model(path), path)
    assert file.problem == problem


def test_the_tensors_of_a_file_are_counted(folder):
    weights = [external(name, (2,), location="w.data", offset=place) for place, name in ((0, "a"), (8, "b"))]
    path = saved(folder / "model.onnx", identity(weights=weights))
    assert [(file.location, file.tensors, file.problem) for file in data_files(read_model(path), path)] == [("w.data", 2, None)]
