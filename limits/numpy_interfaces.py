"""Reads from the headers of releases of numpy which C interface they have, and writes reports/numpy.json.

    nox -s numpy -- VERSION …      these releases; the others in the file stay

uv unpacks each wheel alone; nothing of it stays. Exit code: 0 all measured, 3 some not.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from packaging.version import Version

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from unpacked import unpacked

from harness.verdicts import numpy_interfaces
from harness.verdicts.numpy_interfaces import ADAPTER, MeasuredNumpys, NumpyInterface

FILE = ROOT / "reports" / "numpy.json"
_DEFINED = re.compile(r"^#define NPY_(ABI|API)_VERSION (0x[0-9A-Fa-f]{1,8})$", re.MULTILINE)


def measured(version: str) -> NumpyInterface | str:
    """The interface of a release, or why it could not be read."""
    with unpacked("numpy", version) as folder:
        if isinstance(folder, str):
            return folder
        headers = "\n".join(path.read_text() for path in folder.rglob("*numpyconfig.h"))
    found = {name: int(number, 16) for name, number in _DEFINED.findall(headers)}
    if found.keys() != {"ABI", "API"}:
        return "its headers name no version"
    return NumpyInterface(abi=found["ABI"], api=found["API"])


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("versions", nargs="+", metavar="VERSION", help="releases of numpy")
    options = parser.parse_args()
    known = numpy_interfaces.read(FILE) if FILE.exists() else {}
    found = {version: measured(version) for version in options.versions}
    for version, interface in found.items():
        sys.stderr.write(f"numpy {version}: {interface}\n")
    known |= {version: interface for version, interface in found.items() if isinstance(interface, NumpyInterface)}
    releases = dict(sorted(known.items(), key=lambda item: Version(item[0])))
    content = ADAPTER.dump_python(MeasuredNumpys(schema=1, releases=releases), mode="json")
    lines = [f"  {json.dumps(version)}: {json.dumps(interface)}" for version, interface in content["releases"].items()]
    FILE.write_text('{"schema": 1, "releases": {\n' + ",\n".join(lines) + "\n}}\n", encoding="utf-8")
    return 0 if all(isinstance(interface, NumpyInterface) for interface in found.values()) else 3


if __name__ == "__main__":
    sys.exit(main())
