"""Many machines: dask carries tasks to remote workers (remote_worker.py), one in each of its worker processes.

dask notices a lost worker and gives its tasks to another; a task that is lost more than `RETRIES` times is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import math
import signal
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import cryptography  # noqa: F401 -- without it distributed makes no certificates: said before any work is done
import dask
import distributed

from harness import disk_space, machine
from harness.errors import HarnessError, OtherStoreError
from harness.execution.executors import local
from harness.execution.executors.interface import RunContext
from harness.execution.executors.remote_worker import RemoteWorker, RunConfig, TaskRequest, TaskResult, run_config, task_request
from harness.execution.scheduler import INSTALLS
from harness.tasks import harness_failure
from harness.tasks.interface import Parts, Task

RETRIES = 2
"""How often a task is tried again if its worker was lost, or could not run it."""

CONNECT_SECONDS = 30

LOOK_SECONDS = 5
"""How often a waiting thread looks whether there is still a scheduler."""


_ENCRYPTED = ("tls", "wss")
"""Schemes of addresses at which both ends show a certificate, by distributed's own configuration."""


def opened(context: RunContext) -> Dask:
    """An executor over the cluster that the options name, or over one of this machine.

    Raises:
        HarnessError: others can reach that cluster, and `--insecure` does not allow it.
    """
    made = Dask(context)
    if not (made.encrypted or context.settings.insecure or _is_here(made.address)):
        raise HarnessError(
            f"whoever reaches the scheduler at {made.address} can run code on its workers and on this machine: use tls://, "
            "with the certificates in dask's configuration (distributed.comm.tls), or --insecure in a network that is all yours"
        )
    return made


def _is_here(address: str) -> bool:
    """Whether other machines cannot reach that address."""
    host = _parts(address).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _parts(address: str) -> SplitResult:
    try:
        return urlsplit(address if "://" in address else f"tcp://{address}")
    except ValueError as error:
        raise HarnessError(f"no dask cluster at {address}: {error}") from None


class Dask:
    """Runs tasks in dask's workers. Connects, or starts the cluster, when there is something to do."""

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._settings = run.settings
        self._name = f"export-matrix-{uuid.uuid4().hex}"
        self._client: distributed.Client | None = None
        self._threads: dict[str, int] = {}
        self._flying: set[distributed.Future | None] = set()
        self._guard = threading.Lock()
        self._open = contextlib.ExitStack()

    def lanes(self, requested: int | str) -> tuple[int, int]:
        """As this machine carries in a cluster of its own; a probe for each thread in another cluster."""
        if self._client is None:
            self._client = self._connected(local.jobs(requested))
        try:
            self._threads = self._client.nthreads()
        except Exception:
            # Without a scheduler, what is sent becomes an error, and the run goes on to its report.
            if not self._threads:
                raise
        threads = self._threads
        probes = requested if isinstance(requested, int) else sum(threads.values()) if self.address else local.jobs(requested)
        return probes, INSTALLS * len({urlsplit(address).hostname for address in threads})

    def memory(self) -> float:
        """Of this machine for a cluster of its own; other workers limit their memory themselves."""
        return math.inf if self.address else machine.memory()

    def perform(self, task: Task, on_stage: Callable[[str], None]) -> None:
        """Send `task` to a worker, and take over its results.

        Raises:
            InterruptedError: the run is being stopped.
            OtherStoreError: the worker has another store.
        """
        on_stage("elsewhere")
        future = None
        try:
            future = self._send(task_request(task, self._run.records))
            result = self._received(future)
            self._run.records.repeated.learn(result.repeated)
            self._run.records.learn(result.passing, result.stored)
        except (Exception, CancelledError, asyncio.CancelledError) as error:
            self._run.supervisor.check()
            if disk_space.is_full(error) or isinstance(error, OtherStoreError):
                raise
            harness_failure.record(task, self._run.records, _lost(error))
        finally:
            with self._guard:
                self._flying.discard(future)

    def _send(self, request: TaskRequest) -> distributed.Future:
        assert self._client is not None
        with self._guard:
            self._run.supervisor.check()
            key = f"{request.task.label} {uuid.uuid4().hex}"
            future = self._client.submit(_perform, self._name, request, key=key, retries=RETRIES)
            self._flying.add(future)
            return future

    def _received(self, future: distributed.Future) -> TaskResult:
        assert self._client is not None
        while True:
            try:
                result: TaskResult = future.result(timeout=LOOK_SECONDS)
            except TimeoutError:
                if future.status == "error":  # it is the task's own
                    raise future.exception() from None
                # dask never ends what was sent while it tried in vain to find a lost scheduler again.
                if self._client.status in {"closing", "closed"}:
                    raise RuntimeError("dask's scheduler was lost") from None
            else:
                return result

    def release(self, parts: Parts) -> None:
        """Tell all workers; the last one on a machine removes the environment."""
        # If the scheduler is gone, so are they. What was sent is an error by now, and the run goes on to its report.
        with contextlib.suppress(Exception):
            if self._client is not None:
                self._client.run(_release, self._name, parts, on_error="ignore")

    def stop(self) -> None:
        """Cancel what has been sent; `close` ends what runs."""
        self._run.supervisor.stop()
        with self._guard:
            if self._client is not None and self._flying:
                self._client.cancel(list(self._flying), force=True)

    def close(self, *, keep: bool) -> None:  # noqa: ARG002 -- it is in the configuration
        """Release the workers; a cluster of this run ends."""
        with contextlib.suppress(Exception):  # as in `release`
            if self._client is not None:
                self._client.unregister_worker_plugin(self._name)
        with contextlib.suppress(Exception):
            self._open.close()

    @property
    def address(self) -> str:
        """Of the scheduler; empty for a cluster of this machine."""
        return self._settings.executor.partition(":")[2]

    @property
    def encrypted(self) -> bool:
        """Whether nobody else can read what is sent, or answer it."""
        return not self.address or _parts(self.address).scheme in _ENCRYPTED

    def _connected(self, jobs: int) -> distributed.Client:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        try:
            client = self._open.enter_context(self._connect(jobs))
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except (OSError, TimeoutError, ValueError, TypeError) as error:  # TypeError: without certificates
            raise HarnessError(f"no dask cluster at {self.address or 'this machine'}: {error}") from None
        config = run_config(self._run, self._store(), secrets=self.encrypted)
        try:
            client.register_plugin(_WorkerPlugin(config, own=not self.address), name=self._name)
        except Exception as error:  # noqa: BLE001 -- whatever it is that they lack
            raise HarnessError(f"the workers need the same export-matrix as this machine: {error}") from None
        return client

    def _connect(self, jobs: int) -> distributed.Client:
        if self.address:
            return distributed.Client(self.address, timeout=CONNECT_SECONDS, set_as_default=False)
        scratch = self._open.enter_context(self._run.store.scratch())
        # Pages about the tasks, which anybody on this machine could read, are not served.
        silent: dict[str, list[str]] = {f"distributed.{one}.http.routes": [] for one in ("scheduler", "worker")}
        with dask.config.set({"distributed.scheduler.allowed-failures": RETRIES, **silent}):
            cluster = self._open.enter_context(
                distributed.LocalCluster(
                    n_workers=jobs,
                    # One for its probe, one for an install: that takes no probe's place.
                    threads_per_worker=2,
                    processes=True,
                    host="127.0.0.1",
                    # Other users of this machine reach it too: only who holds this certificate is heard.
                    security=distributed.Security.temporary(),
                    # None is a port that dask chose for all, and complains of if somebody has it.
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                    # Probes have limits of their own; a worker itself needs little.
                    memory_limit=None,
                    local_directory=str(scratch),
                    silence_logs=logging.CRITICAL,
                )
            )
        return distributed.Client(cluster, set_as_default=False)

    def _store(self) -> Path | str:
        """The store as the workers see it. On other machines environments must not lie in a shared folder."""
        place = self._settings.store
        if isinstance(place, str) or not self.address:
            return place if isinstance(place, str) else self._run.store.root
        return f"file://{self._run.store.root}"


class _WorkerPlugin(distributed.WorkerPlugin):
    """The remote worker of a worker process, made on first use; it ends with the run, or with the process."""

    def __init__(self, config: RunConfig, *, own: bool) -> None:
        self._config = config
        self._own = own

    def setup(self, worker: Any) -> None:  # noqa: ARG002 -- dask's signature
        """Called in each worker, also in one that joins later."""
        if self._own:
            # Ctrl-C in a terminal reaches all its processes; the one that started the workers ends them.
            signal.signal(signal.SIGINT, lambda _number, _frame: None)
        self._making = threading.Lock()
        self.made: RemoteWorker | None = None
        self._over = False

    async def teardown(self, worker: Any) -> None:  # noqa: ARG002 -- dask's signature
        """Called when the run is over, or the worker is to end: what runs here ends."""
        self._over = True
        if self.made is not None:
            # Removing files takes a while, and a worker that does not answer for that time counts as lost.
            await asyncio.to_thread(self.made.close)

    def remote_worker(self) -> RemoteWorker:
        """The remote worker of this process."""
        with self._making:
            if self._over:
                raise InterruptedError("the run is over")
            if self.made is None:
                self.made = RemoteWorker(self._config)
            return self.made


def _perform(name: str, request: TaskRequest) -> TaskResult:
    plugin: _WorkerPlugin = distributed.get_worker().plugins[name]
    return plugin.remote_worker().perform(request)


def _release(name: str, parts: Parts, dask_worker: Any) -> None:
    plugin: _WorkerPlugin = dask_worker.plugins[name]
    if plugin.made is not None:
        plugin.made.release(parts)


def _lost(error: BaseException) -> Exception:
    """The error of a task that no worker has finished."""
    if isinstance(error, distributed.KilledWorker):
        return RuntimeError(f"each of the {RETRIES + 1} workers that took it was lost")
    return error if isinstance(error, Exception) else RuntimeError(f"dask gave it up: {error or type(error).__name__}")
