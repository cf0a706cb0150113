"""Asks the exporters of torch for which operators they have a translation, and writes reports/exporters.json.

    nox -s exporters -- VERSION …    these versions of torch; the others in the file stay

uv makes a throw-away environment for each version: up to 5 GB with CUDA, which stay in uv's cache.
Exit code: 0 all measured, 3 some not.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.version import Version

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from harness.environments.uv.command import find_uv
from harness.environments.uv.variables import environment
from harness.tasks.keys import platform_id
from harness.verdicts import exporter_operators
from harness.verdicts.exporter_operators import ADAPTER, ExporterOperators, MeasuredTorch

FILE = ROOT / "reports" / "exporters.json"
PYTHONS = ("3.11", "3.10", "3.12", "3.13")
"""Tried in this order: not each of them has a wheel of each torch."""
WITH_DYNAMO, BEFORE_NUMPY_2 = Version("2.5"), Version("2.3")
SECONDS = 1800
"""After which the measurement of one version is ended."""


def measure(version: str) -> dict[str, Any] | str:
    """What in_torch.py prints with that torch, or why it could not be asked."""
    needed = [f"torch=={version}"]
    needed += ["numpy<2"] if Version(version) < BEFORE_NUMPY_2 else ["numpy"]
    needed += ["onnxscript"] if Version(version) >= WITH_DYNAMO else []
    message = ""
    for python in PYTHONS:
        command = [find_uv(), "run", "--quiet", "--isolated", "--no-project", f"--python={python}"]
        command += [f"--with={requirement}" for requirement in needed]
        done = subprocess.run(
            [*command, "python", str(HERE / "in_torch.py")],
            env=environment(), check=False, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        if done.returncode == 0:
            found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
            return found if found["version"] == version else "another version was imported"
        message = message or done.stderr.strip().rpartition("\n")[2]
    return message


def with_torch(known: ExporterOperators | None, version: str, found: Mapping[str, Any]) -> ExporterOperators:
    """`known` with what was found with a torch, in place of what it had of that one."""
    torch = dict(known.torch) if known else {}
    torchscript = {
        name: {first: set(versions) - {version} for first, versions in firsts.items()}
        for name, firsts in (known.torchscript if known else {}).items()
    }
    dynamo = {name: set(versions) - {version} for name, versions in (known.dynamo if known else {}).items()}
    opsets: Sequence[int] = found["torchscript"]["opsets"]
    for name, own in found["torchscript"]["operators"].items():
        torchscript.setdefault(name, {}).setdefault(own[0], set()).add(version)
    for name in found["dynamo"] or ():
        dynamo.setdefault(name, set()).add(version)
    torch[version] = MeasuredTorch(
        opsets=(opsets[0], opsets[-1]),
        onnxscript=found["onnxscript"],
        dynamo=found["dynamo"] is not None,
        measured=dt.datetime.now(dt.UTC).date(),
        platform=platform_id(),
        python=found["python"],
    )
    kept = {name: {first: frozenset(own) for first, own in firsts.items() if own} for name, firsts in torchscript.items()}
    return ExporterOperators(
        schema=1,
        torch=dict(sorted(torch.items(), key=lambda item: Version(item[0]))),
        torchscript={name: firsts for name, firsts in sorted(kept.items()) if firsts},
        dynamo={name: frozenset(own) for name, own in sorted(dynamo.items()) if own},
    )


def write(path: Path, operators: ExporterOperators) -> None:
    """Write the file with a line for each operator, so that a difference can be read."""
    data = ADAPTER.dump_python(operators, mode="json")
    lines = []
    for part, ordered in (("torch", dict), ("torchscript", _ordered_firsts), ("dynamo", _ordered)):
        entries = [f"  {json.dumps(name)}: {json.dumps(ordered(entry))}" for name, entry in data[part].items()]
        lines.append(f" {json.dumps(part)}: {{\n" + ",\n".join(entries) + "\n }")
    path.write_text('{\n "schema": 1,\n' + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _ordered(versions: Sequence[str]) -> list[str]:
    return sorted(versions, key=Version)


def _ordered_firsts(firsts: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {first: _ordered(versions) for first, versions in sorted(firsts.items(), key=lambda item: int(item[0]))}


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("versions", nargs="+", metavar="VERSION", help="versions of torch")
    missing = 0
    for version in parser.parse_args().versions:
        found = measure(version)
        if isinstance(found, str):
            missing += 1
            sys.stderr.write(f"{version}: not measured: {found}\n")
            continue
        known = exporter_operators.read(FILE) if FILE.exists() else None
        write(FILE, with_torch(known, version, found))
        count = len(found["torchscript"]["operators"])
        sys.stderr.write(
            f"{version}: torchscript {count} operators, dynamo {len(found['dynamo'] or ())} (Python {found['python']})\n"
        )
    return 3 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
