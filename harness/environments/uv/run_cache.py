"""What makes many solves of one run quick without believing an old answer: a uv cache of the run's own.

An index that names no lifetime for its pages is asked for each page again in each solve, and a matrix asks the same
hundreds of times. With `--offline` uv is quick, and silently takes an older version where the metadata of the newest is
not in its cache. So a run's solves share a cache that is empty at first, and every index is given a lifetime there: the
first solve that needs a page or a file asks for it, later ones believe that answer, and nothing older than the run counts.
uv's usual cache cannot serve for this: uv stores the lifetime with the answer, and later runs would believe it.
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

from harness.environments.uv.variables import anchored, user_settings
from harness.matrix.schema import UvSources

LIFETIME = 600
"""Seconds for which an answer of an index counts within a run: as long as PyPI itself lets it be cached."""

DEFAULT_INDEX = "https://pypi.org/simple"
"""What uv asks where nothing else is configured."""

INDEX_VARIABLES = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
"""Environment variables that name indexes; `index_settings` says the same, so uv must not see both."""


class RunCache:
    """A cache folder for uv that lives as long as this object; made when it is first needed. For many threads."""

    def __init__(self, scratch: Callable[[], AbstractContextManager[Path]]) -> None:
        """`scratch` makes a temporary folder."""
        self._scratch = scratch
        self._guard = threading.Lock()
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        """Where it is. Raises OSError where it cannot be made."""
        with self._guard:
            if self._folder is None:
                stack = contextlib.ExitStack()
                self._folder = stack.enter_context(self._scratch())
                weakref.finalize(self, stack.close)
            return self._folder


def index_settings(sources: UvSources, folder: Path) -> str | None:
    """A uv.toml with the indexes of `sources`, or else of the environment, each with a lifetime of `LIFETIME` seconds.

    `folder` is where relative paths start. None where no index is to be asked, and where a settings file of the user's names
    indexes: uv would join them with these, in another order. Then uv reads everything from where it is, and asks as often
    as the index itself wants.
    """
    if sources.no_index or any(_names_indexes(settings) for settings in user_settings()):
        return None
    further = [*(sources.index or _listed("UV_INDEX")), *_listed("UV_EXTRA_INDEX_URL")]
    default = sources.default_index or os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL") or DEFAULT_INDEX
    tables = [_table(index, folder, default=False) for index in further] + [_table(default, folder, default=True)]
    return "\n".join(tables)


def _table(index: str, folder: Path, *, default: bool) -> str:
    """One index, `URL-or-path` or `NAME=URL-or-path`, as uv reads it from an option."""
    name, equals, place = index.partition("=")
    if not equals or ":" in name or "/" in name:
        name, place = "", index
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
