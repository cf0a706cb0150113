"""A matrix of 10,000 cells on fake wheels: what planning and reporting cost when there is nothing to run.

    python benchmarks/synthetic.py [--versions 10]

The wheels are empty, and so are the results: every task is recorded as if it had worked, or, for every seventh
onnxruntime, failed by the format gate. What is measured is the harness alone: `plan` with an empty store (uv solves every
cell once), `plan` again, and a `run` that has nothing to do; each in a process of its own, wall seconds and peak memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from packages import helpers, package

from harness.execution.once_more import second_key
from harness.execution.preparation import opened
from harness.execution.session import Session
from harness.execution.settings import Settings
from harness.model import Failure, Stage, StageResult, Status
from harness.tasks.cell_tasks import CellTasks
from harness.tasks.further_export import again_key

AXES = {"torch": "2", "transformers": "4", "onnx": "1", "onnxruntime": "1"}
"""Distribution → major version of all its fake releases."""


def write(folder: Path, count: int) -> None:
    """An index of `count` versions of each package, and a matrix of all combinations."""
    (folder / "index").mkdir()
    requires = {"torch": ("sympy", "numpy"), "transformers": ("tokenizers",), "onnxruntime": ("flatbuffers", "numpy")}
    for wheel in helpers():
        wheel.write(folder / "index")
    versions = {name: [f"{major}.{number}.0" for number in range(count)] for name, major in AXES.items()}
    for name, listed in versions.items():
        for version in listed:
            package(name, version, requires=requires.get(name, ())).write(folder / "index")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    axes = "\n".join(f"{name} = {listed}" for name, listed in {"python": [python], **versions}.items())
    (folder / "matrix.toml").write_text(
        f"[axes]\n{axes}\n[variants]\nexporters = ['torchscript']\nlayouts = ['pair']\n"
        "[uv]\nno-index = true\nfind-links = ['index']\ntorch-backend = 'default'\n"
    )


def record(session: Session) -> None:
    """As if every task had been done."""
    facts, done = session.records, set[str]()

    def put(key: str, *results: StageResult, **extra: str) -> None:
        if key not in done:
            done.add(key)
            facts.put(key, results, **extra)

    def works(*stages: Stage) -> list[StageResult]:
        return [StageResult(stage=stage, status=Status.WORKS, seconds=0.1, finished=1.0) for stage in stages]

    for cell in session.tasks:
        _record(cell, put, works)


def _record(cell: CellTasks, put, works) -> None:  # noqa: ANN001 -- the two above
    for install in cell.installs:
        put(install.key, *works(Stage.INSTALL))
    put(cell.export.key, *works(Stage.IMPORT, Stage.EAGER))
    if cell.together:
        put(cell.together.key, *works(Stage.IMPORT))
    put(cell.run.key, *works(Stage.IMPORT))
    version = cell.resolved.cell.version("onnxruntime") or ""
    for variant in cell.run.variants:
        artifact = cell.export.variant_key(variant)
        put(artifact, *works(Stage.EXPORT, Stage.CHECK), artifact=artifact)
        ends = works(Stage.LOAD, Stage.DECODE, Stage.PARITY)
        if int(version.split(".")[1]) % 7 == 6:
            # One that explains itself: for any other, more runtimes and other models would be asked, by running the fakes;
            # and so would be what mends it, hence --no-remedies.
            message = "Unsupported model IR version: 9, max supported IR version: 8"
            told = {"ir": 9, "findings": [{"rule": "ir-above-runtime", "message": message}]}
            failure = Failure(type="RuntimeError", message=message)
            ends = [StageResult(stage=Stage.LOAD, status=Status.FAILS, error=failure, data=told, finished=1.0)]
            put(again_key(artifact, 1), *works(Stage.EXPORT, Stage.CHECK), artifact=artifact)
            put(second_key(cell.run.variant_key(variant, artifact)), *ends)
        put(cell.run.variant_key(variant, artifact), *ends)


def measured(name: str, folder: Path, *arguments: str) -> None:
    """Print what `python -m harness` took."""
    command = [sys.executable, "-m", "harness", *arguments, "--quiet", "--config", str(folder / "matrix.toml")]
    started = time.perf_counter()
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        child = subprocess.Popen(
            [*command, "--store", str(folder / "store")],
            stdout=out,
            stderr=err,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""},
        )
        _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{name}: exit status {status}\n{(folder / 'err').read_text()}")
    print(f"{name}: {time.perf_counter() - started:.1f} s, {used.ru_maxrss / 1000:.0f} MB", flush=True)


def main() -> None:
    """Make it, fill it, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=10, help="of each of the four packages")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        folder = Path(made)
        write(folder, options.versions)
        print(f"{options.versions ** len(AXES)} cells, {os.cpu_count()} cores")
        measured("plan, nothing known", folder, "plan")
        record(opened(Settings(config=folder / "matrix.toml", store=folder / "store"), lambda _event: None))
        for _ in range(3):
            measured("plan, all known", folder, "plan")
            measured("run, all known", folder, "run", "--no-remedies", "--reports", str(folder / "reports"))
        if ran := len(list((folder / "store" / "logs").glob("*.log"))):
            raise SystemExit(f"{ran} processes were run: it was not all known")


if __name__ == "__main__":
    main()
