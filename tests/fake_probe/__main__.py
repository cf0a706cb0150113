"""The real probe with its two big rooms exchanged: `export` and `run` come from this folder, all else from harness/probe.

What it adds is one line per start in `<store>/probe-starts.jsonl`, by which tests count and inspect probe processes.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
REAL = os.path.join(os.path.dirname(os.path.dirname(HERE)), "harness", "probe", "__main__.py")


def _note_start(job_path):
    with open(job_path, encoding="utf-8") as stream:
        job = json.load(stream)
    # A job lies in <store>/tmp/<scratch>/.
    store = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(job_path))))
    line = {
        "kind": job["kind"],
        "subjects": [one["id"] for one in job.get("variants", job.get("runs", []))],
        "pid": os.getpid(),
        "environ": dict(os.environ),
        "path": sys.path,
        "writes_bytecode": not sys.dont_write_bytecode,
    }
    descriptor = os.open(os.path.join(store, "probe-starts.jsonl"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(descriptor, json.dumps(line).encode() + b"\n")
    os.close(descriptor)


def _real_bootstrap():
    spec = importlib.util.spec_from_file_location("real_probe_main", REAL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    real = _real_bootstrap()
    real._die_with_the_host()
    _note_start(sys.argv[1])
    real._register_package()
    sys.modules[real.PACKAGE].__path__.insert(0, HERE)
    importlib.import_module(real.PACKAGE + ".dispatch").main(sys.argv[1])
