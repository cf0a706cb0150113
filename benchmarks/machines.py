"""The same cells in every way that the work can be spread: the reports are compared, and what each takes is told.

    python benchmarks/machines.py          needs the extras: pip install -e '.[dev]'

Twelve cells on the real packages, each time from an empty store: in this process; by two dask workers; by two dask
workers of which one is killed by SIGKILL half-way; as three shards on three stores, merged by store and by matrix.json;
and with an S3-compatible server on loopback as the store. Reports are compared in all but times, memory and the names of
logs and artifacts.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from compare import ROOT, shell_environment

MATRIX = """
setup = ["together", "handoff"]
[axes]
python = ["3.11"]
torch = ["2.13.0"]
transformers = ["4.53.3", "5.23.0"]
onnx = ["1.19.1"]
onnxruntime = ["1.16.3", "1.20.1", "1.32.0"]
[[constraint]]
when = "onnxruntime<1.19"
add = ["numpy<2"]
reason = "built against numpy 1"
[variants]
exporters = ["torchscript", "dynamo"]
layouts = ["pair", "merged"]
"""
LEFT_OUT = {"seconds", "generated", "log", "logs", "peak_memory"}


def start(folder: Path, command: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """A command of the harness on the matrix in `folder`."""
    line = [sys.executable, "-m", "harness", command, *arguments, "--quiet", "--config", str(folder / "matrix.toml")]
    environ = shell_environment(**variables)
    return subprocess.Popen(line, cwd=ROOT, env=environ, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(child: subprocess.Popen[str]) -> None:
    """Wait for it; a failure ends everything."""
    _, said = child.communicate()
    if child.returncode:
        raise SystemExit(f"exit code {child.returncode}: {said}")


def run(folder: Path, name: str, *arguments: str, store: str | None = None, **variables: str) -> Any:
    """The report of a run on a store of its own."""
    reports = folder / f"reports-{name}"
    where = store or str(folder / f"store-{name}")
    finish(start(folder, "run", "--no-remedies", "--store", where, "--reports", str(reports), *arguments, **variables))
    return read(reports)


def killed(folder: Path) -> Any:
    """The same by dask, with one of two workers killed when the first export is done and others are under way."""
    reports, store = folder / "reports-killed", folder / "store-killed"
    child = start(
        folder, "run", "--no-remedies", "--store", str(store), "--reports", str(reports), "--executor", "dask", "--jobs", "2"
    )
    while child.poll() is None:
        probing = [one for one in psutil.Process(child.pid).children(recursive=True) if "probe" in " ".join(_line(one))]
        if probing and len(list((store / "artifacts").glob("*"))) >= 2:
            worker = probing[0].parent()
            assert worker is not None
            worker.send_signal(signal.SIGKILL)
            break
        time.sleep(0.05)
    finish(child)
    return read(reports)


def _line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def sharded(folder: Path) -> tuple[Any, Any]:
    """Three shards on three stores: their stores merged, their reports joined."""
    for number in (1, 2, 3):
        run(folder, f"shard-{number}", "--shard", f"{number}/3")
    stores = [str(folder / f"store-shard-{number}") for number in (1, 2, 3)]
    merged, joined = folder / "reports-merged", folder / "reports-joined"
    common = ("--no-remedies", "--store", str(folder / "store-merged"), "--reports")
    finish(start(folder, "merge", *stores, *common, str(merged)))
    written = [str(folder / f"reports-shard-{number}" / "matrix.json") for number in (1, 2, 3)]
    finish(start(folder, "merge", *written, *common, str(joined)))
    return read(merged), read(joined)


@contextmanager
def bucket(folder: Path) -> Iterator[dict[str, str]]:
    """The variables by which an S3-compatible server on loopback, with an empty bucket `results`, is reached."""
    import botocore.session  # noqa: PLC0415 -- of the extras

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "XDG_CACHE_HOME": str(folder / "cache"),
        # uv's own cache is to stay where it is, warm.
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.1)
            os.environ.update(variables)
            botocore.session.get_session().create_client("s3").create_bucket(Bucket="results")
            yield variables
        finally:
            server.terminate()


def read(reports: Path) -> Any:
    """A report without what differs from run to run."""

    def stripped(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: stripped(one) for name, one in value.items() if name not in LEFT_OUT}
        if isinstance(value, str):
            # What the dynamo exporter writes differs in some bytes each time, and so does its digest in a message's path.
            return re.sub("artifacts/[0-9a-f]+", "artifacts/…", value)
        return [stripped(one) for one in value] if isinstance(value, list) else value

    return stripped(json.loads((reports / "matrix.json").read_text()))


def main() -> None:
    """Do it in every way, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT / ".harness" / "benchmarks", help="on the disk of uv's cache")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        folder = Path(made)
        (folder / "matrix.toml").write_text(MATRIX)
        run(folder, "warm")
        began = time.perf_counter()
        expected = run(folder, "local", "--jobs", "2")
        counts = {status: sum(cell["status"] == status for cell in expected["cells"]) for status in ("works", "fails", "error")}
        print(f"{len(expected['cells'])} cells: {counts}, in this process: {time.perf_counter() - began:.1f} s", flush=True)

        def said(name: str, *reports: Any) -> None:
            nonlocal began
            same = all(report == expected for report in reports)
            print(f"{name}: {'the same report' if same else 'ANOTHER REPORT'}, {time.perf_counter() - began:.1f} s", flush=True)
            began = time.perf_counter()

        began = time.perf_counter()
        said("dask, two workers", run(folder, "dask", "--executor", "dask", "--jobs", "2"))
        said("dask, one of two workers killed half-way", killed(folder))
        said("three shards, merged by store and by matrix.json", *sharded(folder))
        with bucket(folder) as variables:
            began = time.perf_counter()
            said("an S3 server as the store", run(folder, "s3", store="s3://results", **variables))


if __name__ == "__main__":
    main()
