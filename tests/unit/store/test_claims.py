"""Claims where a file cannot be locked, or cannot be locked now."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from harness.hashing import digest
from harness.store.store import Store

KEY = digest("key")
OPEN = Path("/dev/fd")
"""The files that this process has open."""


def raising(number: int):
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_where_no_file_can_be_locked_nobody_waits_and_no_file_stays_open(tmp_path, monkeypatch):
    store = Store(tmp_path)
    monkeypatch.setattr(fcntl, "flock", raising(errno.ENOLCK))
    before = len([*OPEN.iterdir()])
    for _ in range(8):
        with store.claim(KEY, raising(errno.EPERM)) as waited:
            assert not waited
    assert len([*OPEN.iterdir()]) == before


@pytest.mark.parametrize("trouble", [errno.EMFILE, errno.ENOSPC])
def test_trouble_that_passes_is_no_reason_to_do_what_another_process_does(tmp_path, monkeypatch, trouble):
    store = Store(tmp_path)
    with store.claim(KEY, raising(errno.EPERM)):
        monkeypatch.setattr(fcntl, "flock", raising(trouble))
        with pytest.raises(OSError, match=os.strerror(trouble)), store.claim(KEY, raising(errno.EPERM)):
            pytest.fail("another process has it")
