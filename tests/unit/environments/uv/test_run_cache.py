"""The cache of uv for one run, and the settings of its indexes."""

from __future__ import annotations

import contextlib
import gc
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.environments.uv import variables
from harness.environments.uv.run_cache import DEFAULT_INDEX, INDEX_VARIABLES, RunCache, index_settings
from harness.matrix.schema import UvSources


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No index is configured, and no settings file is there but what a test writes."""
    for name in INDEX_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".config/uv").mkdir(parents=True)
    return tmp_path


def indexes(**sources: object) -> list[tuple[str | None, str, bool]]:
    """(name, URL, whether it is the default) of each."""
    text = index_settings(UvSources.model_validate(sources), Path("/matrix"))
    assert text is not None
    tables = tomllib.loads(text)["index"]
    assert all(table["cache-control"] == {"api": "max-age=600", "files": "max-age=600"} for table in tables)
    return [(table.get("name"), table["url"], table.get("default", False)) for table in tables]


def test_the_usual_index_has_a_lifetime_too():
    assert indexes() == [(None, DEFAULT_INDEX, True)]


def test_indexes_of_the_matrix_go_before_those_of_variables_as_options_do(monkeypatch):
    monkeypatch.setenv("UV_INDEX", "https://a/simple mine=https://user:pass=word@b/simple")
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", "https://c/simple")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://d/simple")
    further = (None, "https://c/simple", False)
    assert indexes() == [
        (None, "https://a/simple", False),
        ("mine", "https://user:pass=word@b/simple", False),
        further,
        (None, "https://d/simple", True),
    ]
    given = {"index": ["wheels=simple", "https://e/simple?a=b"], "default-index": "/there"}
    assert indexes(**given) == [
        ("wheels", "file:///matrix/simple", False),
        (None, "https://e/simple?a=b", False),
        further,
        (None, "file:///there", True),
    ]


@pytest.mark.parametrize("text", ["[[index]]\nurl = 'https://a/simple'", "[pip]\nextra-index-url = ['https://a/simple']"])
def test_indexes_of_a_settings_file_are_left_to_uv(home, text):
    (home / ".config/uv/uv.toml").write_text(text)
    assert index_settings(UvSources(), Path("/matrix")) is None


def test_without_an_index_there_is_nothing_to_say():
    assert index_settings(UvSources.model_validate({"no-index": True}), Path("/matrix")) is None


@pytest.mark.parametrize(
    ("variable", "text", "offline"),
    [("1", "", True), ("true", "", True), ("0", "", False), ("", "offline = true", True), ("", "offline = false", False)],
)
def test_uv_may_be_set_to_ask_no_network(home, monkeypatch, variable, text, offline):
    monkeypatch.setenv("UV_OFFLINE", variable)
    (home / ".config/uv/uv.toml").write_text(text)
    assert variables.offline() is offline


def test_the_cache_is_made_once_and_goes_with_its_owner(tmp_path):
    made = []

    @contextlib.contextmanager
    def scratch() -> Iterator[Path]:
        made.append("made")
        yield tmp_path
        made.append("gone")

    cache = RunCache(scratch)
    assert made == []
    assert [cache.folder, cache.folder] == [tmp_path, tmp_path]
    assert made == ["made"]
    del cache
    gc.collect()
    assert made == ["made", "gone"]


@pytest.mark.parametrize(
    ("variable", "text", "setting"),
    [
        (None, "", "auto"),
        ("true", "", "true"),
        ("MANUAL", "", "manual"),
        ("0", "", "never"),
        (None, 'python-downloads = "never"', "never"),
        ("auto", 'python-downloads = "never"', "auto"),
    ],
)
def test_what_the_user_lets_uv_download(home, monkeypatch, variable, text, setting):
    monkeypatch.delenv("UV_PYTHON_DOWNLOADS", raising=False)
    if variable:
        monkeypatch.setenv("UV_PYTHON_DOWNLOADS", variable)
    (home / ".config/uv/uv.toml").write_text(text)
    assert variables.python_downloads() == setting


@pytest.mark.parametrize(
    ("variable", "text", "mode"),
    [
        (None, "", None),
        ("copy", 'link-mode = "symlink"', "copy"),
        ("symlink", "", "hardlink"),
        (None, 'link-mode = "symlink"', "hardlink"),
        (None, 'link-mode = "clone"', None),
    ],
)
def test_no_environment_is_made_of_links_into_the_cache(home, monkeypatch, variable, text, mode):
    monkeypatch.delenv("UV_LINK_MODE", raising=False)
    if variable:
        monkeypatch.setenv("UV_LINK_MODE", variable)
    (home / ".config/uv/uv.toml").write_text(text)
    assert variables.environment().get("UV_LINK_MODE") == mode
