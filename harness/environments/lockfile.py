"""Lock ⇄ requirements file with hashes, which pip and uv both install; and the reader of a pylock.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from harness.locked import Lock, LockedDistribution
from harness.packaging_values import ExactVersion, FileHash, distribution_name, exact_version, requirement_line

if TYPE_CHECKING:
    from packaging.pylock import Package, Pylock


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedVersion:
    """A published version."""

    version: ExactVersion
    day: str | None
    """ISO date of the upload of its newest file; None if unknown: a folder of wheels has no dates."""
    size: int | None
    """Bytes of its largest file; None if unknown: a file on this machine costs no download."""


def parse_published(text: str) -> PublishedVersion:
    """Read the only package of a pylock.toml (PEP 751) that uv wrote.

    Raises:
        ValueError: its version is no exact version.
    """
    (package,) = tomllib.loads(text)["packages"]
    files = [*package.get("wheels", ()), *filter(None, [package.get("sdist"), package.get("archive")])]
    days = [file["upload-time"].date().isoformat() for file in files if "upload-time" in file]
    sizes = [file["size"] for file in files if "size" in file]
    return PublishedVersion(
        version=exact_version(package["version"]), day=max(days, default=None), size=max(sizes, default=None)
    )


def requirements_text(requirements: Iterable[str]) -> str:
    """A requirements or constraints file.

    Raises:
        ValueError: a line is not exactly one requirement, or has a URL: only names and versions reach uv by a file.
    """
    return "".join(f"{requirement_line(requirement)}\n" for requirement in requirements)


def lock_text(lock: Lock) -> str:
    """`lock` as a requirements file with hashes, sorted by name.

    Raises:
        ValueError: as `requirements_text`, or a hash is invalid.
    """
    blocks = []
    for pinned in sorted(lock.distributions, key=lambda pinned: pinned.name):
        hashes = _HASHES.validate_python(pinned.hashes)
        lines = [requirement_line(f"{pinned.name}=={pinned.version}"), *(f"    --hash={value}" for value in hashes)]
        blocks.append(" \\\n".join(lines))
    return "\n".join(blocks) + "\n"


_HASHES = TypeAdapter(tuple[FileHash, ...])


def parse_lock(text: str) -> Lock:
    """Read the output of `uv pip compile --generate-hashes --annotation-style=split`.

    Raises:
        ValueError: a line is no distribution with an exact version.
    """
    names: list[tuple[str, str]] = []
    hashes: dict[str, list[str]] = {}
    via: dict[str, list[str]] = {}
    for line in text.splitlines():
        stripped = line.strip().removesuffix("\\").strip()
        if not stripped:
            continue
        if not line.startswith((" ", "#")):
            name, _, version = stripped.partition(";")[0].strip().partition("==")
            names.append((distribution_name(name), exact_version(version)))
        elif names and stripped.startswith("--hash="):
            hashes.setdefault(names[-1][0], []).append(stripped.removeprefix("--hash="))
        elif names and stripped.startswith("#"):
            parent = stripped.removeprefix("#").strip().removeprefix("via").strip()
            if parent and not parent.startswith("-"):
                via.setdefault(names[-1][0], []).append(distribution_name(parent.partition("[")[0]))
    return Lock(
        distributions=tuple(
            LockedDistribution(name=name, version=version, hashes=tuple(hashes.get(name, ())), via=tuple(via.get(name, ())))
            for name, version in names
        )
    )


def parse_pylock(text: str) -> Pylock:
    """Read a pylock.toml.

    Raises:
        ValueError: it is no TOML.
        PylockValidationError: PEP 751 does not allow it.
    """
    # The import takes a while, and few commands read such a file.
    from packaging.pylock import Pylock  # noqa: PLC0415

    return Pylock.from_dict(tomllib.loads(text))


def file_hashes(package: Package) -> set[str]:
    """`algorithm:hexdigest` of every file of a pylock.toml's package."""
    hashes = [wheel.hashes for wheel in package.wheels or ()] + ([package.sdist.hashes] if package.sdist else [])
    return {f"{algorithm}:{value}" for of_file in hashes for algorithm, value in of_file.items()}
