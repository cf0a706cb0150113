"""What is installed, compared with what was locked."""

from __future__ import annotations

import packages
import pytest

from harness.environments import closure, difference, installed
from harness.model import Interpreter, Lock, Pinned


@pytest.mark.parametrize(
    ("locked", "present", "phrases"),
    [
        ({"a": "1"}, {"a": "1"}, []),
        ({}, {}, []),
        ({"a": "1"}, {"a": "2"}, ["a 2, locked 1"]),
        ({"a": "1"}, {}, ["a missing, locked 1"]),
        ({}, {"a": "1"}, ["a 1, locked not at all"]),
        ({"b": "1", "a": "1"}, {"c": "1"}, ["a missing, locked 1", "b missing, locked 1", "c 1, locked not at all"]),
    ],
)
def test_every_difference_is_a_phrase(locked, present, phrases):
    assert difference(locked, present) == phrases


def test_what_is_installed_is_read_under_canonical_names(tmp_path):
    import zipfile

    with zipfile.ZipFile(packages.package("Sentence_Piece", "0.2.0").write(tmp_path)) as archive:
        archive.extractall(tmp_path / "site")
    assert installed([tmp_path / "site"]) == {"sentence-piece": "0.2.0"}


def test_a_closure_is_its_interpreters_version_and_its_files():
    lock = Lock(distributions=(Pinned(name="a", version="1"),))
    here, there = (Interpreter(version="3.11.7", path=path) for path in ("/a", "/b"))
    assert closure(here, lock) == closure(there, lock)
    assert closure(here, lock) != closure(Interpreter(version="3.11.8", path="/a"), lock)
