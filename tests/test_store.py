"""Results and artifacts on disk."""

from __future__ import annotations

import pytest

from harness.errors import StoreError
from harness.store import Store


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


def test_a_published_folder_replaces_the_one_before(store):
    for text in ("old", "new"):
        with store.scratch() as scratch:
            (scratch / "made").mkdir()
            (scratch / "made" / "file").write_text(text)
            store.publish("ab12", scratch / "made")
    assert (store.artifact("ab12") / "file").read_text() == "new"
    assert list((store.root / "tmp").iterdir()) == []


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
