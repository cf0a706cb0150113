"""A fork server that says what it should not: it is ended, and nobody waits for it in vain."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from project import alive, wait_until

from harness import process_groups
from harness.execution.process.fork_server import ForkServer
from harness.execution.process.forked import Forked, ForkLostError
from harness.model import Limits
from harness.store.store import Store
from harness.subprocesses import Supervisor

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="nothing is forked elsewhere")

READY = {"event": "ready", "uncompiled": [], "sought": [], "tried": [], "versions": [], "groups": []}

SERVER = """
import json, os, socket, sys, time
channel = socket.socket(fileno=os.dup(0))
channel.sendall(sys.argv[1].encode() + b"\\n")
request = b""
while not request.endswith(b"\\n"):
    request += channel.recv(65536)
number = json.loads(request)["number"]
if not os.fork():
    os.setpgid(0, 0)
    channel.sendall(json.dumps({"event": "forked", "number": number}).encode() + b"\\n")
    time.sleep(600)
time.sleep(0.2)
channel.sendall(sys.argv[2].encode() + b"\\n")
time.sleep(600)
"""
"""Says two lines, the second one after a fork."""


STRANGER = SERVER.replace(
    "if not os.fork():",
    """if not os.fork():
    if os.fork():
        os._exit(0)
    time.sleep(0.1)""",
)
"""One in which the fork has another parent by the time that it speaks."""


def started(tmp_path: Path, supervisor: Supervisor, *lines: str, program: str = SERVER) -> ForkServer | None:
    """A server that says these lines; None if it is not ready then."""

    def launch(environ: Mapping[str, str], folder: Path, log: Path, stdin: int) -> subprocess.Popen[bytes]:
        log.touch()
        command = [sys.executable, "-I", "-c", program, *lines]
        made = subprocess.Popen(command, stdin=stdin, start_new_session=True, cwd=folder)
        process_groups.mark(made.pid)
        return made

    server = ForkServer(supervisor=supervisor, store=Store(tmp_path / "store"))
    job = {"kind": "forkserver", "confined": None, "probe": {"path": None, "options": {}}}
    return server if server.start(Path(sys.executable), job, Limits(seconds=60, memory=10**9), launch) else None


def forked(server: ForkServer, folder: Path) -> Forked:
    made = server.fork(log=folder / "log", stdin=subprocess.DEVNULL, writes=[], confined=None)
    assert made is not None
    return made


def test_a_fork_ends_as_its_server_says(tmp_path):
    server = started(tmp_path, Supervisor(), json.dumps(READY), json.dumps({"event": "left", "number": 0, "code": 3}))
    assert server is not None
    assert forked(server, tmp_path).wait(60) == 3
    server.close()


@pytest.mark.parametrize(
    "said",
    [
        '{"event": "left", "number": 0, "code": "none"}',
        '{"event": "left", "number": 0, "code": 1e400}',
        '{"event": "left", "number": 0}',
        '{"event": "left", "number": [], "code": 0}',
        '{"event": "forked"}',
        '{"event": "unheard of"}',
        "[]",
        "[" * 100_000,
        "no JSON",
    ],
    ids=lambda said: said[:50],
)
def test_what_is_no_event_ends_the_server_and_its_forks(tmp_path, said):
    server = started(tmp_path, Supervisor(), json.dumps(READY), said)
    assert server is not None
    fork = forked(server, tmp_path)
    assert fork.wait(60) == -signal.SIGKILL
    wait_until(lambda: not server.alive)
    server.close()
    wait_until(lambda: not alive(fork.pid))


@pytest.mark.parametrize("said", ['{"event": "ready"}', json.dumps({**READY, "versions": [1]}), "null"])
def test_a_server_that_says_nothing_sound_at_first_does_not_serve(tmp_path, said):
    assert started(tmp_path, Supervisor(), said, "") is None


def test_what_does_not_descend_from_the_server_is_no_fork_of_it(tmp_path):
    left = json.dumps({"event": "left", "number": 0, "code": 0})
    server = started(tmp_path, Supervisor(), json.dumps(READY), left, program=STRANGER)
    assert server is not None
    with pytest.raises(ForkLostError):
        server.fork(log=tmp_path / "log", stdin=subprocess.DEVNULL, writes=[], confined=None)
    server.close()
