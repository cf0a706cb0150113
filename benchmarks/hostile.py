"""What a hostile package gets with and without the sandbox, at full size: a table in Markdown.

    python benchmarks/hostile.py [--modes auto off]          needs the extras: pip install -e '.[dev]'

The attacks are those of tests/attacks.py, in fake distributions on the real machinery: a 3 GB artifact, 5 GB of output,
600 MB of events, 100,000 forks, 4 GB of memory, 3 GB of temporary files, under the default limits, but 2 GB of memory. Both
runs take some minutes, and some gigabytes of disk for moments. Without the sandbox a probe does what it tries: to files and
processes that were made for it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import attacks
from attacks import Sizes, Victims
from project import Project

from harness.execution.process import sandbox
from harness.tasks import keys

SIZES = Sizes(
    artifact=3 * 10**9,
    output=5 * 10**9,
    events=600 * 10**6,
    temporary=3 * 10**9,
    memory=4 * 10**9,
    processes=100_000,
)
DONE: dict[str, Callable[[Project, Victims], bool]] = {
    "socket": lambda _, victims: victims.connections > 0,
    "write outside": lambda _, victims: victims.outside.exists(),
    "rewrite the store": lambda _, victims: victims.record.exists(),
    "end a process": lambda _, victims: victims.process.poll() is not None,
    "write to /tmp": lambda _, victims: victims.shared.exists(),
    "a link for the log": lambda _, victims: victims.settings.read_text() != "mine\n",
    "while imported": lambda _, victims: Path(f"{victims.outside}-import").exists(),
    "before all imports": lambda _, victims: Path(f"{victims.outside}-startup").exists(),
    "a link to a secret as artifact": lambda project, victims: bool(attacks.secrets_kept(project, victims)),
}
"""Attack → whether it has reached what it was aimed at, where that can be seen from outside."""


def outcomes(mode: str, folder: Path) -> dict[str, str]:
    """Attack → what became of it under `--sandbox MODE`."""
    project = Project(folder)
    project.sandbox = mode
    victims = Victims(project)
    try:
        ends = attacks.ends(project, attacks.wheels(victims, SIZES), "--jobs", "2", **{"memory-limit": "2GB"})
        return {name: _outcome(name, cell["variants"][0], project, victims) for name, cell in ends.items()}
    finally:
        victims.close()


def _outcome(name: str, variant: dict[str, Any], project: Project, victims: Victims) -> str:
    seen = f"; {'DONE' if DONE[name](project, victims) else 'nothing done'}" if name in DONE else ""
    log = project.reports / variant["logs"][-1] if variant.get("logs") else None
    size = f"; log of {log.stat().st_size / 1e6:.0f} MB" if name == "log" and log and log.exists() else ""
    message = (variant["error"] or "").splitlines()
    return f"{variant['status']}{f': {message[0][:110]}' if message else ''}{seen}{size}"


def main() -> None:
    """Run all attacks in each mode, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--modes", nargs="+", choices=("auto", "require", "off"), default=["auto", "off"])
    modes = parser.parse_args().modes
    keys.PROBE = ROOT / "tests" / "fake_probe" / "__main__.py"
    os.environ["UV_PYTHON_DOWNLOADS"] = "never"
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        found = {mode: outcomes(mode, Path(folder, mode)) for mode in modes}
    print(f"This machine offers: {sandbox.offered().words}\n")
    print("| a package |", " | ".join(f"`--sandbox {mode}`" for mode in modes), "|")
    print("|---|" + "---|" * len(modes))
    for name in found[modes[0]]:
        print("|", " | ".join([name, *(found[mode][name].replace("|", "\\|") for mode in modes)]), "|")


if __name__ == "__main__":
    main()
