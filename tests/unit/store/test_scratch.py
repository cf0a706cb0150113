"""Work in flight belongs to who holds a lock on it, whatever its process id means elsewhere."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from harness.environments.environments import Environments
from harness.errors import StoreError
from harness.store.scratch import Scratch
from harness.store.store import Store

HOLD = """
import sys, pathlib
from harness.store.scratch import Scratch
with Scratch(pathlib.Path(sys.argv[1])).folder() as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""

WEEK = 7 * 24 * 3600


@pytest.fixture
def holder(tmp_path):
    """A process that has a folder in flight in `tmp_path`: (the process, the folder)."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        yield child, Path(child.stdout.readline().strip())
        child.kill()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2, follow_symlinks=False)


def test_what_a_process_has_in_flight_stays_though_its_id_is_unknown_here(tmp_path, holder, monkeypatch):
    # As it is in another pid namespace: a container's.
    monkeypatch.setattr(psutil, "pid_exists", lambda _pid: False)
    _, folder = holder
    Scratch(tmp_path).sweep()
    assert (folder / "file").exists()


def test_what_a_killed_process_had_in_flight_goes_though_its_id_was_given_to_another(tmp_path, holder, monkeypatch):
    child, folder = holder
    child.send_signal(signal.SIGKILL)
    child.wait()
    monkeypatch.setattr(psutil, "pid_exists", lambda _pid: True)
    assert folder.exists()
    Scratch(tmp_path).sweep()
    assert names(tmp_path) == []


def test_a_child_does_not_hold_what_its_parent_had(tmp_path):
    code = HOLD.replace(
        "sys.stdin.read()", "import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        sleeper = int(child.stdout.readline())
        child.kill()
        child.wait()
    Scratch(tmp_path).sweep()
    assert psutil.pid_exists(sleeper)
    os.kill(sleeper, signal.SIGKILL)
    assert names(tmp_path) == []


def test_what_another_running_kernel_has_in_flight_stays_until_it_is_old(tmp_path):
    # On a network's file system locks may be known to one host only.
    with Scratch(tmp_path).folder() as folder:
        mine = folder.name.partition(".")[0]
        theirs = "0" * 6 + mine[6:] if mine[:6] != "0" * 6 else "1" * 6 + mine[6:]
        (tmp_path / f"{theirs}.lock").touch()
        (tmp_path / f"{theirs}.0").mkdir()
        Scratch(tmp_path).sweep()
        assert f"{theirs}.0" in names(tmp_path)
        for name in (f"{theirs}.lock", f"{theirs}.0"):
            age(tmp_path / name, WEEK + 60)
        Scratch(tmp_path).sweep()
        assert names(tmp_path) == sorted([f"{mine}.0", f"{mine}.lock"])


def test_entries_of_older_versions_stay_until_they_are_old(tmp_path):
    for name, seconds in (("host.4242.abc", 60), ("host.4242.old", WEEK + 60)):
        (tmp_path / name / "in").mkdir(parents=True)
        age(tmp_path / name, seconds)
    Scratch(tmp_path).sweep()
    assert names(tmp_path) == ["host.4242.abc"]


def test_a_lock_that_a_sweep_takes_first_is_made_again(tmp_path, monkeypatch):
    """The sweep comes between making the file and locking it."""
    real, swept = fcntl.flock, []

    def flock(handle: int, operation: int) -> None:
        if not swept:
            swept.append(True)
            Scratch(tmp_path).sweep()
        real(handle, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with Scratch(tmp_path).folder() as folder:
        assert swept
        Scratch(tmp_path).sweep()
        assert folder.is_dir()
    assert names(tmp_path) == []


def test_where_the_file_system_has_no_locks_nothing_is_swept_and_work_goes_on(tmp_path, monkeypatch):
    def flock(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with Scratch(tmp_path).folder() as folder:
        Scratch(tmp_path).sweep()
        assert folder.is_dir()
    assert names(tmp_path) == []
    with pytest.raises(StoreError, match="no file can be locked"):
        Environments(Store(tmp_path / "store"), None)


def test_in_a_folder_that_others_use_only_our_own_names_are_looked_at(tmp_path):
    (tmp_path / "xm-letters").mkdir()
    (tmp_path / "precious").mkdir()
    for path in tmp_path.iterdir():
        age(path, WEEK + 60)
    shared = Scratch(tmp_path, "xm-")
    with shared.folder() as folder:
        assert folder.name.startswith("xm-")
    shared.sweep()
    assert names(tmp_path) == ["precious", "xm-letters"]


def test_a_link_is_removed_and_not_followed(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (tmp_path / "tmp").mkdir()
    flight = Scratch(tmp_path / "tmp")
    with flight.name() as path:
        path.symlink_to(tmp_path / "precious")
    assert names(tmp_path / "tmp") == []
    assert (tmp_path / "precious" / "file").exists()


def test_many_threads_and_processes_that_sweep_take_nothing_from_each_other(tmp_path):
    lost: list[Path] = []

    def work() -> None:
        mine = Scratch(tmp_path)
        for _ in range(25):
            with mine.folder() as folder:
                (folder / "file").touch()
                Scratch(tmp_path).sweep()
                if not (folder / "file").exists():
                    lost.append(folder)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []
    assert names(tmp_path) == []


def test_a_temporary_folder_is_where_a_socket_can_be_made(tmp_path):
    for root in (tmp_path / "short", tmp_path / ("long" * 25)):
        store = Store(root)
        with store.temporary() as folder, socket.socket(socket.AF_UNIX) as server:
            (folder / "pymp-12345678").mkdir()
            server.bind(str(folder / "pymp-12345678" / "listener-12345678"))
        assert not folder.exists()
        assert not folder.parent.exists()


def test_a_temporary_folder_lies_in_the_store_if_that_holds_sockets(monkeypatch):
    with Scratch(Path("/tmp"), "xm-").folder() as root:
        store = Store(root / "s")
        with store.temporary() as folder:
            assert folder.is_relative_to(store.root / "tmp")

    def bind(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    with Scratch(Path("/tmp"), "xm-").folder() as root:
        monkeypatch.setattr(socket.socket, "bind", bind)
        store = Store(root / "s")
        with store.temporary() as folder:
            assert not folder.is_relative_to(store.root)


def test_folders_that_may_not_be_written_are_removed_too(tmp_path):
    with contextlib.suppress(ZeroDivisionError), Scratch(tmp_path).folder() as folder:
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a" / "b" / "file").touch()
        (folder / "a" / "b").chmod(0o500)
        (folder / "a").chmod(0o500)
        raise ZeroDivisionError
    assert names(tmp_path) == []


def nest(folder: Path, depth: int, name: str = "a" * 200) -> int:
    """Folders within each other; a descriptor of the innermost."""
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=handle)
        inner = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    return handle


def test_folders_of_any_depth_are_removed(tmp_path):
    with Scratch(tmp_path).folder() as folder:
        handle = nest(folder, 2_000)
        os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=handle))
        os.close(handle)
        os.close(nest(folder, 30, "short"))
        (folder / "short" / "link").symlink_to(tmp_path)
    assert names(tmp_path) == []


def test_a_store_with_folders_of_any_depth_can_be_opened(tmp_path):
    entry = Store(tmp_path / "store").root / "tmp" / "0123456789ab.0"
    entry.mkdir(parents=True)
    os.close(nest(entry, 2_000))
    age(entry, WEEK + 60)
    Store.open(tmp_path / "store")
    assert not entry.exists()


def test_folders_without_any_right_are_removed_too(tmp_path):
    with Scratch(tmp_path).folder() as folder:
        (folder / "a" / "b" / "c").mkdir(parents=True)
        for name in ("a/b/c", "a/b", "a"):
            (folder / name).chmod(0)
    assert names(tmp_path) == []


def test_what_other_users_have_put_into_a_shared_folder_stays(tmp_path, monkeypatch):
    for name in ("xm-0123456789ab.lock", "xm-0123456789ab.0"):
        (tmp_path / name).touch()
        age(tmp_path / name, WEEK + 60)
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    Scratch(tmp_path, "xm-").sweep()
    assert names(tmp_path) == ["xm-0123456789ab.0", "xm-0123456789ab.lock"]
    monkeypatch.setattr(os, "getuid", lambda: me)
    Scratch(tmp_path, "xm-").sweep()
    assert names(tmp_path) == []
