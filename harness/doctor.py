"""What this machine has for a run, checked without running anything: each check ends well, or says what to do."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness import machine, quantities, regular_files
from harness.environments import providers
from harness.environments.interface import PackageProvider, ProviderFailure
from harness.environments.sources import Pythons, downloads_refused
from harness.environments.uv import variables
from harness.environments.uv.client import Uv
from harness.errors import HarnessError
from harness.execution.cell_lists import client
from harness.execution.process import sandbox
from harness.execution.settings import Settings
from harness.matrix import load
from harness.matrix.schema import Matrix
from harness.model import Interpreter
from harness.stack import PROGRAMS
from harness.store import scratch
from harness.store.envelope import LIMIT, DamagedRecordError, opened
from harness.subprocesses import Supervisor

_TORCH = 5 * 10**9
"""Bytes of a torch with CUDA in uv's cache, unpacked."""
_PROBE = 10**9
"""Bytes of a probe process with torch and a tiny model; see tasks/memory_need.py."""
_RECORDS = 2_000
"""Records that are verified, the newest first."""
_GB = 10**9


class Outcome(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """A run works, with less than it could have."""
    PROBLEM = "problem"
    """A run ends in an error, or proves little."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthCheck:
    """One thing that a run needs."""

    name: str
    outcome: Outcome
    found: str
    mend: str | None = None
    """What to do; None if it is well."""


def checks(settings: Settings) -> list[HealthCheck]:
    """All checks, in the order in which a run meets them; those that wait for others run side by side."""
    parts = [_platform(), _python(), *_matrix(settings)]
    problem = any(check.outcome is Outcome.PROBLEM for check in parts)
    lazy: list[Callable[[], list[HealthCheck]]] = [
        lambda: [_sandbox(), _memory()],
        lambda: _disk(settings),
        lambda: [_store(settings)],
    ]
    if not problem:
        lazy.insert(0, lambda: _environments(settings))
    with ThreadPoolExecutor(len(lazy)) as pool:
        return [*parts, *(check for found in pool.map(lambda part: part(), lazy) for check in found)]


def _check(name: str, found: str, problem: Outcome | None = None, mend: str | None = None) -> HealthCheck:
    return HealthCheck(name=name, outcome=problem or Outcome.OK, found=found, mend=mend if problem else None)


def _platform() -> HealthCheck:
    found = f"{platform.system()} {platform.machine()}"
    measured = found == "Linux x86_64"
    return _check(
        "platform", found, None if measured else Outcome.WARNING, "published reports are of Linux x86_64: run your own"
    )


def _python() -> HealthCheck:
    return _check("python", f"CPython {platform.python_version()} runs the harness")


def _matrix(settings: Settings) -> Iterator[HealthCheck]:
    try:
        config = load.load(settings.config)
    except HarnessError as error:
        yield _check(
            "matrix",
            str(error),
            Outcome.PROBLEM,
            "name another file with --config, or correct this one; docs/matrix-keys.md explains every key",
        )
        return
    axes = ", ".join(f"{len(values)} {name}" for name, values in config.axes.items())
    yield _check("matrix", f"{settings.config}: {axes}")


def _environments(settings: Settings) -> list[HealthCheck]:
    """What concerns uv: its version, interpreters, and the two places that packages come from."""
    config = load.load(settings.config)
    try:
        uv = client(settings, config, Supervisor(), offline=settings.offline)
        version = subprocess.run([uv.binary, "--version"], check=True, capture_output=True, text=True).stdout.strip()
        pythons = Pythons(uv)
        refused = downloads_refused(config.run.python_downloads, offline=settings.offline or variables.offline())
        present = pythons.present(config.axes["python"])
        packages = providers.opened(providers.kinds(config.axes), uv.children, scratch.temporary, offline=settings.offline)
    except (HarnessError, ProviderFailure, OSError, subprocess.SubprocessError) as error:
        return [_check("uv", str(error), Outcome.PROBLEM, f"{sys.executable} -m pip install uv")]
    found = [_check("uv", version), *(_interpreter(version, pythons, refused) for version in config.axes["python"])]
    found += [_packages(kind, each) for kind, each in packages.items()]
    return found if not present else [*found, *_indexes(uv, config, present[0])]


def _packages(kind: str, provider: PackageProvider) -> HealthCheck:
    """What runs packages that are no distributions of Python, such as node."""
    name = f"{PROGRAMS[kind]} and {kind}"
    if program := provider.program():
        return _check(name, program.version)
    found, _, mend = provider.why_missing().partition("; ")
    return _check(name, found, Outcome.PROBLEM, f"{mend}; without it the cells of its runtime are not run")


def _interpreter(version: str, pythons: Pythons, refused: str | None) -> HealthCheck:
    """`refused` is what keeps uv from installing interpreters, None if nothing does."""
    name, python = f"CPython {version}", pythons.find(version)
    if python:
        return _check(name, python.version)
    if not refused:
        return _check(name, "not on this machine", Outcome.WARNING, "nothing: a run has uv download and install it")
    mend = f"uv python install {version}; without it its cells are not run"
    return _check(name, "not on this machine", Outcome.PROBLEM, mend)


def _indexes(uv: Uv, config: Matrix, python: Interpreter) -> Iterator[HealthCheck]:
    with ThreadPoolExecutor(2) as pool:
        index = pool.submit(uv.indexes_answer, python)
        torch = pool.submit(uv.cpu_builds_answer, python)
        answers, own = index.result(), torch.result()
    mend = "check the network, proxies and [uv] in the matrix; what is known is reported without it (--offline)"
    yield _check("index", "answers" if answers else "no answer within 2 s", None if answers else Outcome.PROBLEM, mend)
    setting = config.uv.torch_backend
    if setting != "auto":
        yield _check("torch", f"from {setting}, as [uv] torch-backend says")
        return
    mend = f"torch comes with CUDA, {quantities.text(_TORCH)} each in uv's cache; [uv] torch-backend and find-links name others"
    found = "CPU builds from PyTorch's own index" if own else "from the default index; PyTorch's own gave no answer within 2 s"
    yield _check("torch", found, None if own else Outcome.WARNING, mend)


def _sandbox() -> HealthCheck:
    """What keeps probes from files, the network and processes."""
    found = sandbox.offered()
    if not found.gaps:
        return _check("sandbox", found.words)
    text = f"{found.words}: {'; '.join(found.gaps)}" + (f"; no namespaces: {found.reason}" if found.reason else "")
    return _check("sandbox", text, Outcome.WARNING, "run packages that you do not trust in a container; docs/security.md")


def _memory() -> HealthCheck:
    cores, memory = machine.cores(), machine.memory()
    jobs = min(cores, int(memory / _PROBE))
    text = f"{cores} cores, {quantities.text(memory)} available: {jobs} probes at once"
    return _check("memory", text, None if jobs else Outcome.PROBLEM, f"a probe with torch needs {quantities.text(_PROBE)}")


def _disk(settings: Settings) -> list[HealthCheck]:
    cache = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")
    places = {"store": settings.store, "uv's cache": cache}
    return [_room(name, place) for name, place in places.items() if isinstance(place, Path)]


def _room(name: str, place: Path) -> HealthCheck:
    existing = next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
    if not os.access(existing, os.W_OK):
        return _check(
            f"disk of {name}", f"{existing} cannot be written", Outcome.PROBLEM, "name another with --store or UV_CACHE_DIR"
        )
    free = shutil.disk_usage(existing).free
    mend = f"free some: a torch with CUDA takes {quantities.text(_TORCH)} in uv's cache (uv cache prune)"
    return _check(
        f"disk of {name}", f"{quantities.text(free)} free in {existing}", Outcome.WARNING if free < 2 * _TORCH else None, mend
    )


def _store(settings: Settings) -> HealthCheck:
    if isinstance(settings.store, Path) and settings.store.exists() and not settings.store.is_dir():
        return _check("store", f"{settings.store} is not a folder", Outcome.PROBLEM, "name another with --store")
    if not isinstance(settings.store, Path) or not settings.store.is_dir():
        return _check("store", f"{settings.store} holds nothing yet")
    paths = sorted((settings.store / "results").rglob("*.json"), key=lambda path: path.lstat().st_mtime, reverse=True)
    damaged = [path.name for path in paths[:_RECORDS] if not _verifies(path)]
    text = f"{len(paths)} records, {min(len(paths), _RECORDS)} verified"
    mend = "nothing: they count as absent, and a run makes them again"
    return _check("store", f"{text}, {len(damaged)} damaged" if damaged else text, Outcome.WARNING if damaged else None, mend)


def _verifies(path: Path) -> bool:
    try:
        opened(path.stem, regular_files.read(path, limit=LIMIT))
    except (DamagedRecordError, OSError, regular_files.RefusedFileError):
        return False
    return True
