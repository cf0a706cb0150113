"""A shared folder as a store's mirror: what others put there leads nowhere, and nothing of theirs is overwritten."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from harness.errors import StoreError
from harness.hashing import digest
from harness.store.access import Access
from harness.store.envelope import RecordKind
from harness.store.shared_folder import SharedFolder
from harness.store.store import Store

pytest.importorskip("fsspec")

KIND = RecordKind(name="anything", adapter=TypeAdapter(Any))
KEY = digest("key")
RECORD = f"results/{KEY[:2]}/{KEY}.json"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    (tmp_path / "shared").mkdir()
    return tmp_path / "shared"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.mkdir()
    (path / "file").write_text("precious")
    return path


@pytest.fixture
def opened(shared, tmp_path, monkeypatch):
    """Opens the store as the machine of that name does."""

    def at(machine: str, access: Access = Access.REMOVE) -> Store:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / machine))
        return Store.open(f"file://{shared}", access=access)

    return at


def published(store: Store, text: str = "graph") -> str:
    with store.scratch() as scratch:
        (scratch / "made" / "in").mkdir(parents=True)
        (scratch / "made" / "in" / "model.onnx").write_text(text)
        return store.artifacts.publish(scratch / "made")


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_two_machines_share_records_and_artifacts(opened, shared):
    one = opened("one")
    one.put(KIND, KEY, {"a": 1})
    name = published(one)
    two = opened("two")
    assert two.get(KIND, KEY) == {"a": 1}
    assert two.artifacts.intact(name)
    assert contents(two.artifacts.folder(name)) == {"model.onnx": "graph"}
    one.put(KIND, KEY, {"a": 2})
    two.refresh([KEY])
    assert two.get(KIND, KEY) == {"a": 2}
    assert opened("one").get(KIND, KEY) == {"a": 2}
    assert sorted(path.name for path in shared.iterdir()) == ["artifacts", "export-matrix", "results"]


def test_an_artifact_that_was_damaged_there_goes_and_is_made_again(opened, shared):
    name = published(opened("one"))
    (shared / "artifacts" / name / "in" / "model.onnx").write_text("other")
    two = opened("two")
    with pytest.raises(StoreError, match="the next run makes it again"):
        two.artifacts.folder(name)
    assert not two.artifacts.intact(name)
    assert published(two) == name
    assert contents(shared / "artifacts") == {"model.onnx": "graph"}


@pytest.mark.parametrize("named", ["../../victim", "/victim", "a" * 31, "A" * 32])
def test_a_record_that_names_a_folder_instead_of_an_artifact_moves_nothing_there(opened, shared, victim, named):
    name = published(opened("one"))
    two = opened("two")
    with pytest.raises((StoreError, ValueError)):
        two.artifacts.folder(named)
    assert not two.artifacts.intact(named)
    assert contents(victim) == {"file": "precious"}
    assert contents(shared / "artifacts") == {"model.onnx": "graph"}
    assert two.artifacts.intact(name)


def test_bytecode_is_no_part_of_an_artifact(opened, shared):
    name = published(opened("one"))
    (shared / "artifacts" / name / "in" / "__pycache__").mkdir()
    (shared / "artifacts" / name / "in" / "__pycache__" / "model.pyc").write_text("code")
    assert contents(opened("two").artifacts.folder(name)) == {"model.onnx": "graph"}


@pytest.mark.parametrize("access", Access)
def test_a_marker_that_is_a_link_is_not_followed(opened, shared, victim, access):
    (shared / "export-matrix").symlink_to(victim / "file")
    opened("one", access)
    assert contents(victim) == {"file": "precious"}
    assert (shared / "export-matrix").is_symlink() == (access is Access.ADD)


@pytest.mark.parametrize("access", Access)
def test_a_marker_that_is_a_fifo_holds_nobody_up(opened, shared, access):
    os.mkfifo(shared / "export-matrix")
    opened("one", access)


def test_a_command_that_runs_nothing_leaves_no_marker(opened, shared):
    opened("one", Access.ADD)
    assert list(shared.iterdir()) == []


def test_a_record_that_is_a_link_is_replaced_and_not_followed(opened, shared, victim):
    (shared / RECORD).parent.mkdir(parents=True)
    (victim / "record").write_bytes(KIND.seal(KEY, "theirs"))
    (shared / RECORD).symlink_to(victim / "record")
    one = opened("one")
    assert one.get(KIND, KEY) is None
    one.put(KIND, KEY, 1)
    assert (victim / "record").read_bytes() == KIND.seal(KEY, "theirs")
    assert opened("two").get(KIND, KEY) == 1


@pytest.mark.parametrize("folder", ["results", f"results/{KEY[:2]}"])
def test_folders_of_records_that_are_links_are_neither_read_nor_written(opened, shared, victim, folder):
    (victim / KEY[:2]).mkdir()
    for path in (victim / KEY[:2], victim):
        (path / f"{KEY}.json").write_bytes(KIND.seal(KEY, "theirs"))
    (shared / folder).parent.mkdir(exist_ok=True)
    (shared / folder).symlink_to(victim)
    one = opened("one")
    assert one.get(KIND, KEY) is None
    with pytest.raises(StoreError, match=f"cannot be written: {shared / RECORD} is a symbolic link"):
        one.put(KIND, KEY, 1)
    assert (victim / KEY[:2] / f"{KEY}.json").read_bytes() == KIND.seal(KEY, "theirs")
    assert len(list(victim.iterdir())) == 3


def test_an_artifact_is_written_through_no_link(opened, shared, victim, tmp_path):
    name = published(Store(tmp_path / "apart"))
    (shared / "artifacts" / name / "in").mkdir(parents=True)
    (shared / "artifacts" / name / "in" / "model.onnx").symlink_to(victim / "file")
    published(opened("one"))
    assert contents(victim) == {"file": "precious"}
    assert contents(shared / "artifacts") == {"model.onnx": "graph"}


def test_an_artifact_that_is_a_link_is_absent_and_goes_nowhere(opened, shared, victim, tmp_path):
    name = published(Store(tmp_path / "apart"))
    (shared / "artifacts").mkdir()
    (shared / "artifacts" / name).symlink_to(victim)
    one = opened("one")
    assert not one.artifacts.intact(name)
    with pytest.raises(StoreError, match="is a symbolic link"):
        published(one)
    with pytest.raises(StoreError, match="the next run makes it again"):
        opened("two").artifacts.folder(name)
    assert contents(victim) == {"file": "precious"}
    assert published(opened("three")) == name


def test_what_was_left_half_written_goes_after_a_week(opened, shared):
    for name, age in ((".new-old", 8), (".new-now", 0)):
        (shared / name).touch()
        os.utime(shared / name, (time.time() - age * 24 * 3600,) * 2)
    opened("one", Access.ADD)
    assert sorted(contents(shared)) == [".new-now", ".new-old"]
    opened("one")
    assert sorted(contents(shared)) == [".new-now", "export-matrix"]


USES = {
    "read": lambda store: store.refresh([KEY]),
    "write": lambda store: store.put(KIND, KEY, 1),
    "has": lambda store: store.artifacts.intact(KEY),
    "files": lambda store: store.artifacts.folder(KEY),
}


@pytest.mark.parametrize("method", USES)
def test_whatever_goes_wrong_there_is_an_error_of_the_store(opened, monkeypatch, method):
    def down(*_: object) -> None:
        raise ConnectionResetError("the bucket is down")

    store = opened("one")
    monkeypatch.setattr(SharedFolder, method, down)
    with pytest.raises(StoreError, match=r"the store .* cannot be (read|written): the bucket is down"):
        USES[method](store)
