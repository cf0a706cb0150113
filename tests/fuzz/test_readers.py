"""No input makes a reader crash, hang, or raise what it does not document.

`nox -s fuzz` tries thousands of inputs per reader, other ones each time; the fast tests try a few, always the same.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from damaged import damaged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import Reader, readers

READERS = {reader.name: reader for reader in readers()}
INPUTS = int(os.environ.get("FUZZ_INPUTS", "0"))
"""Inputs per reader, other ones each time; 0 for a few that are always the same."""
HANGS = 30
"""Seconds after which a reader hangs; the slowest input takes a tenth of one."""


@pytest.mark.parametrize("name", READERS)
def test_an_example_is_read(name, tmp_path):
    for number, seed in enumerate(READERS[name].seeds):
        folder = tmp_path / str(number)
        folder.mkdir()
        READERS[name].read(seed, folder)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=INPUTS or 40, derandomize=not INPUTS, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_is_refused_with_a_sentence_or_read(name, data):
    reader = READERS[name]
    content = data.draw(damaged(reader.seeds) | st.binary(max_size=60))
    with tempfile.TemporaryDirectory() as folder, _limited():
        _refused_or_read(reader, content, Path(folder))


def _refused_or_read(reader: Reader, content: bytes, folder: Path) -> None:
    said = "it was read"
    try:
        reader.read(content, folder)
    except RecursionError:
        if RecursionError not in reader.refuses:
            raise
    except reader.refuses as error:
        said = str(error)
    assert said.strip()


@contextmanager
def _limited() -> Iterator[None]:
    def hangs(*_: object) -> None:
        raise AssertionError(f"no answer after {HANGS} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
