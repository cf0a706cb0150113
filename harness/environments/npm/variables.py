"""The variables that reach npm, and what of npm's configuration a lock depends on.

Registries, proxies and tokens are npm's own business: its files and variables reach it as they are, and so do the variables
that these files name. Nothing of them is stored or shown, except that the registries are a part of a digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
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

_REFERENCE = re.compile(r"\$\{([^${}?]+)\??\}")
"""How a setting names a variable."""

Settings = list[tuple[str, str]]
"""(name, value) of settings as they are written, the strongest last."""

_LIMIT = 2**20
"""Bytes of the largest npmrc that is read."""


def environment() -> dict[str, str]:
    """The variables that npm and node see."""
    named = {name for setting in _settings() for text in setting for name in _REFERENCE.findall(text)}
    return chosen_environment(**{name: value for name, value in os.environ.items() if _PASSED.match(name) or name in named})


def source_settings() -> str:
    """A digest of the settings in npm's files and variables that say where packages come from; part of a lock's key."""
    found = {name: without_userinfo(_expanded(value)) for name, value in _settings() if _SOURCES.match(name)}
    return hashlib.sha256(canonical(found).encode("utf-8", "surrogatepass")).hexdigest()


def _settings() -> Settings:
    """Those of npm's own file, the global one, the user's, and variables."""
    variables = list(_of_variables())
    built_in = list(_of_file(_installed("npm") / "npmrc"))
    user = list(_of_file(_named("userconfig", [*built_in, *variables]) or Path.home() / ".npmrc"))
    stronger = [*built_in, *user, *variables]
    prefix = _named("prefix", stronger) or _installed("node")
    return [*built_in, *_of_file(_named("globalconfig", stronger) or prefix / "etc" / "npmrc"), *user, *variables]


def _installed(program: str) -> Path:
    """The folder with the folder `bin` of a program."""
    return Path(shutil.which(program) or "/nonexistent/bin/x").resolve().parent.parent


def _named(name: str, settings: Settings) -> Path | None:
    value = dict(settings).get(name)
    return Path(_expanded(value)) if value else None


def _expanded(value: str) -> str:
    """A value with the variables that it names."""
    return _REFERENCE.sub(lambda found: os.environ.get(found[1], found[0]), value)


def _of_file(path: Path) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(OSError, regular_files.RefusedFileError, UnicodeDecodeError):
        for line in regular_files.read_named_text(path, limit=_LIMIT).splitlines():
            name, equals, value = line.partition("=")
            if equals:
                yield name.strip(), value.strip().strip("\"'")


def _of_variables() -> Iterator[tuple[str, str]]:
    for name, value in os.environ.items():
        if name.lower().startswith("npm_config_"):
            yield name[len("npm_config_") :].lower().replace("_", "-"), value
