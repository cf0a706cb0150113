"""A mirror of interpreters for uv, in a folder: one archive, with an interpreter that starts the one that runs the tests."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import sys
import tarfile
from pathlib import Path

VERSION = platform.python_version()
MINOR = ".".join(VERSION.split(".")[:2])
BASE = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
_HEADER = "# system configuration generated and used by the sysconfig module\nbuild_time_vars = {}\n"


def made(folder: Path) -> dict[str, str]:
    """Make the mirror in `folder`; returns the variables with which uv uses it, and installs into `folder / "pythons"`."""
    folder.mkdir()
    archive = folder / "cpython.tar.gz"
    machine = platform.machine()
    with tarfile.open(archive, "w:gz") as tar:
        _add(tar, f"python/bin/python{MINOR}", f'#!/bin/sh\nexec {BASE} "$@"\n')
        _add(tar, f"python/lib/python{MINOR}/_sysconfigdata__linux_{machine}-linux-gnu.py", _HEADER)
    major, minor, patch = map(int, VERSION.split("."))
    download = {
        "name": "cpython", "arch": {"family": machine, "variant": None}, "os": "linux", "libc": "gnu", "major": major,
        "minor": minor, "patch": patch, "prerelease": "", "url": archive.as_uri(), "variant": None, "build": None,
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
    }  # fmt: skip
    listed = folder / "downloads.json"
    listed.write_text(json.dumps({f"cpython-{VERSION}-linux-{machine}-gnu": download}), encoding="utf-8")
    return {"UV_PYTHON_DOWNLOADS_JSON_URL": str(listed), "UV_PYTHON_INSTALL_DIR": str(folder / "pythons")}


def _add(tar: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.size = 0o755, len(text)
    tar.addfile(entry, io.BytesIO(text.encode()))
