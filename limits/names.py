"""Reads from the sources of releases what they define, and writes reports/names.json and reports/parameters.json.

    nox -s names -- PACKAGE VERSION …    these releases, in place of those of the package that the files have

What all of them have is not in the files, but for the names of the package itself, so that no release can be added later. uv
unpacks each wheel alone, without what it depends on: up to 2 GB for a torch. Nothing of it stays, in uv's cache neither.
Exit code: 0 all measured, 3 some not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.version import Version

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from in_signatures import ANY, signatures
from in_sources import modules
from unpacked import unpacked

from harness.stack import module_of
from harness.verdicts import package_names
from harness.verdicts.package_names import ADAPTER, MeasuredNames, PackageNames, Places, packed

FILE = ROOT / "reports" / "names.json"
PARAMETERS = ROOT / "reports" / "parameters.json"
Definitions = Mapping[str, set[str]]
"""Module → its names."""


def measure(package: str, version: str) -> tuple[Definitions, Definitions] | str:
    """What the sources of a release define: names, and parameters of functions; or why they could not be read."""
    with unpacked(package, version) as folder:
        if isinstance(folder, str):
            return folder
        module = module_of(package)
        return modules(folder, module), signatures(folder, module)


def _places(releases: Sequence[str], found: Mapping[str, Definitions]) -> dict[str, dict[str, set[int]]]:
    """Module → name → the places of the releases that define it."""
    places: dict[str, dict[str, set[int]]] = {}
    for place, version in enumerate(releases):
        for module, names in found[version].items():
            for name in names:
                places.setdefault(module, {}).setdefault(name, set()).add(place)
    return places


def differing(found: Mapping[str, Definitions], *, adds_modules: bool = False) -> PackageNames:
    """What the releases in `found` do not all have; it has release → module → names.

    A distribution that `adds_modules` to a package of another one has all its modules there.
    """
    releases = sorted(found, key=Version)
    of_modules: dict[str, set[int]] = {}
    for place, version in enumerate(releases):
        for module in found[version]:
            of_modules.setdefault(module, set()).add(place)
    of_names = _places(releases, found)
    lacking = {
        module: {name: packed(own) for name, own in sorted(names.items()) if own != of_modules[module] or "." not in module}
        for module, names in sorted(of_names.items())
    }
    return PackageNames(
        releases=releases,
        modules={module: packed(own) for module, own in sorted(of_modules.items()) if adds_modules or len(own) < len(releases)},
        names={module: names for module, names in lacking.items() if names},
    )


def differing_parameters(found: Mapping[str, Definitions]) -> PackageNames:
    """The parameters that a function has in some of the releases in `found`, and not in all that have the function."""
    releases = sorted(found, key=Version)
    of_names = _places(releases, found)
    kept: dict[str, dict[str, Places]] = {}
    for module, names in sorted(of_names.items()):
        for name, places in sorted(names.items()):
            function, _, parameter = name.removesuffix(")").partition("(")
            present, any_ = names[f"{function}()"], names.get(f"{function}({ANY})", set())
            if parameter not in {"", ANY} and places | any_ != present:
                own = kept.setdefault(module, {})
                own |= {f"{function}()": packed(present), name: packed(places | any_)}
    return PackageNames(releases=releases, modules={}, names=kept)


def write(path: Path, names: MeasuredNames) -> None:
    """Write the file with a line for each module, so that a difference can be read."""
    packages = []
    for package, own in ADAPTER.dump_python(names, mode="json")["packages"].items():
        parts = [f'  "releases": {json.dumps(own["releases"])}']
        for part in ("modules", "names"):
            entries = [f"   {json.dumps(name)}: {json.dumps(entry)}" for name, entry in own[part].items()]
            parts.append(f"  {json.dumps(part)}: {{\n" + ",\n".join(entries) + "\n  }")
        packages.append(f" {json.dumps(package)}: {{\n" + ",\n".join(parts) + "\n }")
    path.write_text('{"schema": 1, "packages": {\n' + ",\n".join(packages) + "\n}}\n", encoding="utf-8")


def _known(path: Path) -> dict[str, PackageNames]:
    return package_names.read(path).packages if path.exists() else {}


def _replace(path: Path, package: str, names: PackageNames) -> None:
    packages = {**_known(path), package: names}
    write(path, MeasuredNames(schema=1, packages=dict(sorted(packages.items()))))


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("package", metavar="PACKAGE", help="the name of a distribution")
    parser.add_argument("versions", nargs="+", metavar="VERSION", help="its releases")
    options = parser.parse_args()
    found: dict[str, Definitions] = {}
    parameters: dict[str, Definitions] = {}
    for version in options.versions:
        measured = measure(options.package, version)
        if isinstance(measured, str) or not measured[0]:
            reason = measured if isinstance(measured, str) else "it has no sources"
            sys.stderr.write(f"{options.package} {version}: not measured: {reason}\n")
            continue
        found[version], parameters[version] = measured
        sys.stderr.write(f"{options.package} {version}: {len(found[version])} modules\n")
    if found:
        adds = module_of(options.package) != options.package and module_of(options.package) in _known(FILE)
        _replace(FILE, options.package, differing(found, adds_modules=adds))
        _replace(PARAMETERS, options.package, differing_parameters(parameters))
    return 0 if len(found) == len(options.versions) else 3


if __name__ == "__main__":
    sys.exit(main())
