"""How much the files of a process take."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.execution.process.disk_use import DiskUse


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
