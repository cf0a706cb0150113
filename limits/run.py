"""Measures which IR version, opset and external data each onnxruntime reads, and asks it for its kernels and its C API.

It writes reports/runtimes.json and reports/kernels.json.

    nox -s limits                  the newest patch of every minor version since 1.14, and those in ALSO
    nox -s limits -- VERSION …     these versions; the others in the file stay

uv makes a throw-away environment for each version, with the oldest CPython of this machine for which it has a wheel.
Exit code: 0 all measured, 3 some not.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from packaging.version import Version
from pydantic import TypeAdapter

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

import c_api
import kernels

from harness.environments import interpreters
from harness.environments.uv.client import Uv
from harness.environments.uv.command import find_uv
from harness.environments.uv.variables import environment
from harness.matrix.schema import UvSources
from harness.model import Interpreter
from harness.stack import RUNTIME
from harness.subprocesses import Supervisor
from harness.tasks.keys import platform_id
from harness.verdicts import runtime_limits
from harness.verdicts.runtime_limits import ADAPTER, MeasuredRuntimes, RuntimeLimits

FILE = ROOT / "reports" / "runtimes.json"
KERNELS = ROOT / "reports" / "kernels.json"
FIRST = "1.14"
"""The oldest minor version that is measured."""
ALSO = ("1.16.0",)
"""Versions that are measured too: the one that Rust's `ort` 1.16 brings."""
SECONDS = 600
"""After which the measurement of one version is ended."""
NUMPY = ("", "numpy<2")
"""Tried in this order: old wheels admit a numpy 2 with which they cannot be imported."""


def pythons(uv: Uv) -> list[Interpreter]:
    """One interpreter for each minor version of CPython, the oldest first."""
    found = [*uv.interpreters(), *interpreters.in_pyenv(), interpreters.running()]
    minors = sorted({Version(python.version).release[:2] for python in found if Version(python.version) >= Version("3.8")})
    chosen = (interpreters.choose(f"{major}.{minor}", found) for major, minor in minors)
    return [python for python in chosen if python]


def newest_patches(uv: Uv, python: Interpreter) -> Iterator[str]:
    """The newest patch of every minor version that `python` can install."""
    below = ""
    while version := uv.newest(RUNTIME, f">={FIRST}{below}", python):
        yield version
        major, minor, *_ = Version(version).release
        below = f",<{major}.{minor}.dev0"


def planned(uv: Uv, found: Sequence[Interpreter], named: Sequence[str]) -> dict[str, Interpreter | None]:
    """Version → the oldest interpreter that can install it, or None; the newest patch of each minor if none is named."""
    chosen: dict[str, Interpreter | None] = {}
    if not named:
        for python in found:
            for version in newest_patches(uv, python):
                chosen.setdefault(version, python)
        # An old interpreter may lack the newest patch of a minor version: then that is another version.
        newest = {Version(version).release[:2]: version for version in sorted(chosen, key=Version)}
        chosen = {version: python for version, python in chosen.items() if version in newest.values()}
    for version in named or ALSO:
        chosen[version] = next((python for python in found if uv.newest(RUNTIME, f"=={version}", python)), None)
    return dict(sorted(chosen.items(), key=lambda item: Version(item[0])))


def found_in(version: str, python: Interpreter, script: str) -> dict[str, Any] | str:
    """What a script of this folder prints beside one onnxruntime, or why it could not be run."""
    message = ""
    for bound in NUMPY:
        needed = [f"--with={RUNTIME}=={version}", *([f"--with={bound}"] if bound else [])]
        command = [find_uv(), "run", "--quiet", "--isolated", "--no-project", f"--python={python.path}", *needed]
        done = subprocess.run(
            [*command, "python", str(HERE / script)],
            env=environment(PYTHONPATH=str(ROOT)), check=False, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        if done.returncode == 0:
            found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
            return found if found.pop("version") == version else "another version was imported"
        message = done.stderr.strip().rpartition("\n")[2]
    return message


def measure(version: str, python: Interpreter) -> tuple[RuntimeLimits, dict[str, Any]] | str:
    """The limits and the operators of one version, or why they could not be measured."""
    found = found_in(version, python, "in_environment.py")
    if isinstance(found, str):
        return found
    operators = found.pop("operators")
    if api := c_api.api_of(version):
        found["api"], found["refusal_api"] = api
    found |= {"measured": dt.datetime.now(dt.UTC).date(), "platform": platform_id()}
    return TypeAdapter(RuntimeLimits).validate_python(found), operators


def with_pythons(versions: Sequence[str]) -> dict[str, Interpreter | None]:
    """See `planned`, with the interpreters of this machine."""
    uv = Uv(
        binary=find_uv(), sources=UvSources(), folder=ROOT, torch_backend=None, offline=False, children=Supervisor()
    )  # fmt: skip
    return planned(uv, pythons(uv), versions)


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("versions", nargs="*", metavar="VERSION", help="versions (default: every minor, see above)")
    options = parser.parse_args()
    known = runtime_limits.read(FILE) if FILE.exists() else {}
    missing = 0
    for version, python in with_pythons(options.versions).items():
        found = measure(version, python) if python else "no interpreter of this machine can install it"
        if isinstance(found, str):
            missing += 1
            sys.stderr.write(f"{version}: not measured: {found}\n")
            continue
        limits, operators = found
        known[version] = limits
        sys.stderr.write(f"{version}: IR {limits.ir}, opset {limits.opset} (Python {limits.python}, numpy {limits.numpy})\n")
        ordered = dict(sorted(known.items(), key=lambda item: Version(item[0])))
        FILE.write_bytes(ADAPTER.dump_json(MeasuredRuntimes(schema=1, runtimes=ordered), indent=1) + b"\n")
        kernels.write(KERNELS, kernels.with_runtime(kernels.read(KERNELS), version, operators))
    return 3 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
