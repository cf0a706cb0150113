"""Who has sent what."""

from __future__ import annotations

import os
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
