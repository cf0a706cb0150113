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
        ({"a": "2020.4.1", "b": "1.0"}, {"a": "2020.04.01", "b": "1.0.0"}, []),
        ({"a": "1.0"}, {"a": "1.0+cpu"}, ["a 1.0+cpu, locked 1.0"]),
        ({"a": "1.0"}, {"a": "unknown"}, ["a unknown, locked 1.0"]),
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


def described(folder, name: str, version: str) -> None:
    folder.mkdir(parents=True)
    file = folder / ("METADATA" if folder.suffix == ".dist-info" else "PKG-INFO")
    file.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("record", "found"), [("", {"a": "1", "old": "2"}), ("old.egg-info/PKG-INFO,sha256=x,9\n", {"a": "1"})]
)
def test_an_egg_info_that_a_wheel_has_brought_is_no_distribution(tmp_path, record, found):
    described(tmp_path / "a-1.dist-info", "a", "1")
    (tmp_path / "a-1.dist-info" / "RECORD").write_text(f"a.py,,\n{record}", encoding="utf-8")
    described(tmp_path / "old.egg-info", "old", "2")
    assert installed([tmp_path]) == found


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
