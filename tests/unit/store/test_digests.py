"""Folders that somebody else made, copied: regular files only, and nothing from outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.regular_files import RefusedFileError
from harness.store.digests import copy_within, folder_digest, make_plain


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / "blobs").mkdir(parents=True)
    (made / "blobs" / "0").write_text("weights")
    (made / "config.json").write_text("{}")
    (tmp_path / "private").write_text("PRIVATE")
    return made


def test_a_link_within_the_folder_is_copied_as_what_it_names(folder, tmp_path):
    (folder / "model.bin").symlink_to("blobs/0")
    (folder / "linked").symlink_to("blobs")
    copy_within(folder, tmp_path / "copy")
    assert folder_digest(tmp_path / "copy") == folder_digest(folder)
    assert (tmp_path / "copy" / "model.bin").read_text() == "weights"
    assert not any(path.is_symlink() for path in (tmp_path / "copy").rglob("*"))


def test_bytecode_is_not_copied(folder, tmp_path):
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").touch()
    copy_within(folder, tmp_path / "copy")
    assert not list((tmp_path / "copy").rglob("*.pyc"))


REFUSED = {
    "a private file": (lambda path: path.symlink_to("../private"), "is a link that leads out of"),
    "by an absolute path": (lambda path: path.symlink_to(path.parents[1] / "private"), "is a link that leads out of"),
    "an endless file": (lambda path: path.symlink_to("/dev/zero"), "is a link that leads out of"),
    "nothing": (lambda path: path.symlink_to("nowhere"), "is a link to nothing"),
    "a FIFO": (os.mkfifo, "is a FIFO, not a regular file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_file_of_the_folder_is_refused(folder, tmp_path, case):
    make, problem = REFUSED[case]
    make(folder / "model.bin")
    for names in (None, ["model.bin"]):
        with pytest.raises(RefusedFileError, match=problem) as refused:
            copy_within(folder, tmp_path / f"copy-{names}", names)
        assert str(refused.value).startswith(str(folder / "model.bin"))


def test_a_link_in_what_a_probe_has_left_is_the_file_that_it_names(folder):
    (folder / "model.bin").symlink_to("blobs/0")
    (folder / "again.bin").symlink_to(folder / "model.bin")
    (folder / "linked").symlink_to("blobs")
    make_plain(folder)
    assert {path.name for path in folder.rglob("*")} == {"blobs", "0", "config.json", "model.bin", "again.bin"}
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    assert (folder / "model.bin").read_text() == (folder / "again.bin").read_text() == "weights"
    # A thousand links to a large file take no more than that.
    assert (folder / "model.bin").samefile(folder / "blobs" / "0")


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_probe_has_left_is_no_way_to_other_files(folder, case):
    make, _ = REFUSED[case]
    make(folder / "model.bin")
    make_plain(folder)
    assert {path.name for path in folder.rglob("*")} == {"blobs", "0", "config.json"}
    assert (folder.parent / "private").read_text() == "PRIVATE"


def test_a_folder_that_is_a_link_itself(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    copy_within(tmp_path / "link", tmp_path / "copy", ["config.json"])
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["config.json"]


def test_a_folders_digest_is_of_names_and_contents(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder / "in").mkdir(parents=True)
        (tmp_path / folder / "in" / "file").write_text("same")
    (tmp_path / "b" / "__pycache__").mkdir()
    (tmp_path / "b" / "__pycache__" / "file.pyc").touch()
    assert folder_digest(tmp_path / "a") == folder_digest(tmp_path / "b")
    (tmp_path / "b" / "in" / "file").rename(tmp_path / "b" / "in" / "other")
    assert folder_digest(tmp_path / "a") != folder_digest(tmp_path / "b")
