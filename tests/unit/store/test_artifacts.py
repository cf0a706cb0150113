"""Folders that are named by their content."""

from __future__ import annotations

import pytest

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
