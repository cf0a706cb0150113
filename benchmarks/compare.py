"""Runs the same cells with the same probe in every way, alternating, and writes what each took.

    python benchmarks/compare.py --repeat 3 [--ways naive naive-j2 tox handoff together] [--select EXPR]

naive       the noxfile that one would write first, in sequence
naive-j2    the same under `nox -j 2`
tox         the same in tox with tox-uv, `tox -p 2`
handoff     this harness, exported in one environment and run in another
together    this harness, all four packages in one environment

uv's cache is filled before anything is measured; every harness run starts from an empty store. Verdicts of all ways are
compared cell by cell.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from harness.environments import interpreters
from harness.matrix import load, plan
from harness.matrix.selection import Selection

Verdicts = dict[str, str]


def cells(config: Path, select: list[str]) -> list[dict]:
    """Each cell as a naive script needs it: id, interpreter, requirements."""
    read = load.load(config)
    found = [*interpreters.in_pyenv(), interpreters.running()]
    planned = plan.plan(read, read.axes, Selection.of(select, (), axes=list(read.axes)))
    made = []
    for one in planned:
        python = interpreters.choose(one.cell.python, found)
        if python is None:
            raise SystemExit(f"no CPython {one.cell.python} on this machine")
        needed = plan.requirements(one, read, frozenset(read.variants.exporters))[0].needed
        made.append({"id": one.cell.id, "python": python.path, "requirements": list(needed)})
    return made


def naive(folder: Path, wanted: list[dict], *options: str) -> Verdicts:
    """The naive noxfile."""
    command = [
        sys.executable,
        "-m",
        "nox",
        "-f",
        str(HERE / "naive" / "noxfile.py"),
        "--envdir",
        str(folder / "envs"),
        *options,
    ]
    _run(command, folder, **_files(folder, wanted))
    return _written(folder)


def naive_j2(folder: Path, wanted: list[dict]) -> Verdicts:
    """The same, two sessions at once."""
    return naive(folder, wanted, "-j", "2")


def tox(folder: Path, wanted: list[dict]) -> Verdicts:
    """Two environments at once, in tox with tox-uv."""
    lines = ["[tox]", "skipsdist = true", f"env_list = {', '.join(cell['id'] for cell in wanted)}", ""]
    for cell in wanted:
        lines += [
            f"[testenv:{cell['id']}]",
            f"base_python = {cell['python']}",
            "pass_env = *",
            "deps =",
            *(f"    {requirement}" for requirement in cell["requirements"]),
            f"commands = python -I {HERE / 'naive' / 'probe.py'} {folder / 'out' / cell['id']}.json",
            "",
        ]
    (folder / "tox.ini").write_text("\n".join(lines))
    command = [shutil.which("uv") or "uv", "tool", "run", "--from", "tox", "--with", "tox-uv", "tox", "run-parallel", "-p", "2"]
    _run([*command, "-c", str(folder / "tox.ini"), "--workdir", str(folder / "envs")], folder, **_files(folder, wanted))
    return _written(folder)


def harness(folder: Path, config: Path, select: list[str], environment: str) -> Verdicts:
    """Run this harness from an empty store."""
    text = config.read_text().replace("[axes]", f'setup = "{environment}"\n[axes]', 1)
    (folder / "cells.toml").write_text(text)
    chosen = [word for expression in select for word in ("--select", expression)]
    command = [sys.executable, "-m", "harness", "run", "--quiet", "--no-remedies", "--config", str(folder / "cells.toml")]
    _run([*command, *chosen, "--store", str(folder / "store"), "--reports", str(folder / "reports")], folder)
    report = json.loads((folder / "reports" / "matrix.json").read_text())
    return {cell["id"].removesuffix("-handoff"): _said(cell["variants"][0]) for cell in report["cells"]}


def _files(folder: Path, wanted: list[dict]) -> dict[str, str]:
    (folder / "out").mkdir()
    (folder / "cells.json").write_text(json.dumps(wanted))
    return {"BENCHMARK_CELLS": str(folder / "cells.json"), "BENCHMARK_OUT": str(folder / "out")}


def shell_environment(**variables: str) -> dict[str, str]:
    """As a user's shell has it: bytecode is written, and nothing else steers Python."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**environ, **variables, "PYTHONPATH": str(ROOT)}


def _run(command: list[str], folder: Path, **variables: str) -> None:
    with (folder / "log").open("wb") as log:
        subprocess.run(command, cwd=ROOT, env=shell_environment(**variables), stdout=log, stderr=log, check=False)


def measured_command(arguments: list[str], folder: Path, environ: dict[str, str]) -> tuple[float, float]:
    """(wall seconds, CPU seconds of everything it started) of `python -m harness`; a failure ends the benchmark."""
    before, started = _children_cpu(), time.perf_counter()
    command = [sys.executable, "-m", "harness", *arguments, "--reports", str(folder / "reports")]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"exit code {done.returncode}: {done.stderr}")
    return time.perf_counter() - started, _children_cpu() - before


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _written(folder: Path) -> Verdicts:
    return {path.stem: _said(json.loads(path.read_text())) for path in sorted((folder / "out").glob("*.json"))}


def _said(end: dict) -> str:
    return " ".join(filter(None, (end["status"], end["stage"])))


def measured(way: Callable[[Path], Verdicts], parent: Path) -> tuple[float, float, Verdicts]:
    """(wall seconds, CPU seconds of everything it started, verdicts)."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    before, started = _children_cpu(), time.perf_counter()
    verdicts = way(folder)
    wall, cpu = time.perf_counter() - started, _children_cpu() - before
    shutil.rmtree(folder, ignore_errors=True)
    return wall, cpu, verdicts


def main() -> None:
    """Measure, compare verdicts, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=HERE / "cells.toml")
    parser.add_argument("--select", action="append", default=[])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--ways",
        nargs="+",
        default=["naive", "naive-j2", "tox", "handoff", "together"],
        help="in this order; a quick one may be named several times between the slow ones",
    )
    parser.add_argument("--folder", type=Path, default=ROOT / ".harness" / "benchmarks", help="on the disk of uv's cache")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    wanted = cells(options.config, options.select)
    ways: dict[str, Callable[[Path], Verdicts]] = {
        "naive": lambda folder: naive(folder, wanted),
        "naive-j2": lambda folder: naive_j2(folder, wanted),
        "tox": lambda folder: tox(folder, wanted),
        "handoff": lambda folder: harness(folder, options.config, options.select, "handoff"),
        "together": lambda folder: harness(folder, options.config, options.select, "together"),
    }
    measured(ways["together"], options.folder)  # fills uv's cache
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in options.ways}
    verdicts: dict[str, Verdicts] = {}
    for number in range(options.repeat):
        for way in options.ways:
            wall, cpu, verdicts[way] = measured(ways[way], options.folder)
            if len(verdicts[way]) != len(wanted):
                raise SystemExit(f"{way} came to {len(verdicts[way])} verdicts on {len(wanted)} cells: it measures nothing")
            taken[way].append((wall, cpu))
            print(
                f"{number + 1}/{options.repeat} {way}: {wall:.1f} s, {cpu:.1f} s of CPU, {len(verdicts[way])} verdicts",
                flush=True,
            )
    print(table(taken, len(wanted)))
    first, *others = options.ways
    for way in others:
        differing = {cell for cell in verdicts[first] | verdicts[way] if verdicts[first].get(cell) != verdicts[way].get(cell)}
        print(f"verdicts of {way} and {first}: " + (f"differ in {sorted(differing)}" if differing else "equal in every cell"))


def table(taken: dict[str, list[tuple[float, float]]], count: int) -> str:
    """The medians, and each way's ratio to the naive ones."""
    walls = {way: statistics.median(wall for wall, _ in times) for way, times in taken.items()}
    cpus = {way: statistics.median(cpu for _, cpu in times) for way, times in taken.items()}
    machine = f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB, {platform.platform()}"
    lines = [f"{datetime.now(UTC):%Y-%m-%d}, {machine}, {count} cells, medians", ""]
    lines += ["| way | runs | wall | CPU | naive ÷ this | nox -j 2 ÷ this |", "|---|---|---|---|---|---|"]
    for way, wall in walls.items():
        ratios = [f"{walls[base] / wall:.1f}" if base in walls else "" for base in ("naive", "naive-j2")]
        lines.append(f"| {way} | {len(taken[way])} | {wall:.1f} s | {cpus[way]:.1f} s | {' | '.join(ratios)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
