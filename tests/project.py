"""A user's project on disk: an index of wheels, a matrix.toml, a store and a reports folder; and the harness run on it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import packages
from noted import NOTES, starts_of
from wheels import Wheel

from harness.cli import main

RUNNER = Path(__file__).with_name("run_harness.py")

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
AXES = {"python": [PYTHON], "torch": ["2.1.0"], "transformers": ["4.46.3"], "onnx": ["1.16.2"], "onnxruntime": ["1.16.3"]}
"""One cell, of what `packages.working()` publishes."""

TABLES: dict[str, Any] = {
    "variants": {"exporters": ["torchscript"], "layouts": ["pair"]},
    "run": {"time-limit": "60s", "memory-limit": "2GB"},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What one command gave."""

    code: int
    out: str
    err: str
    seconds: float


class Project:
    """Everything lives under `root`; nothing is shared with another project but uv's cache."""

    sandbox = "off"
    """The value of `--sandbox`; the fixture `confined` has another, and `TEST_SANDBOX=auto pytest …` runs any test so."""
    remedies = False
    """Whether what would mend what fails is tried and told: most tests count what the matrix itself takes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = root / "index"
        self.config = root / "matrix.toml"
        self.store = root / "store"
        self.reports = root / "reports"
        self.notes = root / NOTES
        """What fake packages may write to, whatever confines them."""
        self.index.mkdir(parents=True, exist_ok=True)
        self.notes.mkdir(exist_ok=True)

    def copy(self, root: Path) -> Project:
        """The same project elsewhere, results included: no key depends on where a project lies."""
        shutil.copytree(self.root, root, symlinks=True)
        return Project(root)

    @classmethod
    def working(cls, root: Path) -> Project:
        """One whose index holds one working version of everything, and whose matrix is that one cell."""
        made = cls(root)
        made.publish(*packages.working())
        made.configure()
        return made

    def publish(self, *wheels: Wheel) -> None:
        """Put wheels on the index."""
        for wheel in wheels:
            wheel.write(self.index)

    def publish_source(self, name: str, backend: str) -> None:
        """Put `name` 1.0 on the index without a wheel; `backend` is the source of its build backend."""
        table = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        table += f'[project]\nname = "{name}"\nversion = "1.0"\n'
        with tarfile.open(self.index / f"{name}-1.0.tar.gz", "w:gz") as archive:
            for file, text in {"backend.py": backend, "pyproject.toml": table, "PKG-INFO": metadata}.items():
                entry = tarfile.TarInfo(f"{name}-1.0/{file}")
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))

    def configure(self, axes: Mapping[str, Sequence[str]] | None = None, **tables: Any) -> None:
        """Write matrix.toml: `AXES` and `TABLES` overridden by what is given; `uv` is the local index unless given."""
        sources = {"no-index": True, "find-links": [self.index.name], "torch-backend": "default"}
        self.config.write_text(toml({**TABLES, "uv": sources, **tables, "axes": {**AXES, **(axes or {})}}), encoding="utf-8")

    def main(self, command: str = "run", *arguments: str) -> Answer:
        """Run a command in this process."""
        return printed(command, *self._options(command), *arguments)

    def run(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """`run` that must come to its report; returns the reported cells by id.

        It exits with 0, or with 3 where nothing was observed or the harness itself has failed.
        """
        answer = self.main("run", "--format", "json", *arguments)
        assert answer.code in {0, 3}, answer.err
        cells = {cell["id"]: cell for cell in json.loads(answer.out)["cells"]}
        ends = [variant for cell in cells.values() for variant in cell["variants"]]
        observed = any(one["status"] in {"works", "fails", "flaky"} for one in ends) or not ends
        hindered = any("the harness failed here" in (one["error"] or "") for one in ends)
        assert answer.code == (0 if observed and not hindered else 3), answer.err
        return cells

    @contextlib.contextmanager
    def start(self, command: str, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
        """Run a command in a process of its own; it is killed, if need be, at the end of the block."""
        line = [sys.executable, str(RUNNER), command, *self._options(command), *arguments]
        child = subprocess.Popen(
            line, env={**os.environ, **(environ or {})}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with child:
            try:
                yield child
            finally:
                child.kill()

    def call(self, command: str, *arguments: str, environ: Mapping[str, str] | None = None) -> Answer:
        """Run a command in a process of its own, to its end."""
        started = time.perf_counter()
        with self.start(command, *arguments, environ=environ) as child:
            out, err = child.communicate(timeout=120)
        return Answer(code=child.returncode, out=out, err=err, seconds=time.perf_counter() - started)

    def report(self) -> dict[str, Any]:
        """reports/matrix.json."""
        read: dict[str, Any] = json.loads((self.reports / "matrix.json").read_text(encoding="utf-8"))
        return read

    def cells(self) -> dict[str, dict[str, Any]]:
        """The reported cells by id."""
        return {cell["id"]: cell for cell in self.report()["cells"]}

    def starts(self, kind: str | None = None) -> list[dict[str, Any]]:
        """See `starts`, of this project's store."""
        return starts(self.store, kind)

    def repetitions(self) -> list[dict[str, Any]]:
        """The same of the processes that repeated a failure."""
        return [start for start in _noted(self.store) if _repeats(start)]

    def _options(self, command: str) -> list[str]:
        options = ["--config", str(self.config), "--store", str(self.store)]
        options += ["--reports", str(self.reports)] if command in {"run", "report", "merge", "pin"} else []
        options += ["--sandbox", self.sandbox] if command in {"run", "cell", "check", "bisect", "pin"} else []
        return [*options, "--no-remedies"] if command in {"run", "report", "merge"} and not self.remedies else options


def starts(store: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """What every probe process (of `kind`) noted when it started, oldest first; fork servers only where asked for.

    Without those that repeated a failure.
    """
    noted = [start for start in _noted(store) if not _repeats(start)]
    return [start for start in noted if (start["kind"] != "forkserver" if kind is None else start["kind"] == kind)]


def _noted(store: Path) -> list[dict[str, Any]]:
    log = starts_of(store)
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def _repeats(start: Mapping[str, Any]) -> bool:
    """Whether its bytecode lies in a folder of its own, in <store>/tmp, and not in <store>/bytecode."""
    return Path(start["bytecode"]).parents[1].name == "tmp"


def printed(*arguments: str) -> Answer:
    """A command, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    handler = signal.getsignal(signal.SIGTERM)
    started = time.perf_counter()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(arguments)
            except SystemExit as exit_:  # argparse
                code = int(str(exit_.code or 0))
    finally:
        signal.signal(signal.SIGTERM, handler)
    return Answer(code=code, out=out.getvalue(), err=err.getvalue(), seconds=time.perf_counter() - started)


def harness(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """A command in `folder`, as somebody runs it who has installed the project: exit code, stdout, stderr."""
    environ = {**os.environ, "PYTHONPATH": str(RUNNER.parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "harness", *arguments], cwd=folder, env=environ, check=False, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


def toml(tables: Mapping[str, Any]) -> str:
    """`tables` as TOML; the values used here are written alike in JSON, inline tables apart."""
    plain = [f"{name} = {_value(value)}" for name, value in tables.items() if not _is_table(value)]
    for name, value in tables.items():
        if isinstance(value, Mapping):
            plain += [f"[{name}]", *_lines(value)]
        elif _is_table(value):
            plain += [line for entry in value for line in (f"[[{name}]]", *_lines(entry))]
    return "\n".join(plain) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{json.dumps(name)} = {_value(value)}" for name, value in table.items()]


def _value(value: Any) -> str:
    return "{" + ", ".join(_lines(value)) + "}" if isinstance(value, Mapping) else json.dumps(value)


def wait_until(true: Callable[[], Any], seconds: float = 60.0) -> None:
    """Return as soon as `true()`; fail the test where that does not happen."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
