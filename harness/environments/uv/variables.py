"""What of the user's surroundings reaches uv: environment variables and settings files.

Mirrors and credentials must work, so uv is not kept from them; and a lock depends on those that say where distributions
come from.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.foreign_text import without_userinfo
from harness.matrix.values import with_home
from harness.subprocesses import chosen_environment

_SOURCE_VARIABLES = re.compile(r"^UV_(FIND_LINKS|INDEX(_.*)?|DEFAULT_INDEX|EXTRA_INDEX_URL)$")
"""What a user sets to say where distributions come from; part of what a lock depends on."""

_ACCESS_VARIABLES = re.compile(r"^(UV_(INDEX_.*_(USERNAME|PASSWORD)|KEYRING_PROVIDER|INSECURE_HOST|OFFLINE)|NETRC)$")
"""What a user sets to be let in; another password finds the same distributions."""

_MACHINE_VARIABLES = re.compile(
    r"^UV_(CACHE_DIR|HTTP_.*|REQUEST_TIMEOUT|CONCURRENT_.*|SYSTEM_CERTS|NATIVE_TLS|LINK_MODE|PYTHON_INSTALL_DIR)$"
)
"""What a user sets to fit uv to a machine; changes no result."""


def source_variables(seen: Callable[[str, Path], str]) -> dict[str, str]:
    """Those that say where distributions come from, without secrets; `seen` tells how a place in a folder is called."""
    variables = {
        name: without_password(value)
        for name, value in os.environ.items()
        if _SOURCE_VARIABLES.match(name) and not _ACCESS_VARIABLES.match(name)
    }
    if links := variables.get("UV_FIND_LINKS"):
        variables["UV_FIND_LINKS"] = ",".join(seen(place, Path.cwd()) for place in links.split(","))
    return variables


def environment(**extra: str) -> dict[str, str]:
    """The variables that uv sees: the chosen ones, the user's that are for it, and `extra`."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if any(variables.match(name) for variables in (_SOURCE_VARIABLES, _ACCESS_VARIABLES, _MACHINE_VARIABLES))
    }
    if links := passed.get("UV_FIND_LINKS"):
        passed["UV_FIND_LINKS"] = ",".join(anchored(place, Path.cwd()) for place in links.split(","))
    return chosen_environment(**{"UV_PYTHON_DOWNLOADS": "never", **passed, **extra})


def without_password(text: str) -> str:
    """`text` with what stands before the `@` of its URLs left out."""
    return without_userinfo(text)


def setting_files() -> list[str]:
    """Digests of the user's and the system's uv.toml: mirrors and credentials must work, so uv is not kept from them."""
    return [hashlib.sha256(content).hexdigest() for content in _setting_files()]


def user_settings() -> list[dict[str, Any]]:
    """What those files say; uv itself complains about one that is no TOML."""
    found = []
    for content in _setting_files():
        with contextlib.suppress(ValueError):
            found.append(tomllib.loads(content.decode()))
    return found


def offline() -> bool:
    """Whether the user has set uv to ask no network, by `UV_OFFLINE` or in a settings file."""
    said = os.environ.get("UV_OFFLINE", "").lower() in {"1", "true", "t", "yes", "y", "on"}
    return said or any(settings.get("offline") is True for settings in user_settings())


def _setting_files() -> list[bytes]:
    found = []
    for path in (Path.home() / ".config/uv/uv.toml", Path("/etc/xdg/uv/uv.toml"), Path("/etc/uv/uv.toml")):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes())
    return found


def anchored(place: str, folder: Path) -> str:
    """`place` as it is where it is a URL, and as an absolute path, taken from `folder`, where it is a path."""
    return place if "://" in place else str(folder / with_home(place))
