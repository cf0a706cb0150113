"""The runner of a job that a fork of a server does: the fork starts it, and it ends with the fork."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("numpy")

from project import alive, wait_until
from runner_jobs import FAKE, artifact, job

import harness.probe
from harness.execution.process.fork_server import Forked, ForkServer
from harness.execution.process.probe_process import JOB, run_probe
from harness.hashing import digest
from harness.model import Limits
from harness.store.store import Store
from harness.subprocesses import Supervisor
from harness.tasks import keys
from harness.tasks.interface import ProbeOutput

LIMITS = Limits(seconds=300, memory=2**32)
PYTHON = Path(sys.executable)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="nothing is forked on other systems")


@pytest.fixture(autouse=True)
def _the_real_probe(monkeypatch):
    monkeypatch.setattr(keys, "PROBE", Path(harness.probe.__file__).parent / "__main__.py")


@pytest.fixture
def probe_job(tmp_path) -> dict[str, Any]:
    """A job that runs one graph."""
    return job(tmp_path, [], [artifact(tmp_path / "v")], "ortvalue")


class Forking:
    """A server that has imported numpy, and the forks that it has made."""

    def __init__(self, store: Store, supervisor: Supervisor, job: dict[str, Any]) -> None:
        self._store, self._supervisor, self._job = store, supervisor, job
        self._server = ForkServer(supervisor=supervisor, store=store)
        server_job = {
            "kind": "forkserver", "of": "run", "runtime": job["runtime"],
            "imports": ["numpy"], "others": [], "probe": job["probe"], "confined": None,
        }  # fmt: skip
        assert self._server.start(PYTHON, server_job, LIMITS)
        self.forks: list[Forked] = []

    def close(self) -> None:
        self._server.close()

    def run(self, **changed: Any) -> ProbeOutput:
        """What a fork makes of the job."""

        def fork(environ: Any, folder: Path, log: Path, stdin: int) -> Forked | None:
            asked = {
                "job": str(folder / JOB),
                "folder": str(folder),
                "environ": environ,
                "python": sys.executable,
                "others": [],
            }
            made = self._server.fork(log=log, stdin=stdin, writes=[], confined=None, **asked)
            assert made
            self.forks.append(made)
            return made

        with self._store.scratch() as folder, self._store.temporary() as temporary, self._store.scratch() as kept:
            return run_probe(
                PYTHON, {**self._job, **changed}, folder=folder, temporary=temporary, output=kept / "output.log",
                log=self._store.log(digest(["job"])), store=self._store.root, limits=LIMITS, supervisor=self._supervisor,
                on_stage=self.on_stage, fork=fork,
            )  # fmt: skip

    def on_stage(self, stage: str, subject: str | None) -> None:
        """What happens when a stage begins."""


@pytest.fixture
def forking(tmp_path, probe_job) -> Iterator[Forking]:
    found = Forking(Store(tmp_path / "store"), Supervisor(), probe_job)
    yield found
    found.close()


def test_each_fork_has_a_runner_of_its_own_and_leaves_none(forking, tmp_path):
    named = [*FAKE, "", "", str(tmp_path)]
    outputs = [forking.run(runner=named) for _ in range(2)]
    assert [[result.status for result in output.results["v"]] for output in outputs] == [["works"] * 3] * 2
    assert len({fork.pid for fork in forking.forks}) == 2
    assert not [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == named]


def test_a_runner_that_waits_dies_with_its_fork(forking, monkeypatch):
    """The fork is killed while its runner hangs, as a time limit does it."""
    found = []

    def kill(stage: str, _: str | None) -> None:
        if stage == "import":
            fork = psutil.Process(forking.forks[-1].pid)
            wait_until(lambda: bool(fork.children()))
            found.extend(fork.children())
            fork.kill()

    monkeypatch.setattr(forking, "on_stage", kill)
    output = forking.run(runner=[*FAKE, "hang", "hello"])
    assert [(result.stage, result.status) for result in output.results[None]] == [("import", "error")]
    wait_until(lambda: not alive(found[0].pid))
