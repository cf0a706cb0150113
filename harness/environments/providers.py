"""The providers of packages besides uv, by the kind of packages; a further one is a line here."""

from __future__ import annotations

import contextlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from harness.environments.interface import PackageProvider
from harness.stack import ECOSYSTEMS
from harness.subprocesses import Supervisor

PROVIDERS = {"npm": "harness.environments.npm.client:opened"}
"""Kind of packages → what makes its provider, by name: most matrices need none."""

Packages = Mapping[str, PackageProvider]
"""Kind of packages → its provider in this session."""


def kinds(axes: Iterable[str]) -> list[str]:
    """The kinds of packages that a matrix with `axes` needs besides distributions of Python."""
    return list(dict.fromkeys(ECOSYSTEMS[axis] for axis in axes if axis in ECOSYSTEMS))


def opened(
    needed: Iterable[str],
    children: Supervisor,
    temporary: Callable[[], contextlib.AbstractContextManager[Path]],
    *,
    offline: bool,
) -> Packages:
    """The providers of the kinds `needed`."""
    return {kind: pkgutil.resolve_name(PROVIDERS[kind])(children, temporary, offline=offline) for kind in needed}


def provider_of(axis: str, packages: Packages) -> PackageProvider | None:
    """The provider of an axis; None for a distribution of Python."""
    return packages.get(ECOSYSTEMS.get(axis, ""))
