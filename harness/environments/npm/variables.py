"""The variables that reach npm, and what of npm's configuration a lock depends on.

Registries, proxies and tokens are npm's own business: its files and variables reach it as they are. Nothing of them is
stored or shown, except that the registries are a part of a digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from harness import regular_files
from harness.foreign_text import without_userinfo
from harness.hashing import canonical
from harness.subprocesses import chosen_environment

_PASSED = re.compile(r"^(npm_config_.+|NODE_EXTRA_CA_CERTS|NODE_USE_SYSTEM_CA|NODE_USE_ENV_PROXY)$", re.IGNORECASE)
"""Variables by which somebody configures npm."""

_SOURCES = re.compile(r"^((@[^:]+:)?registry|before|min-release-age)$")
"""Settings that say what is published: registries, one of a scope too, and a date."""

_LIMIT = 2**20
"""Bytes of the largest npmrc that is read."""


def environment() -> dict[str, str]:
    """The variables that npm and node see."""
    return chosen_environment(**{name: value for name, value in os.environ.items() if _PASSED.match(name)})


def source_settings() -> str:
    """A digest of the settings in the user's npmrc and variables that say where packages come from; part of a lock's key."""
    found = {name: without_userinfo(value) for name, value in (*_of_user(), *_of_variables()) if _SOURCES.match(name)}
    return hashlib.sha256(canonical(found).encode("utf-8", "surrogatepass")).hexdigest()


def _of_user() -> Iterator[tuple[str, str]]:
    variables = {name.lower(): value for name, value in os.environ.items()}
    path = Path(variables.get("npm_config_userconfig") or Path.home() / ".npmrc")
    with contextlib.suppress(OSError, regular_files.RefusedFileError, UnicodeDecodeError):
        for line in regular_files.read_named_text(path, limit=_LIMIT).splitlines():
            name, equals, value = line.partition("=")
            if equals:
                yield name.strip(), value.strip().strip("\"'")


def _of_variables() -> Iterator[tuple[str, str]]:
    for name, value in os.environ.items():
        if name.lower().startswith("npm_config_"):
            yield name[len("npm_config_") :].lower().replace("_", "-"), value
