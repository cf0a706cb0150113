"""`doctor`: each thing that a run needs is checked, and each problem has its mend."""

from __future__ import annotations

import json

import pytest
from project import PYTHON, Project

from harness import doctor, machine


def checked(project: Project, *arguments: str) -> tuple[int, dict[str, dict]]:
    answer = project.main("doctor", "--format", "json", *arguments)
    return answer.code, {check["check"]: check for check in json.loads(answer.out)}


def test_a_machine_that_has_everything(project: Project):
    project.run()
    code, checks = checked(project)
    assert code == 0, checks
    assert list(checks) == [
        "platform",
        "python",
        "matrix",
        "uv",
        f"CPython {PYTHON}",
        "index",
        "torch",
        "sandbox",
        "memory",
        "disk of store",
        "disk of uv's cache",
        "store",
    ]
    assert {name for name, check in checks.items() if check["outcome"] == "problem"} == set()
    assert checks["torch"]["found"] == "from default, as [uv] torch-backend says"
    records = len(list((project.store / "results").rglob("*.json")))
    assert checks["store"]["found"] == f"{records} records, {records} verified"


def test_text_has_the_answer_first_and_mends_below(project: Project):
    project.configure({"python": [PYTHON, "3.99"]})
    answer = project.main("doctor")
    assert answer.code == 1
    lines = answer.out.splitlines()
    assert lines[0] == "1 problem on this machine"
    place = lines.index("  problem CPython 3.99: not on this machine")
    assert lines[place + 1] == "    uv python install 3.99; without it its cells are not run"


def test_a_matrix_that_cannot_be_read(project: Project):
    project.config.write_text("[axes\n")
    code, checks = checked(project)
    assert code == 1
    assert checks["matrix"]["outcome"] == "problem"
    assert "index" not in checks


def test_an_index_that_does_not_answer(project: Project):
    for wheel in project.index.iterdir():
        wheel.unlink()
    code, checks = checked(project)
    assert (code, checks["index"]["outcome"]) == (1, "problem")


def test_a_damaged_record_is_counted(project: Project):
    project.run()
    damaged = next(iter((project.store / "results").rglob("*.json")))
    damaged.write_bytes(damaged.read_bytes()[:-10])
    code, checks = checked(project)
    assert (code, checks["store"]["outcome"]) == (0, "warning")
    assert checks["store"]["found"].endswith("verified, 1 damaged")
    # It is only looked at.
    assert damaged.exists()


def test_little_disk_and_little_memory(project: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 3 * 10**9}))
    monkeypatch.setattr(machine, "memory", lambda: 5 * 10**8)
    code, checks = checked(project)
    assert code == 1
    assert checks["disk of store"]["outcome"] == "warning"
    assert checks["disk of store"]["found"].startswith("3.0 GB free in ")
    assert checks["memory"] == {
        "check": "memory",
        "outcome": "problem",
        "found": f"{machine.cores()} cores, 500 MB available: 0 probes at once",
        "mend": "a probe with torch needs 1.0 GB",
    }
