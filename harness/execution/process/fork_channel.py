"""The channel between the harness and a fork server: a socket, and who has sent what over it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

_SENDER = struct.Struct("3i")
"""What the kernel tells of who has sent a message: process, user, group."""
_SO_PASSCRED, _SCM_CREDENTIALS = 16, 2
"""Linux' option of a socket by which the kernel tells, and the kind of message by which it does."""
_CHUNK = 65536
_LONGEST = 8 * 2**20
"""Bytes of lines without an end, of all senders together: a server's line names some ten thousand modules."""
_SENDER_BYTES = 512
"""What is counted for a sender besides, about what it takes here."""


def pair() -> tuple[socket.socket, socket.socket]:
    """(the harness' end, the server's end)."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, _SO_PASSCRED, 1)
    return ours, theirs


def messages(channel: socket.socket) -> Iterator[tuple[int, bytes]]:
    """(process, line) of all that is sent to the harness' end, until the other end is closed or what has no end is too long.

    A process in a namespace knows itself by another id, and may lie about it: the kernel says which one has sent a line.
    """
    parts: dict[int, bytes] = {}
    held = 0
    while True:
        data, ancillary, *_ = channel.recvmsg(_CHUNK, socket.CMSG_SPACE(_SENDER.size))
        if not data:
            return
        sender, *_ = next(_SENDER.unpack(told) for _, kind, told in ancillary if kind == _SCM_CREDENTIALS)
        before = parts.pop(sender, b"")
        *lines, rest = (before + data).split(b"\n")
        if rest:
            parts[sender] = rest
        yield from ((sender, line) for line in lines)
        held += _size(rest) - _size(before)
        if held > _LONGEST:
            # Nobody will end the lines of processes that are gone.
            parts = {sender: part for sender, part in parts.items() if Path("/proc", str(sender)).exists()}
            held = sum(map(_size, parts.values()))
            if held > _LONGEST:
                return


def _size(part: bytes) -> int:
    return len(part) + _SENDER_BYTES if part else 0
