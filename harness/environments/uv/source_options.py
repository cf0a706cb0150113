"""The options by which uv gets the sources of a matrix: indexes, folders, a date, where torch comes from."""

from __future__ import annotations

import os
from pathlib import Path

from harness.environments.uv.variables import anchored, named_index
from harness.matrix.schema import UvSources


def source_options(
    sources: UvSources, folder: Path, *, torch_backend: str | None, offline: bool, indexes: bool = True
) -> list[str]:
    """The options for `sources`, whose relative paths start at `folder`; without `indexes` a uv.toml names those.

    An option and its value are one argument, so that no value can be an option.
    """
    options = [f"--index={_index(index, folder)}" for index in sources.index if indexes]
    options += [f"--find-links={anchored(place, folder)}" for place in sources.find_links]
    options += [f"--default-index={_index(sources.default_index, folder)}"] if sources.default_index and indexes else []
    options += ["--no-index"] if sources.no_index else []
    options += [f"--exclude-newer={sources.exclude_newer}"] if sources.exclude_newer else []
    options += [] if sources.build else ["--no-build"]
    options += [f"--torch-backend={torch_backend}"] if torch_backend else []
    return options + (["--offline"] if offline else [])


def _index(index: str, folder: Path) -> str:
    name, place = named_index(index)
    return f"{name}={anchored(place, folder)}" if name else anchored(place, folder)


def ask_index(sources: UvSources) -> bool:
    """Whether any of the sources is an index, and not a folder of this machine."""
    places = [*sources.find_links, *os.environ.get("UV_FIND_LINKS", "").split(",")]
    return not sources.no_index or any("://" in place for place in places)
