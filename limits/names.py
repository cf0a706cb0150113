"""Reads from the sources of releases which names they define, and writes reports/names.json.

    nox -s names -- PACKAGE VERSION …    these releases, in place of those of the package that the file has

What all of them have is not in the file, so that no release can be added later. uv unpacks each wheel alone, without what it
depends on: up to 2 GB for a torch. Nothing of it stays, in uv's cache neither.
Exit code: 0 all measured, 3 some not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from packaging.version import Version

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from in_sources import modules
from unpacked import unpacked

from harness.stack import module_of
from harness.verdicts import package_names
from harness.verdicts.package_names import ADAPTER, MeasuredNames, PackageNames, packed

FILE = ROOT / "reports" / "names.json"
Definitions = Mapping[str, set[str]]
"""Module → its names."""


def measure(package: str, version: str) -> Definitions | str:
    """What the sources of a release define, or why they could not be read."""
    with unpacked(package, version) as folder:
        return folder if isinstance(folder, str) else modules(folder, module_of(package))


def differing(found: Mapping[str, Definitions], *, adds_modules: bool = False) -> PackageNames:
    """What the releases in `found` do not all have; it has release → module → names.

    A distribution that `adds_modules` to a package of another one has all its modules there.
    """
    releases = sorted(found, key=Version)
    of_modules: dict[str, set[int]] = {}
    of_names: dict[str, dict[str, set[int]]] = {}
    for place, version in enumerate(releases):
        for module, names in found[version].items():
            of_modules.setdefault(module, set()).add(place)
            for name in names:
                of_names.setdefault(module, {}).setdefault(name, set()).add(place)
    lacking = {
        module: {name: packed(own) for name, own in sorted(names.items()) if own != of_modules[module]}
        for module, names in sorted(of_names.items())
    }
    return PackageNames(
        releases=releases,
        modules={module: packed(own) for module, own in sorted(of_modules.items()) if adds_modules or len(own) < len(releases)},
        names={module: names for module, names in lacking.items() if names},
    )


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


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("package", metavar="PACKAGE", help="the name of a distribution")
    parser.add_argument("versions", nargs="+", metavar="VERSION", help="its releases")
    options = parser.parse_args()
    found: dict[str, Definitions] = {}
    for version in options.versions:
        measured = measure(options.package, version)
        if isinstance(measured, str) or not measured:
            sys.stderr.write(f"{options.package} {version}: not measured: {measured or 'it has no sources'}\n")
            continue
        found[version] = measured
        sys.stderr.write(f"{options.package} {version}: {len(measured)} modules\n")
    if found:
        known = package_names.read(FILE) if FILE.exists() else MeasuredNames(schema=1, packages={})
        packages = {
            **known.packages,
            options.package: differing(found, adds_modules=module_of(options.package) in known.packages),
        }
        write(FILE, MeasuredNames(schema=1, packages=dict(sorted(packages.items()))))
    return 0 if len(found) == len(options.versions) else 3


if __name__ == "__main__":
    sys.exit(main())
