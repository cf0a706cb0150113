"""Starts the harness as a user does."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def run(folder: Path, config: Path, *options: str) -> dict:
    """The report of a run whose store and reports lie in `folder`."""
    command = [sys.executable, "-m", "harness", "run", "--config", str(config), "--quiet", "--format", "json", *options]
    done = subprocess.run(
        [*command, "--store", str(folder / "store"), "--reports", str(folder / "reports")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    # What is printed: a run that observed nothing leaves the report of an earlier one.
    assert done.returncode in {0, 3}, done.stderr
    report = json.loads(done.stdout)
    observed = any(one["status"] in {"works", "fails", "flaky"} for cell in report["cells"] for one in cell["variants"])
    assert done.returncode == (0 if observed else 3), done.stderr
    return report
