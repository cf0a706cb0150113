"""What a provider of environments does: it turns versions into locks, and locks into environments on disk.

uv is the provider for distributions of Python (uv/client.py). `Resolver`, `Environments` and the look-ups of published
versions know nothing else of it than this interface. A runtime that is no Python package, such as onnxruntime-node of npm
(npm/client.py), or a Rust crate, comes with a `PackageProvider` (providers.py registers it) that says of it

- which versions of a name on its axis are published (`newest`, `oldest`, `published`), and from which sources (`identity`, a
  part of every key);
- which set of packages the requirements of a cell mean (`resolve`), as a `Lock` with hashes;
- how a set is installed (`create`, `install`), and what is installed in fact (`installed`), which `Environments` verifies
  against the lock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from harness.environments.lockfile import PublishedVersion
from harness.errors import UvError
from harness.locked import Lock
from harness.model import Failure, Interpreter
from harness.subprocesses import Supervisor


class FailureType(StrEnum):
    """Why a provider gives no answer."""

    UNSATISFIABLE = "unsatisfiable"
    """A fact: the versions have no common solution, or one has no file for this interpreter."""
    BUILD = "build"
    """A fact: a source distribution does not build."""
    INFRASTRUCTURE = "infrastructure"
    """Network, index, disk or time: it proves nothing."""


class ProviderFailure(Exception):  # noqa: N818 -- often a fact about versions, not an error
    """A provider gives no answer; `str()` is its own text."""

    def __init__(self, type_: FailureType, message: str, unpublished: str | None = None, tool: str = "uv") -> None:
        """`unpublished` is the requirement (`name==version`, or a bare name) that no index has, if that is the reason."""
        super().__init__(message)
        self.type = type_
        self.unpublished = unpublished
        self.tool = tool

    @property
    def failure(self) -> Failure:
        """The failure as a result holds it."""
        return Failure(type=self.type.value, message=str(self))

    def as_error(self) -> UvError:
        """The failure as an error, for a question that is about no cell."""
        return UvError(f"{self.tool} could not find out what is published:\n{self}")


ANY = Interpreter(version="any", path="")
"""In place of an interpreter in look-ups of packages: what is published does not depend on what runs it."""


class Provider(Protocol):
    """Resolves and installs. Every method may raise ProviderFailure. Thread-safe.

    A parameter `python` is the interpreter; for packages of another kind it is the program that runs them, or `ANY`.
    """

    @property
    def children(self) -> Supervisor:
        """The processes that it has started."""

    def identity(self, store: Path) -> list[object]:
        """All about its sources that a resolution may depend on, JSON-able; paths are relative to `store`, and no secrets."""

    def newest(self, name: str, bounds: str, python: Interpreter) -> str | None:
        """The newest published version of `name` within `bounds` for that interpreter, or None."""

    def oldest(self, name: str, bounds: str, python: Interpreter) -> str | None:
        """The oldest published version of `name` within `bounds` for that interpreter, or None."""

    def published(self, requirement: str, python: Interpreter) -> PublishedVersion | None:
        """The newest version that satisfies `requirement`, with date and size, or None."""

    def resolve(
        self,
        requirements: Sequence[str],
        python: Interpreter,
        bounds: Sequence[str] = (),
        preferred: Lock | None = None,
        overrides: Sequence[str] = (),
    ) -> Lock:
        """All packages that `requirements` need, within `bounds`, with hashes; versions of `preferred` are kept if possible.

        `overrides` hold in place of what packages require of these distributions.
        """

    def create(self, folder: Path, python: Interpreter) -> None:
        """Make an empty environment at `folder`."""

    def install(self, folder: Path, lock: Lock, python: Interpreter | None = None) -> None:
        """Make the environment at `folder` hold exactly `lock`; `python` may be given if nothing is run from the folder."""

    def install_from_cache(self, folder: Path, lock: Lock, python: Interpreter | None = None) -> bool:
        """The same without the network; False if that is not possible."""

    def installed(self, folder: Path, python: Interpreter) -> dict[str, str]:
        """Name → version of what the environment at `folder` holds, read from disk. May raise OSError, RefusedFileError."""


class DatedProvider(Provider, Protocol):
    """A provider that knows when versions were published."""

    def released(self, name: str, version: str, python: Interpreter) -> dt.datetime | None:
        """The upload time of a published version; None if it is not known."""


class PackageProvider(DatedProvider, Protocol):
    """Resolves and installs the packages of a runtime that is no distribution of Python."""

    def program(self) -> Interpreter | None:
        """What runs the packages, such as node; None if this machine lacks it, or the tool that installs them."""

    def why_missing(self) -> str:
        """Why there is no program, and how to get one; empty if there is one."""
