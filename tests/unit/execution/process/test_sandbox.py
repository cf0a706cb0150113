"""What a machine offers, in words, and what is enough."""

from __future__ import annotations

import sys
from pathlib import Path

import noted
import pytest

from harness.errors import SandboxError
from harness.execution.process import sandbox
from harness.execution.process.sandbox import Sandbox
from harness.store.store import Store

BOTH = Sandbox(landlock=7, namespaces=("user", "mount", "net", "ipc", "pid"))
WITHOUT_PID = Sandbox(landlock=5, namespaces=("user", "mount", "net", "ipc"))


@pytest.mark.parametrize(
    ("found", "words", "complete", "gaps"),
    [
        (BOTH, "Landlock 7, namespaces (user, mount, net, ipc, pid)", True, []),
        (
            WITHOUT_PID,
            "Landlock 5, namespaces (user, mount, net, ipc)",
            True,
            ["other processes can be seen", "other processes can be ended"],
        ),
        (
            Sandbox(landlock=7),
            "Landlock 7",
            False,
            [
                "shared memory of other programs can be read and written",
                "UDP can be sent",
                "Unix sockets of other programs can be connected to",
                "permissions of files can be changed",
                "other processes can be seen",
            ],
        ),
        (
            Sandbox(landlock=3),
            "Landlock 3",
            False,
            [
                "shared memory of other programs can be read and written",
                "the network can be used",
                "Unix sockets of other programs can be connected to",
                "abstract Unix sockets can be connected to",
                "permissions of files can be changed",
                "other processes can be seen",
                "other processes can be ended",
            ],
        ),
        (
            Sandbox(landlock=2),
            "Landlock 2",
            False,
            [
                "files can be written",
                "shared memory of other programs can be read and written",
                "the network can be used",
                "Unix sockets of other programs can be connected to",
                "abstract Unix sockets can be connected to",
                "permissions of files can be changed",
                "other processes can be seen",
                "other processes can be ended",
            ],
        ),
        (
            Sandbox(namespaces=BOTH.namespaces),
            f"namespaces ({', '.join(BOTH.namespaces)})",
            True,
            ["files of others can be read"],
        ),
    ],
)
def test_what_it_keeps_from_probes(found, words, complete, gaps):
    assert (found.words, found.is_complete, found.gaps) == (words, complete, gaps)


def test_nothing_is_off(monkeypatch):
    monkeypatch.setattr(sandbox, "offered", lambda: Sandbox(reason="no"))
    assert sandbox.of("auto") is None
    assert sandbox.of("off") is None
    with pytest.raises(SandboxError, match=r"which takes user namespaces \(no\);"):
        sandbox.of("require")


@pytest.mark.parametrize("version", [3, 7])
def test_less_than_enough(monkeypatch, version):
    monkeypatch.setattr(sandbox, "offered", lambda: Sandbox(landlock=version))
    assert sandbox.of("auto") == Sandbox(landlock=version)
    with pytest.raises(SandboxError, match=f"offers Landlock {version}, and nothing that keeps both"):
        sandbox.of("require")


def test_elsewhere_than_on_linux(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert sandbox.offered.__wrapped__() == Sandbox(reason="only Linux has them")


def test_what_a_probe_may_use(tmp_path):
    store = Store(tmp_path / "store")
    job = {"probe": {"path": "/mine/probe.py", "options": {"path": "/elsewhere"}}}
    found = sandbox.confinement(BOTH, Path(sys.executable), job, store=store, writes=[tmp_path / "own"])
    assert found is not None
    assert found["write"] == [str(tmp_path / "own"), str(noted.LIBRARY)]
    own = {path.removeprefix(f"{store.root}/") for path in found["read"] if path.startswith(str(store.root))}
    assert own == {"envs", "artifacts", "models", "bytecode"}
    # The options of one's own module are its own: a text in them is no path.
    assert "/mine" in found["read"]
    assert "/elsewhere" not in found["read"]
    checkpoint = {"probe": {"path": None, "options": {"path": "/elsewhere"}}}
    assert "/elsewhere" in sandbox.rights(BOTH, Path(sys.executable), store=store, reads=[Path("/elsewhere")])["read"]
    there = sandbox.confinement(BOTH, Path(sys.executable), checkpoint, store=store, writes=[])
    assert there is not None
    assert "/elsewhere" in there["read"]
    assert sandbox.confinement(None, Path(sys.executable), job, store=store, writes=[]) is None


@pytest.mark.parametrize("place", [".local", "."])
def test_an_interpreter_in_a_home_opens_no_more_of_it(tmp_path, monkeypatch, place):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    prefix = (tmp_path / "home" / place).resolve()
    executable, environment = prefix / "bin" / "python3.11", tmp_path / "store" / "envs" / "one"
    for folder in (prefix / "bin", prefix / "lib", environment / "bin"):
        folder.mkdir(parents=True)
    executable.touch()
    (environment / "bin" / "python").symlink_to(executable)
    (environment / "pyvenv.cfg").touch()
    for python in (environment / "bin" / "python", executable):
        reads = [tmp_path, tmp_path / "home"]
        read = sandbox.rights(BOTH, python, store=Store(tmp_path / "store"), reads=reads)["read"]
        assert {str(executable), str(prefix / "lib")} <= {*read}
        assert not any((tmp_path / "home" / ".local" / "share").is_relative_to(path) for path in read)
        assert (str(environment) in read) == (python != executable)
