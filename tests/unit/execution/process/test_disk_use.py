"""How much the files of a process take."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.execution.process.disk_use import DiskUse
from harness.store.removal import remove


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("work", "out"):
        (tmp_path / name).mkdir()
    return tmp_path / "work", tmp_path / "out"


def test_each_export_and_all_else_has_the_limit(folders):
    work, out = folders
    use = DiskUse([work], out, ["a", "b"], 100_000)
    for name in ("a", "b"):
        (out / name).mkdir()
        (out / name / "model.onnx").write_bytes(bytes(80_000))
    (work / "home").write_bytes(bytes(80_000))
    assert use.large() == []
    (out / "b" / "more").write_bytes(bytes(20_000))
    assert use.large() == ["b"]
    # What is no export counts with all else, links and what they lead to do not.
    (out / "c").write_bytes(bytes(20_000))
    (work / "link").symlink_to(out)
    assert use.large() == ["b", None]


def test_a_hole_is_as_large_as_it_looks_and_an_empty_file_is_not_nothing(folders):
    work, _ = folders
    use = DiskUse([work], None, [], 1_000_000)
    for number in range(200):
        (work / str(number)).touch()
    assert use.large() == []
    with (work / "hole").open("wb") as file:
        file.truncate(500_000)
    assert use.large() == [None]
    assert use.exceeds()


def test_what_is_gone_or_no_folder_is_nothing(tmp_path):
    assert DiskUse([tmp_path / "gone"], tmp_path / "gone", ["a"], 1).large() == []


@pytest.mark.parametrize(("depth", "name"), [(30, "a" * 200), (1_000, "a")], ids=["long paths", "deep"])
def test_what_lies_too_deep_for_a_path_counts_too(folders, depth, name):
    work, _ = folders
    handle = os.open(work, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=handle)
        inner = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    with os.fdopen(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=handle), "wb") as file:
        file.truncate(10_000_000)
    os.close(handle)
    use = DiskUse([work], None, [], 9_000_000)
    assert use.large() == [None]
    remove(work)


def test_a_link_within_is_not_followed_and_the_folder_itself_may_be_one(folders):
    work, out = folders
    (out / "large").write_bytes(bytes(200_000))
    (work / "link").symlink_to(out)
    (work.parent / "lent").symlink_to(work)
    assert DiskUse([work.parent / "lent"], None, [], 100_000).large() == []
    (work / "large").write_bytes(bytes(200_000))
    assert DiskUse([work.parent / "lent"], None, [], 100_000).large() == [None]
