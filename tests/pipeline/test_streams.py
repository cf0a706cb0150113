"""stdout and stderr that are closed, full, or without a reader: the answer has its exit code all the same."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest
from packages import onnxruntime, raises
from project import RUNNER, Project

pytestmark = pytest.mark.usefixtures("installed_once")

FORMATS = ("text", "json", "csv", "markdown", "github")


@pytest.fixture(scope="module")
def fails(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One cell that works, and one that fails, both known."""
    project = Project.working(tmp_path_factory.mktemp("fails"))
    project.publish(onnxruntime("1.17.0", on_run=raises("RuntimeError('no')")))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    assert project.main("run").code == 0
    return project


def ended(project: Project, script: str, *arguments: str) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of `run --fail-on fails` in a shell script: `{command}` is the command."""
    code = project.root / "code"
    code.unlink(missing_ok=True)
    options = ["--config", str(project.config), "--store", str(project.store), "--reports", str(project.reports)]
    command = shlex.join([sys.executable, str(RUNNER), "run", *options, "--no-remedies", "--fail-on", "fails", *arguments])
    done = subprocess.run(
        ["bash", "-c", script.format(command=command, code=shlex.quote(str(code)))],
        check=False, capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return int(code.read_text()) if code.exists() else done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "script",
    ["{command} 2>&-", "{command} >&-", "{command} <&- >&- 2>&-", "{command} 2>/dev/full",
     "(sleep 1; {command} 2>&1 >/dev/null; echo $? > {code}) | true"],
)  # fmt: skip
def test_a_stream_that_nobody_reads(fails, script):
    (fails.reports / "matrix.json").unlink(missing_ok=True)
    code, _, err = ended(fails, script)
    assert (code, "Traceback" in err) == (1, False)
    assert len(fails.report()["cells"]) == 2


@pytest.mark.parametrize("name", FORMATS)
def test_a_reader_that_has_gone(fails, name):
    code, _, err = ended(fails, "(sleep 1; {command}; echo $? > {code}) | true", "--format", name)
    assert (code, "Traceback" in err) == (1, False)


@pytest.mark.parametrize("name", FORMATS)
def test_stdout_on_a_full_disk(fails, name):
    """The disk of the store is not."""
    code, _, err = ended(fails, "{command} --quiet >/dev/full", "--format", name)
    assert code == 3
    assert err.splitlines()[-1] == "error: stdout cannot be written: No space left on device"
    assert "the disk is full" not in err
    assert len(fails.report()["cells"]) == 2


def test_stdout_that_cannot_be_written(fails, tmp_path):
    (tmp_path / "read").touch()
    code, _, err = ended(fails, f"{{command}} --quiet 1<{tmp_path}/read")
    assert (code, err.splitlines()[-1]) == (2, "error: stdout cannot be written: Bad file descriptor")


def test_help_on_a_full_disk(fails):
    for option in ("--help", "--version"):
        done = subprocess.run(
            ["bash", "-c", f"{shlex.quote(sys.executable)} {RUNNER} {option} >/dev/full"],
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (3, "error: stdout cannot be written: No space left on device\n")


def test_no_file_of_the_store_becomes_a_standard_stream(tmp_path):
    project = Project.working(tmp_path)
    code, out, err = ended(project, "{command} <&- >&- 2>&-")
    assert (code, out, err) == (0, "", "")
    records = sorted(project.store.glob("results/*/*.json"))
    assert records
    for record in records:
        json.loads(record.read_text(encoding="utf-8"))
