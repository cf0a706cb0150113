"""Dask's workers on this machine: the same report as without them, also where one of them is killed half-way."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import packages
import psutil
import pytest
from elsewhere import comparable, fresh, kept, several
from project import Project, alive, starts, wait_until

from harness.execution.preparation import opened
from harness.execution.settings import Settings

DASK = ("--executor", "dask", "--jobs", "2")


@pytest.fixture(scope="module", autouse=True)
def _workers() -> Iterator[None]:
    """The fake probe in dask's workers too; they listen on this machine only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD", "dask_worker")
        yield


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Done without dask."""
    root = tmp_path_factory.mktemp("local")
    project = several(root, root / "gate")
    (root / "gate").touch()
    project.run("--jobs", "2")
    assert {cell["status"] for cell in project.cells().values()} == {"works", "fails"}
    return project


@pytest.fixture
def again(local: Project, tmp_path: Path) -> Iterator[Project]:
    """The same project, not run yet, and with the gate shut."""
    pytest.importorskip("distributed")
    gate = local.root / "gate"
    gate.unlink(missing_ok=True)
    yield fresh(local, tmp_path)
    gate.touch()


def waiting(project: Project) -> list[int]:
    """The probes of the onnxruntime that waits for the gate: the runs that are alive when all else is done."""
    # A fork that imports beside an export has the export's log.
    started = [start for start in (*project.starts(), *project.repetitions()) if start["kind"] != "import"]
    alive_now = [start for start in started if alive(start["pid"])]
    done = len(list((project.store / "logs").glob("*.log")))
    return [start["pid"] for start in alive_now] if alive_now and done + len(alive_now) == len(started) else []


def listening(process: psutil.Process) -> set[str]:
    """The addresses where a process can be reached."""
    return {one.laddr.ip for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN}


def seen_from(project: Project, store: Path) -> Project:
    """The project as seen by who keeps his own things in `store`."""
    seen = Project(project.root)
    seen.store = store
    return seen


def start_and_wait(project: Project) -> int:
    """Wait until a probe waits for the gate; its process."""
    wait_until(lambda: len(project.starts("run")) == 3 and len(waiting(project)) == 1, 120)
    return waiting(project)[0]


def test_two_workers_give_the_report_of_none(local, again):
    (local.root / "gate").touch()
    answer = again.call("run", *DASK)
    assert answer.code == 0, answer.err
    assert comparable(again) == comparable(local)
    assert len(again.starts()) == len(local.starts())
    assert kept(again.store) == []
    assert "distributed" not in answer.err


def test_a_worker_that_is_killed_half_way_changes_nothing(local, again):
    with again.start("run", *DASK) as child:
        probe = psutil.Process(start_and_wait(again))
        worker = next(one for one in probe.parents() if listening(one))
        assert worker.pid != child.pid
        assert listening(worker) == listening(psutil.Process(child.pid)) == {"127.0.0.1"}
        worker.send_signal(signal.SIGKILL)
        wait_until(lambda: not alive(probe.pid), 30)
        (local.root / "gate").touch()
        _, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    assert comparable(again) == comparable(local)
    # The worker may have had another task too, an export with its imports at most.
    assert 1 <= len(again.starts()) - len(local.starts()) <= 6
    # What the killed worker left goes with the other one.
    assert kept(again.store) == []


@pytest.mark.parametrize("group", [False, True], ids=["process", "terminal"])
def test_an_interruption_ends_what_runs_elsewhere(again, group):
    with again.start("run", *DASK) as child:
        probe = start_and_wait(again)
        workers = psutil.Process(child.pid).children(recursive=True)
        for process in [*workers, psutil.Process(child.pid)] if group else [psutil.Process(child.pid)]:
            with contextlib.suppress(psutil.NoSuchProcess):  # uv may have ended
                if process.pid == child.pid or "multiprocessing" in " ".join(process.cmdline()):
                    process.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert "partial report" in err
    assert "Traceback" not in err
    assert not alive(probe)
    wait_until(lambda: not any(alive(one.pid) for one in workers), 30)
    statuses = [cell["status"] for cell in again.cells().values()]
    assert {"works", "not-run"} <= set(statuses)
    assert "error" not in statuses


def test_a_worker_that_is_lost_each_time_is_an_error_and_no_verdict(project):
    pytest.importorskip("distributed")
    # The worker may have started what runs it, or who forked that.
    kill = """
        import os, pathlib, signal
        about = pathlib.Path("/proc/self")
        while b"multiprocessing" not in (about / "cmdline").read_bytes():
            about = about.parent / (about / "stat").read_text().rpartition(")")[2].split()[1]
        os.kill(int(about.name), signal.SIGKILL)
    """
    project.publish(packages.onnxruntime("1.17.0", on_run=kill))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    answer = project.call("run", "--executor", "dask", "--jobs", "1")
    assert answer.code == 3, answer.err
    works, lost = project.report()["cells"]
    assert (works["status"], lost["status"]) == ("works", "error")
    assert "each of the 3 workers that took it was lost" in lost["variants"][0]["error"]
    assert len(project.starts("run")) == 1 + 3


def test_the_workers_of_a_scheduler_that_is_there_already(local, again, monkeypatch):
    distributed = pytest.importorskip("distributed")
    (local.root / "gate").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(again.root / "cache"))
    options = {
        "dashboard_address": None,
        "host": "127.0.0.1",
        "memory_limit": None,
        "local_directory": str(again.root / "dask"),
    }
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster:
        answer = again.call("run", "--executor", f"dask:{cluster.scheduler_address}")
        assert answer.code == 0, answer.err
        assert comparable(again) == comparable(local)
        # Environments and work in flight are the workers' own; only results and artifacts are in the shared folder.
        (own,) = (again.root / "cache" / "export-matrix").iterdir()
        assert kept(own) == kept(again.store) == []
        assert len(starts(own)) == len(local.starts())
        assert again.starts() == []
        assert again.call("run").code == 0
        assert again.starts() == []


def test_an_interruption_reaches_the_workers_of_a_scheduler(again, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(again.root / "cache"))
    here = {"dashboard_address": None, "host": "127.0.0.1", "local_directory": str(again.root / "dask")}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=None, **here) as cluster:
        with again.start("run", "--executor", f"dask:{cluster.scheduler_address}") as child:
            wait_until(lambda: list(again.root.glob("cache/export-matrix/*/envs")), 120)
            (own,) = (again.root / "cache" / "export-matrix").iterdir()
            theirs = seen_from(again, own)
            wait_until(lambda: len(theirs.starts("run")) == 3, 120)
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=120)
        assert child.returncode == 130, err
        assert [start["pid"] for start in theirs.starts() if alive(start["pid"])] == []
        assert kept(own) == []
        assert len(cluster.scheduler_info["workers"]) == 2


def test_no_scheduler_there(project, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("harness.execution.executors.dask.CONNECT_SECONDS", 1)
    answer = project.main("run", "--executor", "dask:tcp://127.0.0.1:9")
    assert answer.code == 2
    assert "error: no dask cluster at tcp://127.0.0.1:9" in answer.err


def test_a_stranger_is_not_heard(again):
    """Neither in plain text nor with another certificate, by the scheduler or by a worker."""
    distributed = pytest.importorskip("distributed")
    with again.start("run", *DASK) as child:
        start_and_wait(again)
        run = psutil.Process(child.pid)
        ports = {port for one in (run, *run.children(recursive=True)) for port in ports_of(one)}
        assert len(ports) > 2
        for port in ports:
            assert refuses_without_a_certificate(port) or serves_no_page(port)
        # One of them is the scheduler's.
        for port in ports_of(run):
            for scheme, security in (("tcp", None), ("tls", distributed.Security.temporary())):
                with pytest.raises(OSError, match=r"Timed out|reset|closed|certificate"):
                    distributed.Client(f"{scheme}://127.0.0.1:{port}", security=security, timeout=1, set_as_default=False)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=120)


def ports_of(process: psutil.Process) -> set[int]:
    """Where a process can be reached."""
    with contextlib.suppress(psutil.Error):
        return {one.laddr.port for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN}
    return set()


def refuses_without_a_certificate(port: int) -> bool:
    """Whether that port speaks TLS, and wants a certificate of who connects."""
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    with anyone.wrap_socket(plain, do_handshake_on_connect=False) as wrapped:
        try:
            wrapped.do_handshake()
        except OSError:
            return False
        try:
            return wrapped.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


def serves_no_page(port: int) -> bool:
    """Whether that port speaks HTTP, and has nothing to say."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/health")
        with connection.getresponse() as answer:
            return answer.status == 404


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:8786", "192.0.2.1:8786", "tcp://[2001:db8::1]:8786", "scheduler:8786"])
def test_a_scheduler_that_others_can_reach_is_refused(project, monkeypatch, address):
    pytest.importorskip("distributed")
    answer = project.main("run", "--executor", f"dask:{address}")
    assert answer.code == 2
    assert f"whoever reaches the scheduler at {address} can run code" in answer.err
    assert project.starts() == []


@pytest.mark.parametrize("address", ["tcp://localhost:9", "127.0.0.2:9", "tcp://[::1]:9"])
def test_one_of_this_machine_is_not(project, monkeypatch, address):
    pytest.importorskip("distributed")
    monkeypatch.setattr("harness.execution.executors.dask.CONNECT_SECONDS", 1)
    answer = project.main("run", "--executor", f"dask:{address}")
    assert answer.code == 2
    assert f"no dask cluster at {address}" in answer.err


def test_an_insecure_one_may_be_meant(project, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("harness.execution.executors.dask.CONNECT_SECONDS", 1)
    answer = project.main("run", "--insecure", "--executor", "dask:tcp://scheduler.invalid:9")
    assert answer.code == 2
    assert "no dask cluster at tcp://scheduler.invalid:9" in answer.err


def test_tls_without_certificates_in_dasks_configuration(project, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("harness.execution.executors.dask.CONNECT_SECONDS", 1)
    answer = project.main("run", "--executor", "dask:tls://192.0.2.1:9")
    assert answer.code == 2
    assert "no dask cluster at tls://192.0.2.1:9" in answer.err


@pytest.mark.parametrize("missing", ["distributed", "cryptography"])
def test_dask_is_not_installed(project, monkeypatch, missing):
    for name in ("harness.execution.executors.dask", missing):
        monkeypatch.setitem(sys.modules, name, None)
    answer = project.main("run", "--executor", "dask")
    assert answer.code == 2
    assert "pip install 'export-matrix[dask]'" in answer.err
    assert project.starts() == []


@pytest.mark.parametrize("executor", ["ray", "dask:", "local:2"])
def test_an_executor_that_nobody_knows(project, executor):
    answer = project.main("run", "--executor", executor)
    assert answer.code == 2
    assert "expected local, dask or dask:ADDRESS" in answer.err


def test_a_failure_is_run_once_more_by_a_worker_too(project):
    """What it gives is held back there, and compared here."""
    project.publish(
        packages.onnxruntime(on_load=packages.in_turn(project.notes / "turns", *["raise RuntimeError('by chance')"] * 2))
    )
    (cell,) = project.run(*DASK).values()
    assert cell["variants"][0]["outcomes"] == ["fails at load: by chance", "works"]


def test_what_was_flaky_with_one_worker_must_repeat_more_often_with_another(project):
    no = "raise RuntimeError('by chance')"
    project.publish(packages.onnxruntime(on_run=packages.in_turn(project.notes / "one", no)))
    project.publish(packages.onnxruntime("1.17.0", on_run=packages.in_turn(project.notes / "two", no, no, no)))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    statuses = [cell["variants"][0]["status"] for cell in project.run(*DASK, "--jobs", "1").values()]
    assert statuses == ["flaky", "flaky"]


def test_no_port_is_needed_that_another_cluster_may_have(again, local):
    (local.root / "gate").touch()
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # another test has it
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        answer = again.main("run", *DASK)
    assert (answer.code, "8787" in answer.err) == (0, False), answer.err


def test_in_a_timeline_a_task_is_elsewhere(again, local):
    path = again.root / "run.json"
    (local.root / "gate").touch()
    answer = again.main("run", "--timeline", str(path), *DASK)
    assert answer.code == 0, answer.err
    events = [event for event in json.loads(path.read_text())["traceEvents"] if event["ph"] == "X"]
    assert {event["name"] for event in events if event["cat"] == "stage"} == {"elsewhere"}
    cells = {cell for event in events for cell in event["args"].get("cells", ())}
    assert cells == again.cells().keys()


def test_an_error_of_a_worker_that_is_called_a_timeout_ends_the_wait(project):
    """So Python calls what a network file system says that does not answer."""
    dask = pytest.importorskip("harness.execution.executors.dask", reason="no dask")
    settings = Settings(config=project.config, store=project.store, sandbox="off", executor="dask")
    executor = dask.opened(opened(settings, lambda _event: None).context)
    executor._client = SimpleNamespace(status="running")
    asked = []

    def result(timeout: float) -> None:
        asked.append(timeout)
        assert len(asked) < 9, "it is asked again and again"
        raise TimeoutError("the file system")

    future = SimpleNamespace(status="error", result=result, exception=lambda: TimeoutError("the file system"))
    with pytest.raises(TimeoutError, match="the file system"):
        executor._received(future)
