"""What is installed, compared with what was locked."""

from __future__ import annotations

import packages
import pytest

from harness.environments.installed import difference, installed, python_of


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


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("home = /usr/bin\nversion = 3.11.7\n", "3.11.7"),
        ("version_info = 3.12.1\nversion = 3.12\n", "3.12.1"),
        ("home = /usr/bin\n", None),
        (None, None),
    ],
)
def test_the_python_of_an_environment(tmp_path, text, version):
    if text is not None:
        (tmp_path / "pyvenv.cfg").write_text(text)
    assert python_of(tmp_path) == version
