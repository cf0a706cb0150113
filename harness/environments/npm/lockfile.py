"""package-lock.json ⇄ `PackageLock`: every package with its integrity, and nothing about where it comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.locked import LockedDistribution, PackageLock
from harness.packaging_values import quoted

_NAME = r"(?:@[a-z0-9~-][a-z0-9._~-]{0,100}/)?[A-Za-z0-9~-][A-Za-z0-9._~-]{0,213}"
_PLACE = re.compile(rf"node_modules/{_NAME}(?:/node_modules/{_NAME}){{0,20}}")
_VERSION = re.compile(r"[0-9]{1,10}\.[0-9]{1,10}\.[0-9]{1,10}(?:[-+][0-9A-Za-z.+-]{1,200})?")
_INTEGRITY = re.compile(r"sha(?:256|384|512)-[A-Za-z0-9+/]{40,90}={0,2}")
_RANGE = re.compile(r"[0-9A-Za-z.+*^~<>=| -]{0,200}")
"""Versions of the registry alone: no URL, no path and no other name."""
_WORD = re.compile(r"!?[a-z0-9]{1,20}")
"""A system, a processor or a libc."""

_EDGES = ("dependencies", "optionalDependencies", "peerDependencies")
_OPTIONAL_PEERS = "peerDependenciesMeta"
_LISTS = ("os", "cpu", "libc")
_FLAGS = ("optional", "peer", "dev", "devOptional", "hasInstallScript", "inBundle")


def parse(text: str) -> PackageLock:
    """Read a package-lock.json of version 3 with one requirement.

    Raises:
        ValueError: it is none, or a package in it is not one of the registry with an integrity.
    """
    packages = _mapping(_mapping(json.loads(text)).get("packages"))
    kept = {place: _entry(place, _mapping(entry)) for place, entry in sorted(packages.items())}
    if "" not in kept or len(kept[""].get("dependencies", {})) != 1:
        raise ValueError("expected a package-lock.json with one requirement")
    ((name, version),) = kept.pop("")["dependencies"].items()
    if kept.get(f"node_modules/{name}", {}).get("version") != version:
        raise ValueError(f"expected {quoted(name)} in the requested version {quoted(version)}")
    parents: dict[str, list[str]] = {}
    for place, entry in kept.items():
        for found in _required(place, entry, kept):
            parents.setdefault(found, []).append(_named(place))
    distributions = tuple(
        LockedDistribution(
            name=_named(place),
            version=entry["version"],
            hashes=(entry["integrity"],),
            via=tuple(parents.get(place, ())) if _named(place) != name else (),
        )
        for place, entry in kept.items()
    )
    whole = {"lockfileVersion": 3, "requires": True, "packages": {"": {"dependencies": {name: version}}, **kept}}
    return PackageLock(kind="npm", distributions=distributions, text=json.dumps(whole, sort_keys=True), root=(name, version))


def files(lock: PackageLock) -> dict[str, str]:
    """What `npm ci` installs from: package.json and package-lock.json."""
    manifest = {"private": True, "dependencies": dict([lock.root])}
    whole = json.dumps(json.loads(lock.text), indent=2)
    return {"package.json": f"{json.dumps(manifest, indent=2)}\n", "package-lock.json": f"{whole}\n"}


def _entry(place: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """What npm needs of an entry to install it."""
    kept: dict[str, Any] = {name: _ranges(entry[name]) for name in _EDGES if name in entry}
    if place == "":
        return kept
    version, integrity = entry.get("version"), entry.get("integrity")
    if not _PLACE.fullmatch(place):
        raise ValueError(f"expected a folder in node_modules, not {quoted(place)}")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise ValueError(f"expected a version of {place}, not {quoted(version)}")
    if not isinstance(integrity, str) or not _INTEGRITY.fullmatch(integrity):
        raise ValueError(f"{place} has no integrity: it is no package of a registry")
    peers = _mapping(entry.get(_OPTIONAL_PEERS, {}))
    if optional := {name: {"optional": True} for name, meta in peers.items() if _mapping(meta).get("optional") is True}:
        kept[_OPTIONAL_PEERS] = optional
    kept |= {name: bool(entry[name]) for name in _FLAGS if name in entry}
    kept |= {name: [word for word in map(str, entry[name]) if _WORD.fullmatch(word)] for name in _LISTS if name in entry}
    return {**kept, "version": version, "integrity": integrity}


def _ranges(edges: object) -> dict[str, str]:
    for name, bounds in _mapping(edges).items():
        if not re.fullmatch(_NAME, name) or not isinstance(bounds, str) or not _RANGE.fullmatch(bounds):
            raise ValueError(f"expected versions of a package, not {quoted(name)}: {quoted(bounds)}")
    return dict(_mapping(edges))


def _required(place: str, entry: Mapping[str, Any], packages: Mapping[str, object]) -> Iterator[str]:
    """The places of what a package requires: npm looks in its own node_modules, then in those above it."""
    for name in {name for edges in _EDGES for name in entry.get(edges, ())}:
        folder = place
        while folder and f"{folder}/node_modules/{name}" not in packages:
            folder = folder.rpartition("/node_modules/")[0]
        found = f"{folder}/node_modules/{name}" if folder else f"node_modules/{name}"
        if found in packages:
            yield found


def _named(place: str) -> str:
    return place.removeprefix("node_modules/")


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"expected a table, not {quoted(value)}")  # noqa: TRY004 -- as for every other value of the file
    return value
