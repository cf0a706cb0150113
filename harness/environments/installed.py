"""What a virtual environment on disk holds, read without starting a process."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from email.parser import HeaderParser
from pathlib import Path

from packaging.utils import canonicalize_name

from harness import regular_files
from harness.model import Interpreter
from harness.packaging_values import same_build

_DESCRIPTIONS = ("*.egg-info", "*.egg-info/PKG-INFO", "*.dist-info/METADATA")
"""The files with name and version of an installed distribution; the last is what every tool writes today."""

_LIMIT = 16 * 2**20
"""Bytes of the largest of these files."""


def site_packages(folder: Path, interpreter: Interpreter) -> Path:
    """The folder in which a POSIX virtual environment keeps its distributions."""
    major, minor, *_ = interpreter.version.split(".")
    return folder / "lib" / f"python{major}.{minor}" / "site-packages"


def python_of(folder: Path) -> str | None:
    """The Python version of the virtual environment at `folder`; None if it is none."""
    settings = _settings(folder)
    return settings.get("version_info") or settings.get("version")


def sees_system(folder: Path) -> bool:
    """Whether the virtual environment at `folder` has the packages of the system besides its own."""
    return _settings(folder).get("include-system-site-packages", "").lower() == "true"


def _settings(folder: Path) -> dict[str, str]:
    """What a pyvenv.cfg says; nothing if there is none."""
    try:
        lines = _text(folder / "pyvenv.cfg").splitlines()
    except (OSError, regular_files.RefusedFileError):
        return {}
    pairs = (line.replace(" ", "").split("=", 1) for line in lines if "=" in line)
    return {name.lower(): value for name, value in pairs}


def installed(sites: Sequence[Path]) -> dict[str, str]:
    """Name → version of the distributions in the folders `sites`; of one that is there twice, one of its versions.

    Raises:
        RefusedFileError: the description of a distribution is no regular file.
    """
    return dict(described(sites))


def described(sites: Sequence[Path]) -> list[tuple[str, str]]:
    """As `installed`, (name, version) of each description: an interrupted installation may have left two of a distribution."""
    descriptions = (HeaderParser().parsestr(_text(path)) for site in sites for path in _descriptions(site))
    # An interrupted uninstallation leaves descriptions without a name; pip ignores them too.
    return [(canonicalize_name(found["Name"]), found["Version"]) for found in descriptions if found["Name"]]


def installed_directly(sites: Sequence[Path]) -> dict[str, bool]:
    """The distributions in `sites` that come from a URL or a folder (PEP 610) → whether in editable mode.

    Raises:
        RefusedFileError: a description is no regular file.
    """
    found: dict[str, bool] = {}
    for origin in (path for site in sites for path in site.glob("*.dist-info/direct_url.json")):
        if (description := origin.with_name("METADATA")).is_file():
            name = HeaderParser().parsestr(_text(description))["Name"]
            found |= {canonicalize_name(name): _is_editable(_text(origin))} if name else {}
    return found


def _is_editable(origin: str) -> bool:
    try:
        return json.loads(origin)["dir_info"]["editable"] is True
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _descriptions(site: Path) -> list[Path]:
    """The descriptions of distributions in `site`, without egg-infos that a wheel has brought as files of its own."""
    found = [path for pattern in _DESCRIPTIONS for path in site.glob(pattern) if not path.is_dir()]
    older = [path for path in found if path.name != "METADATA"]
    if not older:
        return found
    brought = {row[0] for record in site.glob("*.dist-info/RECORD") for row in csv.reader(_text(record).splitlines()) if row}
    return [path for path in found if path not in older or path.relative_to(site).as_posix() not in brought]


def difference(locked: Mapping[str, str], present: Mapping[str, str]) -> list[str]:
    """A phrase for every distribution that is missing, surplus or has another version."""
    return [
        f"{name} {present.get(name, 'missing')}, locked {locked.get(name, 'not at all')}"
        for name in sorted(locked.keys() | present.keys())
        if not same_build(locked.get(name), present.get(name))
    ]


def _text(path: Path) -> str:
    """The content of a file of an environment, which may be of somebody else."""
    return regular_files.read_named(path, limit=_LIMIT).decode("utf-8", errors="replace")
