"""What a hostile package may try, and what it is aimed at: tests and benchmarks/hostile.py run it in probes."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import packages
from project import AXES, Project
from wheels import Wheel

EVENT = b'{"event": "doing", "stage": "decode", "subject": null, "doing": "x"}\\n'
_BASE = {axis: versions[0] for axis, versions in AXES.items()}
_PART = 10**6


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """How much the greedy ones take: bytes, but of processes."""

    artifact: int = 30_000_000
    output: int = 40_000_000
    events: int = 50_000
    temporary: int = 24_000_000
    memory: int = 400_000_000
    processes: int = 60


class Victims:
    """What attacks are aimed at, outside of what a probe may touch."""

    def __init__(self, project: Project) -> None:
        self.outside = project.root / "outside"
        self.settings = project.root / "settings"
        self.settings.write_text("mine\n")
        self.secret = project.root / "secret"
        self.secret.write_text("a password")
        self.record = project.store / "results" / "00" / "planted.json"
        self.record.parent.mkdir(parents=True, exist_ok=True)
        self.bytecode = project.store / "bytecode" / "planted.pyc"
        self.bytecode.parent.mkdir(exist_ok=True)
        self.process = subprocess.Popen(["sleep", "6000"])
        self.daemon = f"{6543210 + self.process.pid}"
        self.shared = Path(f"/tmp/planted-{self.process.pid}")
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
        self.shared.unlink(missing_ok=True)


def while_decoded(victims: Victims, sizes: Sizes) -> dict[str, str]:
    """What runs while an artifact is decoded: name → source."""
    port, pid = victims.listener.getsockname()[1], victims.process.pid
    temporary = _written("os.environ['TMPDIR'] + '/x'", sizes.temporary)
    return {
        "socket": f"import socket; socket.create_connection(('127.0.0.1', {port}), 5).close()",
        "resolver": "import socket; socket.getaddrinfo('example.org', 80)",
        "write outside": f"open({str(victims.outside)!r}, 'w').close()",
        "read home": f"open({str(victims.secret)!r}).read()",
        "rewrite the store": f"open({str(victims.record)!r}, 'w').close()",
        "plant bytecode": f"open({str(victims.bytecode)!r}, 'w').close()",
        "end a process": f"import os; os.kill({pid}, 9)",
        "see processes": f"import os\nif not os.path.exists('/proc/{pid}/cmdline'): raise RuntimeError('not seen')",
        "write to /tmp": f"open({str(victims.shared)!r}, 'w').close()",
        # A file that the harness writes to, if it lies here, becomes a link to one of the user's.
        "a link for the log": "import os\nos.path.lexists('output.log') and os.unlink('output.log')\n"
        f"os.symlink({str(victims.settings)!r}, 'output.log'); raise RuntimeError('planted')",
        "events": "import time\nwith open('events.jsonl', 'ab') as file:\n"
        f"    for _ in range({sizes.events // len(EVENT)}): file.write({EVENT!r}.replace(b'\\\\n', b'\\n'))\ntime.sleep(600)",
        "fork bomb": f"import os, time\nfor _ in range({sizes.processes}):\n    if os.fork() == 0: break\ntime.sleep(600)",
        "memory": f"import time; hoard = b'x' * {sizes.memory}; time.sleep(600)",
        "temporary files": f"{temporary}\nimport time; time.sleep(9)",
        "one large file": f"import os; open(os.environ['TMPDIR'] + '/x', 'wb').truncate({4 * sizes.temporary})",
        "log": f"import os\nfor _ in range({sizes.output // _PART}): os.write(1, bytes({_PART}))",
        "daemon": "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        os.execve('/bin/sleep', ['sleep', '{victims.daemon}'], {{}})\n    os._exit(0)\nos.wait()",
    }


def _written(path: str, size: int) -> str:
    return f"import os\nwith open({path}, 'wb') as file:\n    for _ in range({size // _PART}): file.write(bytes({_PART}))"


def _quietly(source: str) -> str:
    """`source` as an import runs that hides what became of it."""
    return f"try:\n    {source}\nexcept OSError: pass"


def wheels(victims: Victims, sizes: Sizes) -> dict[str, Wheel]:
    """Attack → the distribution that tries it: an onnxruntime, or a torch for what happens elsewhere."""
    sources = while_decoded(victims, sizes)
    hostile = {
        name: packages.onnxruntime(f"1.99.{number}", on_run=source) for number, (name, source) in enumerate(sources.items())
    }
    secret = f"import os; os.symlink({str(victims.secret)!r}, path + '.data')"
    imported = _quietly(f"open('{victims.outside}-import', 'w').close()")
    startup = packages.torch("2.2.2")
    startup.files["startup.pth"] = f"import os; os.system('touch {victims.outside}-startup 2>/dev/null')\n"  # type: ignore[index]
    return hostile | {
        "artifact": packages.torch("2.2.0", on_export=_written("path + '.data'", sizes.artifact)),
        "while imported": packages.torch("2.2.1", on_import=imported),
        "before all imports": startup,
        "a link to a secret as artifact": packages.torch("2.2.3", on_export=secret),
    }


def ends(project: Project, hostile: dict[str, Wheel], *arguments: str, **run: Any) -> dict[str, dict[str, Any]]:
    """Attack → its cell, of one run with `[run]` as given."""
    project.publish(*packages.working(), *hostile.values())
    project.configure(include=[{**_BASE, wheel.name: wheel.version} for wheel in hostile.values()], run=run)
    cells = project.run(*arguments).values()
    return {name: next(cell for cell in cells if cell["pins"][wheel.name] == wheel.version) for name, wheel in hostile.items()}


def secrets_kept(project: Project, victims: Victims) -> list[Path]:
    """Artifacts that hold the secret."""
    text = victims.secret.read_bytes()
    return [path for path in (project.store / "artifacts").rglob("*") if path.is_file() and text in path.read_bytes()]
