"""The real probe with its two big packages replaced: `export` and `runtimes` come from this folder, all else from
harness/probe.

What it adds is one line per start in `<store>/probe-starts.jsonl`, by which tests count and inspect probe processes: a
fork server and each fork of it, and, as kind "import", a fork that imports beside an export.
"""

# ruff: noqa: E402, F401 -- what the real one imports

from __future__ import annotations

import sys

# Bytecode is the store's, and each project has a store of its own: most of the time of most tests would go into compiling what
# the probe takes from the standard library. That alone is compiled once for all; what is imported below is what it takes.
_OF_THE_STORE, sys.pycache_prefix = sys.pycache_prefix, f"{__file__.rpartition('/')[0]}/../__pycache__/standard-library"

import contextlib
import ctypes
import dataclasses
import email.parser
import functools
import importlib
import importlib.metadata
import importlib.util
import io
import json
import logging
import os
import random
import re
import shutil
import signal
import socket
import sysconfig
import tempfile
import traceback
import typing
from pathlib import Path

sysconfig.get_path("stdlib")  # it imports another module
sys.pycache_prefix = _OF_THE_STORE

HERE = Path(__file__).resolve().parent
SERVER = {}
MODULE = {}
REAL = HERE.parents[1] / "harness" / "probe" / "__main__.py"


def note_start(job_path, kind, subjects):
    line = {
        "kind": kind,
        "subjects": subjects,
        "pid": os.getpid(),
        "server": SERVER.get("pid"),
        "python": sys.executable,
        "environ": dict(os.environ),
        "path": sys.path,
        "bytecode": sys.pycache_prefix,
        "writes_bytecode": not sys.dont_write_bytecode,
        "module": MODULE.get("text"),
    }
    # A job lies somewhere in <store>/tmp/.
    store = next(folder.parent for folder in job_path.parents if folder.name == "tmp")
    notes = store.parent / "notes"
    # Programs beside these tests read the file in the store (tests/noted.py).
    for path in [store / "probe-starts.jsonl", *([notes / f"{store.name}-starts.jsonl"] if notes.is_dir() else [])]:
        with contextlib.suppress(OSError), path.open("ab", buffering=0) as log:
            log.write(json.dumps(line).encode() + b"\n")


def _real_bootstrap():
    spec = importlib.util.spec_from_file_location("real_probe_main", REAL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _noting(main):
    def noted(job_path):
        job = json.loads(Path(job_path).read_text(encoding="utf-8"))
        if path := job["probe"]["path"]:
            MODULE["text"] = Path(path).read_text(encoding="utf-8")
        # A process that only imports beside an export that is known already is noted by its forks alone.
        kind = job["kind"] if job.get("reference", True) else "imports"
        if kind == "run" and job["runtime"] == "onnx.reference":
            kind = "reference"
        note_start(Path(job_path), kind, [one["id"] for one in job.get("variants", job.get("runs", []))])
        if kind == "forkserver":
            SERVER["pid"] = os.getpid()
        main(job_path)

    return noted


if __name__ == "__main__":
    real = _real_bootstrap()
    real.settle()
    real._register_package()
    importlib.import_module(real.PACKAGE + ".forking.process_control").die_with_the_parent()
    sys.modules[real.PACKAGE].__path__.insert(0, str(HERE))
    dispatch = importlib.import_module(real.PACKAGE + ".dispatch")
    dispatch.main = _noting(dispatch.main)
    dispatch.main(sys.argv.pop())
