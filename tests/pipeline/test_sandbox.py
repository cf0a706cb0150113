"""What a hostile package gets, with and without the sandbox; and that a refusal is never a fact about versions."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import packages
import psutil
import pytest
from project import AXES, Project, alive, wait_until

from harness import subprocesses
from harness.execution.process import probe_process, probe_results, sandbox
from harness.execution.process.sandbox import Sandbox

pytestmark = [
    pytest.mark.usefixtures("installed_once"),
    pytest.mark.skipif(sandbox.offered().gaps != [], reason=f"this machine does not offer all: {sandbox.offered().gaps}"),
]

MAY = "the sandbox may have refused it: --sandbox off tries it without"
LIMITS = {"time-limit": "60s", "memory-limit": "300MB", "disk-limit": "20MB"}
EVENT = b'{"event": "doing", "stage": "decode", "subject": null, "doing": "x"}\\n'
BASE = {axis: versions[0] for axis, versions in AXES.items()}


class Victims:
    """What attacks are aimed at, outside of what a probe may touch."""

    def __init__(self, project: Project) -> None:
        self.outside = project.root / "outside"
        self.secret = project.root / "secret"
        self.secret.write_text("a password")
        self.record = project.store / "results" / "00" / "planted.json"
        self.record.parent.mkdir(parents=True, exist_ok=True)
        self.bytecode = project.store / "bytecode" / "planted.pyc"
        self.bytecode.parent.mkdir(exist_ok=True)
        self.process = subprocess.Popen(["sleep", "600"])
        self.daemon = f"{6543210 + self.process.pid}"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.close()
                self.connections += 1

    def close(self) -> None:
        self.listener.close()
        self.process.kill()
        self.process.wait()

    def attacks(self) -> dict[str, str]:
        """What runs while an artifact is decoded: name → source."""
        port, pid = self.listener.getsockname()[1], self.process.pid
        return {
            "socket": f"import socket; socket.create_connection(('127.0.0.1', {port}), 5).close()",
            "resolver": "import socket; socket.getaddrinfo('example.org', 80)",
            "write outside": f"open({str(self.outside)!r}, 'w').close()",
            "read home": f"open({str(self.secret)!r}).read()",
            "rewrite the store": f"open({str(self.record)!r}, 'w').close()",
            "plant bytecode": f"open({str(self.bytecode)!r}, 'w').close()",
            "end a process": f"import os; os.kill({pid}, 9)",
            "see processes": f"import os\nif not os.path.exists('/proc/{pid}/cmdline'): raise RuntimeError('not seen')",
            "write to /tmp": f"open('/tmp/planted-{pid}', 'w').close()",
            "events": f"import json, os, sys, time\nwith open(json.load(open(sys.argv[1]))['events'], 'ab') as file:\n"
            f"    for _ in range(600): file.write({EVENT!r}.replace(b'\\\\n', b'\\n'))\ntime.sleep(600)",
            "fork bomb": "import os, time\nfor _ in range(60):\n    if os.fork() == 0: break\ntime.sleep(600)",
            "memory": packages.HOARD,
            "temporary files": "import os, time; open(os.environ['TMPDIR'] + '/x', 'wb').write(bytes(3 << 23)); time.sleep(9)",
            "one large file": "import os; open(os.environ['TMPDIR'] + '/x', 'wb').write(bytes(10**8))",
            "log": "import os\nfor _ in range(40): os.write(1, bytes(1_000_000))",
            "daemon": "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
            f"        os.execve('/bin/sleep', ['sleep', '{self.daemon}'], {{}})\n    os._exit(0)\nos.wait()",
        }


TABLE = {
    # attack: (status, words of the error) with the sandbox, and without
    "socket": (("error", "Connection refused"), ("works", None)),
    "resolver": (("error", MAY), None),
    "write outside": (("error", MAY), ("works", None)),
    "read home": (("error", MAY), ("works", None)),
    "rewrite the store": (("error", MAY), ("works", None)),
    "plant bytecode": (("error", MAY), ("works", None)),
    "end a process": (("error", MAY), ("works", None)),
    "see processes": (("fails", "not seen"), ("works", None)),
    "write to /tmp": (None, ("works", None)),
    "events": (("error", "more than 500 events"), ("error", "more than 500 events")),
    "fork bomb": (("error", "more than 30 processes in decode"), ("error", "more than 30 processes in decode")),
    "memory": (("error", "more than 0.3 GB resident in decode"), ("error", "more than 0.3 GB resident in decode")),
    "temporary files": (("error", "more than 20 MB of files in decode"), ("error", "more than 20 MB of files in decode")),
    # Killed for it, or refused by the kernel at twice the limit, whichever comes first.
    "one large file": (("error", ""), ("error", "")),
    "log": (("works", None), ("works", None)),
    "daemon": (("works", None), ("works", None)),
    "artifact": (("error", "more than 20 MB of files"), ("error", "more than 20 MB of files")),
    "while imported": (("works", None), ("works", None)),
    "before all imports": (("works", None), ("works", None)),
}
ARTIFACT = "open(path + '.data', 'wb').write(bytes(30_000_000))"


def quietly(source: str) -> str:
    """`source` as an import runs that hides what became of it."""
    return f"try:\n    {source}\nexcept OSError: pass"


@pytest.fixture(scope="module", params=["auto", "off"])
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, ...]]:
    """One run, confined or not: an onnxruntime for each attack, and a torch for those that happen elsewhere."""
    project = Project(tmp_path_factory.mktemp("attacked"))
    project.sandbox = request.param
    victims = Victims(project)
    attacks = victims.attacks()
    hostile = {
        name: packages.onnxruntime(f"1.99.{number}", on_run=source) for number, (name, source) in enumerate(attacks.items())
    }
    hostile["artifact"] = packages.torch("2.2.0", on_export=ARTIFACT)
    hostile["while imported"] = packages.torch("2.2.1", on_import=quietly(f"open('{victims.outside}-import', 'w').close()"))
    startup = packages.torch("2.2.2")
    startup.files["startup.pth"] = f"import os; os.system('touch {victims.outside}-startup 2>/dev/null')\n"  # type: ignore[index]
    hostile["before all imports"] = startup
    project.publish(*packages.working(), *hostile.values())
    project.configure(include=[{**BASE, wheel.name: wheel.version} for wheel in hostile.values()], run=LIMITS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe_process, "_EVENTS", 500)
        for module in (subprocesses, probe_results):
            patch.setattr(module, "PROCESSES", 30)
        cells = list(project.run("--jobs", "2").values())
    ends = {name: next(cell for cell in cells if cell["pins"][wheel.name] == wheel.version) for name, wheel in hostile.items()}
    yield request.param, project, victims, ends
    victims.close()
    Path(f"/tmp/planted-{victims.process.pid}").unlink(missing_ok=True)


@pytest.mark.parametrize("attack", TABLE)
def test_each_attack_has_its_answer(attacked, attack):
    mode, _, _, ends = attacked
    expected = TABLE[attack][mode == "off"]
    if expected is not None:  # it depends on the machine, and on whether the store lies in /tmp
        status, words = expected
        (variant,) = ends[attack]["variants"]
        assert variant["status"] == status, variant["error"]
        assert variant["error"] is None if words is None else words in variant["error"]


def test_what_is_outside_of_a_probe_is_touched_only_without_the_sandbox(attacked):
    mode, _, victims, _ = attacked
    written = [victims.outside, victims.record, victims.bytecode, Path(f"/tmp/planted-{victims.process.pid}")]
    written += [Path(f"{victims.outside}-import"), Path(f"{victims.outside}-startup")]
    assert {path.exists() for path in written if path != victims.bytecode} == {mode == "off"}
    # What is not compiled here is removed when the run ends.
    assert not victims.bytecode.exists() or mode == "off"
    assert (victims.process.poll() is None) == (mode == "auto")
    assert (victims.connections > 0) == (mode == "off")


def test_nothing_outlives_the_run(attacked):
    _, _, victims, _ = attacked

    def daemons() -> list[psutil.Process]:
        return [one for one in psutil.process_iter(["cmdline"]) if victims.daemon in (one.info["cmdline"] or ())]

    wait_until(lambda: not daemons())


def test_the_report_says_what_was_in_force(attacked):
    mode, project, _, _ = attacked
    words = "off" if mode == "off" else sandbox.offered().words
    assert project.report()["sandbox"] == [words]
    assert f"Probes were confined by: {words}." in (project.reports / "matrix.md").read_text()


@pytest.mark.parametrize("mode", ["auto", "off"])
def test_a_probe_that_ends_its_parent(project, mode):
    project.sandbox = mode
    project.publish(packages.onnxruntime("1.17.0", on_run="import os, signal; os.kill(os.getppid(), signal.SIGKILL)"))
    project.configure({"onnxruntime": ["1.17.0"]})
    answer = project.call("run", "--no-forks")
    # Killed with the harness, or refused in a run that comes to its report.
    assert answer.code == (-9 if mode == "off" else 3), answer.err
    assert ("Operation not permitted" in answer.err) == (mode == "auto")


REFUSALS = {
    "an exception": "raise PermissionError(13, 'Permission denied')",
    "one that hides it": "try:\n    raise PermissionError(13, 'no')\nexcept OSError:\n    raise ValueError('bad') from None",
    "a file that is not shown": "open('/run/nothing-of-this-name')",
    "a text of C++": "raise RuntimeError('open /x: Permission denied')",
    "an exit": "import os; os.write(2, b'cannot open /x: Read-only file system\\\\n'); os._exit(3)",
}


def test_what_may_be_refused_is_an_error_and_without_the_sandbox_a_fact(project):
    project.publish(*(packages.onnxruntime(f"1.99.{number}", on_run=source) for number, source in enumerate(REFUSALS.values())))
    project.configure({"onnxruntime": [f"1.99.{number}" for number in range(len(REFUSALS))]})
    project.sandbox = "auto"
    variants = [cell["variants"][0] for cell in project.run("--jobs", "2").values()]
    assert [(one["status"], one["stage"], one["error_type"]) for one in variants] == [("error", "decode", "sandbox")] * len(
        REFUSALS
    )
    assert all(MAY in one["error"] for one in variants)
    # Without the sandbox nothing of that is known, with no option that would run it again.
    project.sandbox = "off"
    assert {cell["status"] for cell in project.run("--jobs", "2").values()} == {"fails"}
    # A fact stays one.
    project.sandbox = "auto"
    assert {cell["status"] for cell in project.run().values()} == {"fails"}


def test_no_key_depends_on_the_sandbox(project):
    project.run()
    started = len(project.starts())
    project.sandbox = "auto"
    project.run()
    assert len(project.starts()) == started
    assert project.report()["sandbox"] == ["off"]


NOTHING = Sandbox(reason="unshare: Operation not permitted")


def test_require_runs_nothing_where_there_is_nothing(project, monkeypatch):
    monkeypatch.setattr(sandbox, "offered", lambda: NOTHING)
    project.sandbox = "require"
    answer = project.main("run")
    assert answer.code == 2
    assert "neither user namespaces (unshare: Operation not permitted) nor Landlock 4 or later" in answer.err
    assert not (project.reports / "matrix.json").exists()
    project.sandbox = "auto"
    answer = project.main("run")
    assert answer.code == 0
    assert "probes are not confined" in answer.err
    assert project.report()["sandbox"] == ["off"]


def test_require_runs_where_there_is_enough(project):
    project.sandbox = "require"
    (cell,) = project.run().values()
    assert cell["status"] == "works"


PARTS = {"Landlock alone": {"namespaces": ()}, "namespaces alone": {"landlock": 0}}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_keeps_files_and_the_network_by_itself(project, monkeypatch, part):
    whole = sandbox.offered()
    found = Sandbox(**{"landlock": whole.landlock, "namespaces": whole.namespaces, **PARTS[part]})
    monkeypatch.setattr(sandbox, "offered", lambda: found)
    victims = Victims(project)
    attacks = victims.attacks()
    names = ["socket", "write outside", "rewrite the store", "end a process", "daemon"]
    project.publish(*(packages.onnxruntime(f"1.99.{number}", on_run=attacks[name]) for number, name in enumerate(names)))
    project.configure({"onnxruntime": [f"1.99.{number}" for number in range(len(names))]})
    project.sandbox = "auto"
    try:
        cells = project.run("--jobs", "2").values()
        by_version = {cell["pins"]["onnxruntime"]: cell["variants"][0]["status"] for cell in cells}
        ends = {name: by_version[f"1.99.{number}"] for number, name in enumerate(names)}
        # The folder of this test may lie in /tmp, of which it sees another one.
        assert ends.pop("write outside") in {"error", "works"}
        assert ends == dict.fromkeys(["socket", "rewrite the store", "end a process"], "error") | {"daemon": "works"}
        assert not victims.outside.exists()
        assert not victims.record.exists()
        assert victims.connections == 0
        assert victims.process.poll() is None
        assert project.report()["sandbox"] == [found.words]
    finally:
        victims.close()
    wait_until(lambda: not alive(victims.process.pid))
    wait_until(lambda: not [one for one in psutil.process_iter(["cmdline"]) if victims.daemon in (one.info["cmdline"] or ())])


def test_what_confined_probes_import_is_compiled_for_those_that_come_later(project):
    project.sandbox = "auto"
    project.run()
    compiled = {path.parent.name for path in (project.store / "bytecode").rglob("*.pyc") if "envs" in path.parts}
    # The numpy beside onnxruntime is in an environment that is removed before the server's imports may be compiled.
    assert {"torch", "transformers", "onnx"} <= compiled
