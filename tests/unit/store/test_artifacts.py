"""Folders that are named by their content."""

from __future__ import annotations

import os
import shutil

import pytest

from harness import disk_space
from harness.regular_files import RefusedFileError
from harness.store import artifacts
from harness.store.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def publish(store, text: str) -> str:
    with store.scratch() as scratch:
        (scratch / "made" / "in").mkdir(parents=True)
        (scratch / "made" / "in" / "file").write_text(text)
        return store.artifacts.publish(scratch / "made")


def test_a_published_folder_is_named_by_its_content(store):
    one, other = publish(store, "one"), publish(store, "other")
    assert one != other
    assert (store.artifacts.folder(one) / "in" / "file").read_text() == "one"
    assert store.artifacts.intact(one)
    assert publish(Store(store.root), "one") == one
    assert list((store.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("damage", ["", "longer than it was"])
def test_a_damaged_artifact_is_not_intact_and_is_replaced(store, damage):
    digest = publish(store, "content")
    (store.artifacts.folder(digest) / "in" / "file").write_text(damage)
    later = Store(store.root)
    assert not later.artifacts.intact(digest)
    assert publish(later, "content") == digest
    assert (store.artifacts.folder(digest) / "in" / "file").read_text() == "content"
    assert later.artifacts.intact(digest)
    assert list((store.root / "tmp").iterdir()) == []


def test_a_discarded_artifact_is_gone(store):
    digest = publish(store, "content")
    store.artifacts.discard(digest)
    store.artifacts.discard(digest)
    assert not store.artifacts.intact(digest)
    assert list((store.root / "artifacts").iterdir()) == []
    assert list((store.root / "tmp").iterdir()) == []


def test_who_holds_what_was_published_cannot_change_the_artifact(store):
    """A process that has left its sandbox's group may still hold files and folders of the original open."""
    with store.scratch() as scratch:
        (scratch / "made").mkdir()
        (scratch / "made" / "file").write_text("content")
        with (scratch / "made" / "file").open("a") as held:
            folder = os.open(scratch / "made", os.O_RDONLY)
            digest = store.artifacts.publish(scratch / "made")
            held.write(" and more")
        os.close(os.open("planted", os.O_WRONLY | os.O_CREAT, dir_fd=folder))
        os.close(folder)
    assert [path.name for path in store.artifacts.folder(digest).iterdir()] == ["file"]
    assert Store(store.root).artifacts.intact(digest)


def test_folders_may_be_put_into_an_artifact(store):
    with store.scratch() as scratch:
        for name in ("made", "reference"):
            (scratch / name).mkdir()
            (scratch / name / "file").write_text(name)
        digest = store.artifacts.publish(scratch / "made", scratch / "reference")
    assert (store.artifacts.folder(digest) / "reference" / "file").read_text() == "reference"


@pytest.mark.parametrize("name", ["made", "made/file", "reference", "reference/file"])
def test_no_link_is_followed(store, name):
    with store.scratch() as scratch:
        (scratch / "private").mkdir()
        (scratch / "private" / "file").write_text("PRIVATE")
        for folder in ("made", "reference"):
            (scratch / folder).mkdir()
        if "/" not in name:
            (scratch / name).rmdir()
        (scratch / name).symlink_to(scratch / "private" / ("file" if "/" in name else ""))
        with pytest.raises(RefusedFileError, match="symbolic link"):
            store.artifacts.publish(scratch / "made", scratch / "reference")
    assert list((store.root / "artifacts").iterdir()) == []


def test_what_another_task_has_just_made_is_not_taken_away_from_who_reads_it(store, monkeypatch):
    other, made, there = Store(store.root), [], []
    lexists, sync = os.path.lexists, artifacts.sync

    def makes_it_after_the_look(path) -> bool:
        found = lexists(path)
        if not made and "artifacts" in str(path):
            made.append("")
            made.append(publish(other, "content"))
        return found

    def looks(path) -> None:
        if len(made) == 2:
            there.append((store.root / "artifacts" / made[1]).exists())
        sync(path)

    monkeypatch.setattr(os.path, "lexists", makes_it_after_the_look)
    monkeypatch.setattr(artifacts, "sync", looks)
    assert publish(store, "content") == made[1]
    assert there
    assert all(there)
    assert store.artifacts.intact(made[1])


def test_what_the_disk_will_not_hold_is_a_full_disk(store, monkeypatch):
    usage = shutil.disk_usage(store.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: usage._replace(free=3))
    with pytest.raises(OSError, match="No space left") as caught:
        publish(store, "content")
    assert disk_space.is_full(caught.value)
    assert list((store.root / "artifacts").iterdir()) == []
