"""Who has sent what."""

from __future__ import annotations

import os
import socket
import threading

from harness.execution.process import fork_channel


def test_the_kernel_says_who_has_sent_a_line():
    ours, theirs = fork_channel.pair()
    child = os.fork()
    if child == 0:
        theirs.sendall(b'{"pid": 1}\n')
        os._exit(0)
    os.waitpid(child, 0)
    theirs.sendall(b"a\nb")
    theirs.sendall(b"c\nunfinished")
    theirs.close()
    with ours:
        assert list(fork_channel.messages(ours)) == [(child, b'{"pid": 1}'), (os.getpid(), b"a"), (os.getpid(), b"bc")]


def test_a_line_without_an_end_ends_it(monkeypatch):
    monkeypatch.setattr(fork_channel, "_LONGEST", 100_000)
    ours, theirs = fork_channel.pair()
    with ours, theirs:
        threading.Thread(target=theirs.sendall, args=(b"a\n" + bytes(110_000),), daemon=True).start()
        assert list(fork_channel.messages(ours)) == [(os.getpid(), b"a")]


def saying(theirs: socket.socket, line: bytes, until: int | None = None) -> int:
    """A process that says that, and ends; with `until`, a descriptor, not before something comes from there."""
    child = os.fork()
    if child == 0:
        theirs.sendall(line)
        if until is not None:
            os.read(until, 1)
        os._exit(0)
    if until is None:
        os.waitpid(child, 0)
    return child


def test_lines_without_an_end_count_together(monkeypatch):
    monkeypatch.setattr(fork_channel, "_LONGEST", 10_000)
    ours, theirs = fork_channel.pair()
    until, end = os.pipe()
    children = [saying(theirs, b"a\n" + bytes(6_000), until) for _ in range(2)]
    ours.settimeout(20)
    with ours, theirs:
        assert list(fork_channel.messages(ours)) == [(child, b"a") for child in children]
    os.write(end, bytes(2))
    for descriptor in (until, end):
        os.close(descriptor)
    for child in children:
        os.waitpid(child, 0)


def test_the_line_of_a_process_that_is_gone_is_forgotten(monkeypatch):
    monkeypatch.setattr(fork_channel, "_LONGEST", 10_000)
    ours, theirs = fork_channel.pair()
    for _ in range(5):
        saying(theirs, bytes(6_000))
    last = saying(theirs, b"a\n")
    theirs.close()
    with ours:
        assert list(fork_channel.messages(ours)) == [(last, b"a")]
