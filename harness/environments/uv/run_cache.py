"""A cache of uv for one run, which makes its solves quick without using an older answer.

If an index names no lifetime for its pages, each solve asks for each page again, and a matrix needs the same pages hundreds
of times. With `--offline` uv is quick, but silently takes an older version if its cache lacks the metadata of the newest.
So the solves of a run share a cache that is empty at first, in which every index has a lifetime: the first solve that needs
a page or a file asks for it, later ones use that answer, and nothing is older than the run. uv's usual cache is no place for
this: uv stores the lifetime with the answer, and later runs would use it.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from harness.environments.uv.variables import anchored, named_index, user_settings
from harness.matrix.schema import UvSources

LIFETIME = 600
"""Seconds for which an answer of an index counts within a run; PyPI itself sets the same."""

DEFAULT_INDEX = "https://pypi.org/simple"
"""The index that uv asks if none is configured."""

INDEX_VARIABLES = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
"""Environment variables that name indexes; uv must not see them beside `index_settings`, which has the same indexes."""


class RunCache:
    """A cache folder for uv that lives as long as this object; made at the first use. Thread-safe."""

    def __init__(self, scratch: Callable[[], AbstractContextManager[Path]]) -> None:
        """`scratch` makes a temporary folder."""
        self._scratch = scratch
        self._guard = threading.Lock()
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        """The path of the folder. Raises OSError if it cannot be made."""
        with self._guard:
            if self._folder is None:
                stack = contextlib.ExitStack()
                self._folder = stack.enter_context(self._scratch())
                weakref.finalize(self, stack.close)
            return self._folder


def index_settings(sources: UvSources, folder: Path) -> str | None:
    """A uv.toml with the indexes of `sources`, or else of the environment, each with a lifetime of `LIFETIME` seconds.

    Relative paths start at `folder`. None if no index is to be asked, or if a settings file of the user names indexes: uv
    would join them with these, in another order. Then uv reads its usual settings, and asks as often as the index requires.
    """
    if sources.no_index or any(_names_indexes(settings) for settings in user_settings()):
        return None
    extra = [*(sources.index or _listed("UV_INDEX")), *_listed("UV_EXTRA_INDEX_URL")]
    default = sources.default_index or os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL") or DEFAULT_INDEX
    tables = [_table(index, folder, default=False) for index in extra] + [_table(default, folder, default=True)]
    return "\n".join(tables)


def _table(index: str, folder: Path, *, default: bool) -> str:
    """The table of an index, `URL-or-path` or `NAME=URL-or-path`, as uv reads it from an option."""
    name, place = named_index(index)
    lines = ["[[index]]", *([f"name = {json.dumps(name)}"] if name else []), f"url = {json.dumps(anchored(place, folder))}"]
    lines += ["default = true"] if default else []
    lifetime = json.dumps(f"max-age={LIFETIME}")
    return "\n".join([*lines, f"cache-control = {{ api = {lifetime}, files = {lifetime} }}", ""])


def _listed(variable: str) -> Iterator[str]:
    yield from os.environ.get(variable, "").split()


def _names_indexes(settings: Mapping[str, Any]) -> bool:
    pip = settings.get("pip")
    tables = [settings, *([pip] if isinstance(pip, dict) else [])]
    return any(key in table for table in tables for key in ("index", "index-url", "extra-index-url", "no-index"))
