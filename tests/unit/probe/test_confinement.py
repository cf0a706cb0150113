"""The program that confines itself and becomes a command: it ends as the command ends, and leaves it no privileges."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from offered import OFFERED, needs

from harness.execution.process import sandbox
from harness.execution.process.sandbox import Sandbox
from harness.probe import confinement
from harness.probe.wire import Confinement

PARTS = {
    "all that is there": OFFERED,
    "Landlock": Sandbox(landlock=OFFERED.landlock),
    "namespaces": Sandbox(namespaces=OFFERED.namespaces),
    "no process namespace": Sandbox(landlock=OFFERED.landlock, namespaces=tuple(set(OFFERED.namespaces) - {"pid"})),
}
"""What is not there confines nothing, and all of this holds all the same."""


def confined(part: Sandbox, folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """Python's `source`, run in `folder`, the only one that it may write to."""
    real = Path(sys.executable).resolve()
    rights: Confinement = {
        "landlock": part.landlock,
        "namespaces": list(part.namespaces),
        "processes": 100,
        "read": [str(real.parents[1]), str(Path(sys.prefix))],
        "write": [str(folder)],
    }
    command = [*sandbox.confining_command(rights), sys.executable, "-I", "-c", source]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("pass", 0),
        ("import os; os._exit(139)", 139),
        ("1/0", 1),
        ("import os; os.abort()", -signal.SIGABRT),
        ("import faulthandler; faulthandler._sigsegv()", -signal.SIGSEGV),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_it_ends_as_the_command_ends(tmp_path, part, source, code):
    assert confined(PARTS[part], tmp_path, source).returncode == code


@pytest.mark.parametrize("part", PARTS)
def test_it_has_a_folder_and_no_privileges(tmp_path, part):
    source = (
        "import os; open('made', 'w').close(); status = open('/proc/self/status').read();"
        "print(os.getcwd(), os.getuid(), status.split('CapEff:')[1].split()[0], status.split('NoNewPrivs:')[1].split()[0])"
    )
    done = confined(PARTS[part], tmp_path, source)
    assert done.stdout.split() == [str(tmp_path), str(os.getuid()), "0" * 16, "1"], done.stderr
    assert (tmp_path / "made").exists()


def test_it_talks_to_itself(tmp_path):
    source = (
        "import socket; server = socket.create_server(('127.0.0.1', 0));"
        "socket.create_connection(server.getsockname()); print('connected')"
    )
    assert confined(OFFERED, tmp_path, source).stdout == "connected\n"


@needs(lambda found: "pid" in found.namespaces, "a namespace of processes")
def test_it_leads_a_session_of_its_own_beside_the_first_process(tmp_path):
    source = (
        "import os; print(os.getpid() == os.getsid(0), os.getppid(), sorted(p for p in os.listdir('/proc') if p.isdigit()))"
    )
    assert confined(OFFERED, tmp_path, source).stdout == "True 1 ['1', '2']\n"


@needs(lambda found: found.namespaces, "namespaces")
def test_shared_folders_are_its_own():
    """The folder of the process is not in /dev/shm, where it would take the semaphores their place (docs/security.md)."""
    planted = f"planted-{os.getpid()}"
    source = f"import multiprocessing, os; multiprocessing.Lock(); print(os.listdir('/run')); os.mkdir('/var/tmp/{planted}')"
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        done = confined(OFFERED, Path(folder), source)
    assert done.stdout == "[]\n", done.stderr
    assert not Path("/var/tmp", planted).exists()


@needs(lambda found: found.landlock and found.namespaces, "both Landlock and namespaces")
@pytest.mark.parametrize("part", PARTS)
def test_it_has_a_few_harmless_devices(tmp_path, part):
    source = "open('/dev/null', 'w').close(); print(open('/dev/zero', 'rb').read(1)); open('/dev/ptmx', 'rb')"
    done = confined(PARTS[part], tmp_path, source)
    assert done.stdout == "b'\\x00'\n", done.stderr
    assert "PermissionError" in done.stderr


def test_what_cannot_be_confined_is_not_started(tmp_path):
    done = confined(Sandbox(namespaces=("user", "mount", "nonsense")), tmp_path, "print('started')")
    assert done.returncode != 0
    assert done.stdout == ""


def test_the_command_line_is_what_it_means():
    rights: Confinement = {
        "landlock": 7,
        "namespaces": ["user", "mount"],
        "processes": 9,
        "read": ["/a", "--"],
        "write": ["/b"],
    }
    words = sandbox.confining_command({**rights, "read": ["/a", "/c"]})
    start = words.index("landlock")
    assert confinement._confinement(words[start:-1]) == {**rights, "read": ["/a", "/c"]}
    assert words[-1] == "--"
