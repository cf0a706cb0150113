"""The options and variables by which uv gets the sources of a matrix: indexes, folders, a date, where torch comes from."""

from __future__ import annotations

import os
from pathlib import Path

from harness.environments.uv.variables import anchored, named_index
from harness.matrix.schema import UvSources


def source_options(sources: UvSources, *, torch_backend: str | None, offline: bool) -> list[str]:
    """The options for all of `sources` but places, which are no business of others who list the processes of this machine.

    An option and its value are one argument, so that no value can be an option.
    """
    options = ["--no-index"] if sources.no_index else []
    options += [f"--exclude-newer={sources.exclude_newer}"] if sources.exclude_newer else []
    options += [] if sources.build else ["--no-build"]
    options += [f"--torch-backend={torch_backend}"] if torch_backend else []
    return options + (["--offline"] if offline else [])


def place_variables(sources: UvSources, folder: Path) -> dict[str, str]:
    """The variables that name the places of `sources`, in place of the user's; relative paths start at `folder`."""
    variables = {
        "UV_INDEX": " ".join(_index(index, folder) for index in sources.index),
        "UV_FIND_LINKS": ",".join(anchored(place, folder) for place in sources.find_links),
        "UV_DEFAULT_INDEX": _index(sources.default_index, folder) if sources.default_index else "",
    }
    return {name: value for name, value in variables.items() if value}


def _index(index: str, folder: Path) -> str:
    name, place = named_index(index)
    return f"{name}={anchored(place, folder)}" if name else anchored(place, folder)


def ask_index(sources: UvSources) -> bool:
    """Whether any of the sources is an index, and not a folder of this machine."""
    places = [*sources.find_links, *os.environ.get("UV_FIND_LINKS", "").split(",")]
    return not sources.no_index or any("://" in place for place in places)
