"""Asks the library of an onnxruntime for the versions of its C API, which programs in other languages than Python call.

    python c_api.py LIBRARY    prints {"newest": …, "refusal": …}: the newest version that it has, and what it says of the next

From 1.19 on the wheel brings the library; before, npm's package of the same version does.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from unpacked import WORK, unpacked

MOST = 1000
"""Versions of the API that are tried."""
SECONDS = 600
"""After which one step is ended."""


class _ApiBase(ctypes.Structure):
    """OrtApiBase of onnxruntime_c_api.h."""

    _fields_ = (("GetApi", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)),)


def api_of(version: str) -> tuple[int, str] | None:
    """The newest version of the C API that this onnxruntime has, and what it says of the next; None if it cannot be asked."""
    with _library(version) as library:
        if library is None:
            return None
        command = [sys.executable, str(Path(__file__)), str(library)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        return None
    found = json.loads(done.stdout.splitlines()[-1])
    return found["newest"], found["refusal"]


@contextmanager
def _library(version: str) -> Iterator[Path | None]:
    with unpacked("onnxruntime", version) as folder:
        if isinstance(folder, Path) and (found := _in(folder)):
            yield found
            return
    WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as made:
        command = ["npm", "pack", "--silent", "--ignore-scripts", f"onnxruntime-node@{version}"]
        done = subprocess.run(command, cwd=made, check=False, capture_output=True, timeout=SECONDS)
        for packed in Path(made).glob("*.tgz") if done.returncode == 0 else ():
            with tarfile.open(packed) as archive:
                archive.extractall(made, filter="data")
        yield _in(Path(made))


def _in(folder: Path) -> Path | None:
    """The library for this machine."""
    arm = os.uname().machine in {"aarch64", "arm64"}
    found = sorted(path for path in folder.rglob("libonnxruntime.so*") if path.is_file() and "musl" not in str(path))
    return next((path for path in found if ("arm64" in path.parts) is arm or "napi" not in str(path)), None)


def _ask(library: str) -> None:
    """Print what the library says; it may print too, to stderr."""
    loaded = ctypes.CDLL(library)
    loaded.OrtGetApiBase.restype = ctypes.POINTER(_ApiBase)
    get_api = loaded.OrtGetApiBase().contents.GetApi
    with tempfile.TemporaryFile() as said:
        sys.stderr.flush()
        os.dup2(said.fileno(), 2)
        newest = next(version for version in range(1, MOST) if get_api(version) and not get_api(version + 1))
        said.seek(0)
        refusal = said.read().decode().strip().splitlines()[-1]
    print(json.dumps({"newest": newest, "refusal": refusal}))


if __name__ == "__main__":
    _ask(sys.argv[1])
