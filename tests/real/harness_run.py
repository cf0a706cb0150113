"""Starts the harness as a user does."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def run(folder: Path, config: Path, *options: str) -> dict:
    """The report of a run whose store and reports lie in `folder`."""
    command = [sys.executable, "-m", "harness", "run", "--config", str(config), "--quiet", *options]
    done = subprocess.run(
        [*command, "--store", str(folder / "store"), "--reports", str(folder / "reports")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "reports" / "matrix.json").read_text())
