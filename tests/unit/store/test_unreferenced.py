"""What a store holds besides given records, and what its removal frees."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from harness.environments.leftovers import leftovers
from harness.errors import StoreError
from harness.hashing import digest
from harness.store import usage
from harness.store.envelope import RecordKind
from harness.store.store import Store
from harness.store.unreferenced import freed, remove_all, unreached

KIND = RecordKind(name="anything", adapter=TypeAdapter(Any))
KEY, OTHER = digest("key"), digest("other")
BLOCK = 4096
"""Bytes that a small file takes, on the file systems of tests at least."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two records, each with an artifact and a log; and two checkpoints."""
    made = Store(tmp_path / "store")
    for key in (KEY, OTHER):
        with made.scratch() as scratch:
            (scratch / "model").mkdir()
            (scratch / "model" / "weights").write_text(key)
            artifact = made.artifacts.publish(scratch / "model")
        made.log(digest([key, "log"])).write_text("a log")
        made.put(KIND, key, {"artifact": artifact, "log": f"logs/{digest([key, 'log'])}.log"})
    for name in ("owner/one", "owner/two"):
        (made.root / "models" / name).mkdir(parents=True)
    return made


def test_what_a_reached_record_names_is_reached(store):
    found = list(unreached(store.root, {KEY}, {"owner/one"}))
    assert [each.kind for each in found] == ["results", "artifacts", "logs", "checkpoints"]
    remove_all(found)
    value = store.get(KIND, KEY)
    assert store.artifacts.intact(value["artifact"])
    assert (store.root / value["log"]).exists()
    assert (store.root / "models" / "owner" / "one").exists()
    assert list(unreached(store.root, {KEY}, {"owner/one"})) == []


def test_keys_that_were_read_are_known(store):
    assert store.found == set()
    store.get(KIND, KEY)
    store.get(KIND, digest("nothing"))
    assert store.found == {KEY}


def test_what_is_damaged_is_not_reached(store):
    (path,) = (store.root / "results" / KEY[:2]).iterdir()
    path.write_bytes(path.read_bytes().replace(b"artifact", b"artefact"))
    assert store.get(KIND, KEY) is None
    assert store.found == set()


def test_a_record_in_the_folder_of_another_is_left_alone(store):
    folder = store.root / "results" / "zz"
    folder.mkdir()
    (folder / f"{KEY}.json").write_text("{}")
    assert len([each for each in unreached(store.root, {KEY, OTHER}, set()) if each.kind == "results"]) == 0


def test_a_hard_link_elsewhere_frees_nothing(tmp_path):
    (tmp_path / "cache").write_bytes(b"x" * BLOCK)
    folder = tmp_path / "folder"
    folder.mkdir()
    os.link(tmp_path / "cache", folder / "linked")
    assert freed(folder) == 0
    (folder / "own").write_bytes(b"x" * BLOCK)
    assert freed(folder) == freed(folder / "own") >= BLOCK
    os.link(folder / "own", folder / "twice")
    assert freed(folder) >= BLOCK
    assert freed(folder) < 2 * BLOCK


def test_bytecode_of_a_place_where_the_store_lay_before(tmp_path):
    root = Store(tmp_path / "store").root
    present = root / "bytecode" / (root / "envs").relative_to("/") / ("a" * 16)
    before = root / "bytecode" / "old" / "place" / "envs" / ("a" * 16)
    library = root / "bytecode" / "usr" / "lib" / "python3"
    for folder in (present, before, library):
        folder.mkdir(parents=True)
    assert [each.path for each in leftovers(root, {"a" * 16})] == [before]
    assert [each.path for each in leftovers(root, set())] == sorted([present, before])


HOLD = """
import sys, time
from pathlib import Path
from harness.store.store import Store
Store(Path(sys.argv[1]))
print("holds", flush=True)
time.sleep(600)
"""


def test_another_process_that_uses_the_store_is_noticed(store):
    with usage.alone(store.root):
        pass
    with subprocess.Popen([sys.executable, "-c", HOLD, str(store.root)], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout
            assert child.stdout.readline() == "holds\n"
            with pytest.raises(StoreError, match="another process works with it"), usage.alone(store.root):
                pass
        finally:
            child.kill()
    with usage.alone(store.root):
        pass


def test_a_store_that_was_removed_holds_no_file_open(tmp_path):
    for number in range(3):
        shutil.rmtree(Store(tmp_path / str(number)).root)
    last = Store(tmp_path / "last")
    assert [root for root in usage._LOCKS if tmp_path in root.parents] == [last.root]


def test_where_no_file_can_be_locked_nobody_is_alone(tmp_path, monkeypatch):
    def refuse(_path: Path) -> None:
        raise OSError("no locks")

    monkeypatch.setattr(usage, "FileLock", refuse)
    store = Store(tmp_path / "store")
    with pytest.raises(StoreError, match="no file can be locked in it"), usage.alone(store.root):
        pass
