"""The environment variables and settings files of the user that reach uv.

Mirrors and credentials must work, so uv sees them. A lock depends on those that name the sources of distributions.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.foreign_text import PLACE_SECRETS, without_userinfo
from harness.matrix.values import with_home
from harness.subprocesses import chosen_environment

_SOURCE_VARIABLES = re.compile(r"^UV_(FIND_LINKS|INDEX(_.*)?|DEFAULT_INDEX|EXTRA_INDEX_URL)$")
"""Variables that name the sources of distributions; part of the key of a lock."""

_ACCESS_VARIABLES = re.compile(r"^(UV_(INDEX_.*_(USERNAME|PASSWORD)|KEYRING_PROVIDER|INSECURE_HOST|OFFLINE)|NETRC)$")
"""Variables for access; they are in no key, since another password finds the same distributions."""

_MACHINE_VARIABLES = re.compile(
    r"^UV_(CACHE_DIR|HTTP_.*|REQUEST_TIMEOUT|CONCURRENT_.*|SYSTEM_CERTS|NATIVE_TLS|LINK_MODE|PYTHON_INSTALL_(DIR|MIRROR)|"
    r"PYTHON_DOWNLOADS_JSON_URL)$"
)
"""Variables that fit uv to a machine and change no result."""


_PLACE = re.compile(r"""[^\s"'=]+://[^\s"']+""")
"""A URL in a settings file."""


def source_variables(relative: Callable[[str, Path], str]) -> dict[str, str]:
    """The variables that name sources, without secrets; `relative` spells a path, given the folder where it starts."""
    variables = {
        name: without_userinfo(value)
        for name, value in os.environ.items()
        if _SOURCE_VARIABLES.match(name) and not _ACCESS_VARIABLES.match(name)
    }
    if links := variables.get("UV_FIND_LINKS"):
        variables["UV_FIND_LINKS"] = ",".join(relative(place, Path.cwd()) for place in links.split(","))
    return variables


def environment(**extra: str) -> dict[str, str]:
    """The variables that uv sees: those of every child process, the user's for uv, and `extra`."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if any(variables.match(name) for variables in (_SOURCE_VARIABLES, _ACCESS_VARIABLES, _MACHINE_VARIABLES))
    }
    if links := passed.get("UV_FIND_LINKS"):
        passed["UV_FIND_LINKS"] = ",".join(anchored(place, Path.cwd()) for place in links.split(","))
    if _link_mode() == "symlink":
        # Such files go with uv's cache, and confined probes do not read that.
        passed["UV_LINK_MODE"] = "hardlink"
    given = {"UV_PYTHON_DOWNLOADS": "never", **passed, **extra}
    _note_secrets(given)
    return chosen_environment(**given)


def _note_secrets(given: Mapping[str, str]) -> None:
    """Have the secrets of all places left out of texts, before uv says a word about them."""
    sources = {
        name: value for name, value in given.items() if _SOURCE_VARIABLES.match(name) and not _ACCESS_VARIABLES.match(name)
    }
    places = [place for name, value in sources.items() for place in value.split("," if name == "UV_FIND_LINKS" else None)]
    places += [place for content in _setting_files() for place in _PLACE.findall(content.decode(errors="replace"))]
    PLACE_SECRETS.add(places, (value for name, value in given.items() if name.endswith("_PASSWORD")))


def setting_files() -> list[str]:
    """Digests of the uv.toml files of the user and the system; part of the key of a lock."""
    return [hashlib.sha256(content).hexdigest() for content in _setting_files()]


def user_settings() -> list[dict[str, Any]]:
    """The content of those files, without what is no TOML; uv itself complains about that."""
    settings = []
    for content in _setting_files():
        with contextlib.suppress(ValueError, RecursionError):
            settings.append(tomllib.loads(content.decode()))
    return settings


def offline() -> bool:
    """Whether the user has set uv to ask no network, by `UV_OFFLINE` or in a settings file."""
    by_variable = os.environ.get("UV_OFFLINE", "").lower() in {"1", "true", "t", "yes", "y", "on"}
    return by_variable or any(settings.get("offline") is True for settings in user_settings())


def python_downloads() -> str:
    """What the user lets uv do about interpreters that are missing: `auto` (the default), `manual` or `never`."""
    settings = [os.environ.get("UV_PYTHON_DOWNLOADS"), *(setting.get("python-downloads") for setting in user_settings())]
    text = str(next((setting for setting in settings if setting), "auto")).lower()
    return {"false": "never", "0": "never"}.get(text, text)


def _link_mode() -> str | None:
    settings = [os.environ.get("UV_LINK_MODE"), *(setting.get("link-mode") for setting in user_settings())]
    return next((setting for setting in settings if setting), None)


def _setting_files() -> list[bytes]:
    contents = []
    for path in (Path.home() / ".config/uv/uv.toml", Path("/etc/xdg/uv/uv.toml"), Path("/etc/uv/uv.toml")):
        with contextlib.suppress(OSError):
            contents.append(path.read_bytes())
    return contents


def anchored(place: str, folder: Path) -> str:
    """A place as a URL, from `folder` if it is a path. It has no comma, which separates places in an option.

    Of a path uv would take `#` for the beginning of a fragment, and `=` for the end of a name.
    """
    return place.replace(",", "%2C") if "://" in place else (folder / with_home(place)).absolute().as_uri()


def named_index(index: str) -> tuple[str, str]:
    """(name, place) of an index, `URL-or-path` or `NAME=URL-or-path`; the name may be empty."""
    name, equals, place = index.partition("=")
    return (name, place) if equals and not set(name) & set(":/") else ("", index)
