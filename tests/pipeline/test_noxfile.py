"""The sessions that nox offers for a matrix."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from project import Project

NOXFILE = Path(__file__).parents[2] / "noxfile.py"


def sessions(project: Project) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nox", "--noxfile", NOXFILE, "--list"],
        env={**os.environ, "HARNESS_CONFIG": str(project.config), "HARNESS_STORE": str(project.store)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_session_for_every_cell_that_one_environment_can_hold(project: Project):
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]}, setup=["together", "handoff"])
    listed = sessions(project)
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.count("- probe(py") == 2
    assert "-handoff" not in listed.stdout
    assert not project.store.exists()


def test_a_matrix_that_cannot_be_read_leaves_the_other_sessions(project: Project):
    project.configure(run={"time-limits": "3s"})
    listed = sessions(project)
    assert listed.returncode == 0, listed.stderr
    assert "no probe sessions: matrix.toml: run.time-limits: unknown key" in listed.stderr
    assert "Traceback" not in listed.stderr
    assert "lint" in listed.stdout


def test_the_decisions_are_sessions_too(project: Project):
    listed = sessions(project)
    assert all(f"- {name} -> " in listed.stdout for name in ("pin", "check", "bisect"))


def test_windows_has_one_sentence(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit, match="does not run on Windows: use it in WSL"):
        runpy.run_path(str(NOXFILE))
