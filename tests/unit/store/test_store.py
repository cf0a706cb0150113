"""Results and artifacts on disk."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from harness.errors import StoreError
from harness.hashing import digest
from harness.store.access import Access
from harness.store.envelope import RecordKind
from harness.store.store import Store

KIND = RecordKind(name="anything", adapter=TypeAdapter(Any))
KEY, OTHER = digest("key"), digest("other")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def notes():
    return []


def reopened(store, notes, access=Access.REMOVE) -> Store:
    return Store(store.root, access=access, note=notes.append)


def record(store, key: str = KEY) -> Path:
    return store.root / "results" / key[:2] / f"{key}.json"


def files(store) -> dict[str, bytes | None]:
    """Everything in the store: names, and contents where they are files."""
    return {
        path.relative_to(store.root).as_posix(): path.read_bytes() if path.is_file() else None for path in store.root.rglob("*")
    }


def test_what_was_put_is_got_and_replaced(store):
    assert store.get(KIND, KEY) is None
    store.put(KIND, KEY, {"a": ["ü", 1.5, None]})
    assert store.get(KIND, KEY) == {"a": ["ü", 1.5, None]}
    assert Store(store.root).get(KIND, KEY) == {"a": ["ü", 1.5, None]}
    store.put(KIND, KEY, 2)
    assert store.get(KIND, KEY) == 2


@pytest.mark.parametrize("key", ["", "ab12", "../../x", "A" * 32, f"{KEY}\n", f"{KEY}/.."])
def test_a_key_is_a_digest(store, key):
    for use in (lambda: store.get(KIND, key), lambda: store.put(KIND, key, 1), lambda: store.log(key)):
        with pytest.raises(ValueError, match="is no digest"):
            use()
    assert not store.artifacts.intact(key)


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "file").touch()


def a_device(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))


def a_huge_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


def a_link(path: Path) -> None:
    """To a whole record of this very key."""
    whole = path.parents[2] / "whole"
    whole.write_bytes(KIND.seal(KEY, 1))
    path.symlink_to(whole)


INSTEAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing in it": (lambda path: path.write_bytes(b""), "is not a whole record"),
    "half of it": (lambda path: path.write_bytes(KIND.seal(KEY, 1)[:-5]), "is not a whole record"),
    "no UTF-8": (lambda path: path.write_bytes(b"\xff\xfe"), "is not a whole record"),
    "NaN": (lambda path: path.write_bytes(b"NaN"), "is not a whole record"),
    "deep brackets": (lambda path: path.write_bytes(b"[" * 200_000 + b"]" * 200_000), "is not a whole record"),
    "another record": (lambda path: path.write_bytes(KIND.seal(OTHER, 1)), f"is the record of another key ({OTHER})"),
    "an older record": (lambda path: path.write_bytes(b'{"limits": [1, 1], "stages": []}'), "has no checksum"),
    "a folder": (a_folder, "is a folder, not a regular file"),
    "a FIFO": (os.mkfifo, "is a FIFO, not a regular file"),
    "a socket": (a_socket, "is a socket, not a regular file"),
    "a link": (a_link, "is a symbolic link, not a regular file"),
    "a link to itself": (lambda path: path.symlink_to(path), "is a symbolic link, not a regular file"),
    "a huge file": (a_huge_file, "has 1,099,511,627,776 bytes, more than"),
}
if os.geteuid() == 0:
    INSTEAD["a device"] = (a_device, "is a device, not a regular file")


@pytest.mark.parametrize("instead", INSTEAD)
def test_what_is_no_record_counts_as_absent_is_noted_once_and_replaced(store, notes, instead, monkeypatch):
    monkeypatch.chdir(store.root)
    make, problem = INSTEAD[instead]
    store.put(KIND, KEY, 1)
    record(store).unlink()
    make(record(store))
    later = reopened(store, notes)
    assert [later.get(KIND, KEY) for _ in range(3)] == [None] * 3
    (note,) = notes
    assert str(record(store).relative_to(store.root)) in note
    assert problem in note
    assert note.endswith("`run` makes it again")
    later.put(KIND, KEY, 2)
    assert store.get(KIND, KEY) == 2
    assert list((store.root / "tmp").iterdir()) == []


def test_a_record_that_may_not_be_read(store, notes, monkeypatch):
    store.put(KIND, KEY, 1)
    opens = os.open

    def may_not(path, *arguments, **named):
        """Root may, whatever a file's mode is."""
        if Path(path).name == record(store).name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return opens(path, *arguments, **named)

    monkeypatch.setattr(os, "open", may_not)
    assert reopened(store, notes).get(KIND, KEY) is None
    assert "cannot be read: " in notes[0]


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere"), os.mkfifo])
def test_something_else_in_place_of_a_folder_of_records(store, notes, make):
    make(record(store).parent)
    later = reopened(store, notes)
    assert later.get(KIND, KEY) is None
    later.put(KIND, KEY, 1)
    assert later.get(KIND, KEY) == 1


def test_many_records_of_an_older_version_are_noted_once(store, notes):
    keys = [digest(number) for number in range(5)]
    for key in keys:
        store.put(KIND, key, 1)
        record(store, key).write_text('{"limits": [1, 1], "stages": []}')
    later = reopened(store, notes)
    assert [later.get(KIND, key) for key in keys] == [None] * 5
    assert len(notes) == 1


@pytest.mark.parametrize("instead", [*INSTEAD, None])
@pytest.mark.parametrize("access", [Access.ADD, Access.REPLACE])
def test_a_command_that_runs_nothing_removes_nothing(store, instead, access, monkeypatch):
    monkeypatch.chdir(store.root)
    store.put(KIND, KEY, 1)
    if instead:
        record(store).unlink()
        INSTEAD[instead][0](record(store))
    (store.root / "tmp" / "0123456789ab.0").mkdir()
    artifact = publish(store, "content")
    (store.artifacts.folder(artifact) / "in" / "file").write_text("other")
    before = {} if instead == "a huge file" else files(store)
    later = Store(store.root, access=access)
    later.get(KIND, KEY)
    later.put(KIND, KEY, 2)
    later.put(KIND, OTHER, 3)
    assert not later.artifacts.intact(artifact)
    assert later.get(KIND, OTHER) == 3
    if before:
        added = {record(store, OTHER).relative_to(store.root).as_posix(), f"results/{OTHER[:2]}"}
        replaced = {record(store).relative_to(store.root).as_posix()} if access is Access.REPLACE else set()
        assert {name: content for name, content in files(store).items() if name not in added | replaced} == {
            name: content for name, content in before.items() if name not in replaced
        }
    is_record = instead is None or INSTEAD[instead][1].startswith(("is not a whole", "is the record", "has"))
    assert later.get(KIND, KEY) == (2 if access is Access.REPLACE and is_record else 1 if instead is None else None)


def publish(store, text: str) -> str:
    with store.scratch() as scratch:
        (scratch / "made" / "in").mkdir(parents=True)
        (scratch / "made" / "in" / "file").write_text(text)
        return store.artifacts.publish(scratch / "made")


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
        store.put(KIND, KEY, object())
    assert store.get(KIND, KEY) is None


def test_a_store_inside_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="name another with --store"):
        Store(tmp_path / "file" / "store")


def everything(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("access", Access)
@pytest.mark.parametrize("name", ["results", f"results/{KEY[:2]}", "artifacts", "logs", "envs", "tmp", "bytecode"])
def test_a_store_whose_own_folder_is_a_link_is_refused(store, tmp_path, name, access):
    outside = tmp_path / "outside"
    (outside / KEY).mkdir(parents=True)
    (outside / KEY / "kept").write_text("kept")
    path = store.root / name
    if path.exists():
        path.rmdir()
    path.symlink_to(outside)
    before = everything(outside)
    with pytest.raises(StoreError, match=f"its folder {path} is a symbolic link; move the store as a whole"):
        Store(store.root, access=access)
    assert everything(outside) == before


def test_a_store_that_is_a_link_is_used(store, tmp_path):
    (tmp_path / "link").symlink_to(store.root)
    Store(tmp_path / "link").put(KIND, KEY, 1)
    assert store.get(KIND, KEY) == 1


def test_a_folder_of_records_that_becomes_a_link_is_not_written_through(store, tmp_path):
    (tmp_path / "outside").mkdir()
    record(store).parent.symlink_to(tmp_path / "outside")
    store.put(KIND, KEY, 1)
    assert store.get(KIND, KEY) == 1
    assert everything(tmp_path / "outside") == {}
