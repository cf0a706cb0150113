"""Results and artifacts on disk."""

from __future__ import annotations

import pytest

from harness.errors import StoreError
from harness.store import Store, folder_digest


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_what_was_put_is_got_and_forgotten(store):
    assert store.get("ab12") is None
    store.put("ab12", {"a": ["ü", 1.5, None]})
    assert store.get("ab12") == {"a": ["ü", 1.5, None]}
    assert Store(store.root).get("ab12") == {"a": ["ü", 1.5, None]}
    store.forget("ab12")
    store.forget("ab12")
    assert store.get("ab12") is None


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe"])
def test_a_damaged_result_counts_as_absent(store, damage):
    store.put("ab12", 1)
    (path,) = (store.root / "results").rglob("*.json")
    path.write_bytes(damage)
    assert store.get("ab12") is None


def publish(store, text: str) -> str:
    with store.scratch() as scratch:
        (scratch / "made" / "in").mkdir(parents=True)
        (scratch / "made" / "in" / "file").write_text(text)
        return store.publish(scratch / "made")


def test_a_published_folder_is_named_by_its_content(store):
    one, other = publish(store, "one"), publish(store, "other")
    assert one != other
    assert (store.artifact(one) / "in" / "file").read_text() == "one"
    assert store.intact(one)
    assert publish(Store(store.root), "one") == one
    assert list((store.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("damage", ["", "longer than it was"])
def test_a_damaged_artifact_is_not_intact_and_is_replaced(store, damage):
    digest = publish(store, "content")
    (store.artifact(digest) / "in" / "file").write_text(damage)
    later = Store(store.root)
    assert not later.intact(digest)
    assert publish(later, "content") == digest
    assert (store.artifact(digest) / "in" / "file").read_text() == "content"
    assert later.intact(digest)
    assert list((store.root / "tmp").iterdir()) == []


def test_a_discarded_artifact_is_gone(store):
    digest = publish(store, "content")
    store.discard(digest)
    store.discard(digest)
    assert not store.intact(digest)
    assert list((store.root / "artifacts").iterdir()) == []
    assert list((store.root / "tmp").iterdir()) == []


def test_a_folders_digest_is_of_names_and_contents(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder / "in").mkdir(parents=True)
        (tmp_path / folder / "in" / "file").write_text("same")
    (tmp_path / "b" / "__pycache__").mkdir()
    (tmp_path / "b" / "__pycache__" / "file.pyc").touch()
    assert folder_digest(tmp_path / "a") == folder_digest(tmp_path / "b")
    (tmp_path / "b" / "in" / "file").rename(tmp_path / "b" / "in" / "other")
    assert folder_digest(tmp_path / "a") != folder_digest(tmp_path / "b")


def test_scratch_is_gone_whatever_happens(store):
    seen = []

    def fail() -> None:
        with store.scratch() as scratch:
            seen.append(scratch)
            (scratch / "file").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not seen[0].exists()


def test_nothing_half_written_is_left_where_a_value_cannot_be_stored(store):
    with pytest.raises(TypeError):
        store.put("ab12", object())
    assert store.get("ab12") is None


def test_a_store_inside_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="name another with --store"):
        Store(tmp_path / "file" / "store")
