"""The hook of .pre-commit-hooks.yaml: pre-commit calls it as written, on fake wheels."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import packages
import pytest
import yaml
from project import PYTHON, Project
from schemas import valid_sarif

from harness import cli

pytestmark = pytest.mark.usefixtures("installed_once")

ROOT = Path(__file__).parents[2]
FOUR = "torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.16.3\n"
# With the fake probe, as run_harness.py has it.
PROGRAM = f"""#!{sys.executable}
import sys
sys.path[:0] = {[str(ROOT), str(ROOT / "tests")]!r}
from harness import cli
from harness.tasks import keys
keys.PROBE = keys.Path({str(ROOT / "tests" / "fake_probe" / "__main__.py")!r})
sys.exit(cli.check_each())
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Project:
    """The newest onnxruntime breaks; one service has all its packages pinned, the other one has an onnxruntime besides."""
    made = Project.working(tmp_path_factory.mktemp("repository"))
    made.publish(packages.onnxruntime("1.17.0", on_load=packages.raises("RuntimeError('a bug')")))
    made.configure({"python": [PYTHON]})
    (made.root / "a").mkdir()
    (made.root / "a" / "requirements.txt").write_text(FOUR)
    (made.root / "b.txt").write_text(FOUR.replace("1.16.3", "1.17.0"))
    subprocess.run(["git", "init", "--quiet", str(made.root)], check=True)
    return made


def checked(repository: Project, capsys, monkeypatch, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.chdir(repository.root)
    try:
        code = cli.check_each(["--quiet", *arguments])
    except SystemExit as exit_:
        code = exit_.code
    said = capsys.readouterr()
    return code, said.out, said.err


def test_each_file_is_a_set_of_its_own(repository, capsys, monkeypatch):
    code, out, _ = checked(repository, capsys, monkeypatch, "a/requirements.txt", "b.txt")
    assert code == 1
    first, second = out.split("b.txt:\n")
    assert first.startswith("a/requirements.txt:\nSAFE: the set as it is")
    assert second.startswith("BREAKS: the set as it is")


def test_the_worst_answer_is_the_exit_code(repository, capsys, monkeypatch):
    assert checked(repository, capsys, monkeypatch, "a/requirements.txt")[0] == 0
    code, out, err = checked(repository, capsys, monkeypatch, "missing.txt", "b.txt", "a/requirements.txt")
    assert code == 2
    assert "missing.txt cannot be read" in err
    assert "BREAKS" in out
    assert "SAFE" in out


@pytest.mark.parametrize("arguments", [[], ["--outdated"], ["--from", "b.txt", "b.txt"], ["--outdate", "b.txt", "--tp"]])
def test_files_are_named_without_an_option(repository, capsys, monkeypatch, arguments):
    code, _, err = checked(repository, capsys, monkeypatch, *arguments)
    assert code == 2
    assert "expected options of check, without --from, and then files" in err


def test_the_answer_is_a_document_of_its_format(repository, capsys, monkeypatch):
    code, out, _ = checked(repository, capsys, monkeypatch, "--format", "json", "a/requirements.txt")
    assert (code, json.loads(out)["answer"]) == (0, "SAFE")
    code, out, _ = checked(repository, capsys, monkeypatch, "--format", "sarif", "b.txt")
    assert code == 1
    assert valid_sarif(out)["runs"][0]["results"][0]["ruleId"] == "load"
    code, out, err = checked(repository, capsys, monkeypatch, "--format", "junit", "a/requirements.txt", "b.txt")
    assert (code, out) == (2, "")
    assert "2 answers are no document of the format junit" in err
    code, out, _ = checked(repository, capsys, monkeypatch, "--format", "github", "a/requirements.txt", "b.txt")
    assert code == 1
    assert [line.partition("::")[0] for line in out.splitlines()] == [""] * len(out.splitlines())


def test_several_answers_are_no_output_of_a_step_and_each_is_told_with_its_file(repository, capsys, monkeypatch, tmp_path):
    outputs = {name: tmp_path / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for name, path in outputs.items():
        monkeypatch.setenv(name, str(path))
    code, *_ = checked(repository, capsys, monkeypatch, "--format", "github", "b.txt", "a/requirements.txt")
    assert (code, outputs["GITHUB_OUTPUT"].exists()) == (1, False)
    summary = outputs["GITHUB_STEP_SUMMARY"].read_text()
    assert summary.index("# BREAKS: the set as it is") < summary.index("# SAFE: the set as it is")
    code, *_ = checked(repository, capsys, monkeypatch, "--format", "github", "b.txt")
    assert (code, outputs["GITHUB_OUTPUT"].read_text()) == (1, "answer=BREAKS\n")
    _, out, _ = checked(repository, capsys, monkeypatch, "--format", "markdown", "b.txt", "a/requirements.txt")
    assert out.startswith("b.txt:\n\n# BREAKS: ")
    assert "\na/requirements.txt:\n\n# SAFE: " in out


def test_pre_commit_accepts_the_manifest():
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_pre_commit_runs_the_hook_on_the_files_that_it_is_for(repository, tmp_path):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    program, *_ = shlex.split(hook["entry"])
    (tmp_path / program).write_text(PROGRAM)
    (tmp_path / program).chmod(0o755)
    # The program of this test stands for what pre-commit would install.
    local = {"repos": [{"repo": "local", "hooks": [{**hook, "language": "system", "verbose": True}]}]}
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(local))
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PRE_COMMIT_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--config", str(config), "--files", "a/requirements.txt", "b.txt"],
        cwd=repository.root, env=environ, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "exit code: 1" in done.stdout
    assert "a/requirements.txt:\nBREAKS" in done.stdout
    assert "onnxruntime 1.16.3 → 1.17.0" in done.stdout
    assert "b.txt:" not in done.stdout


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("requirements.txt", True),
        ("service/requirements-export.txt", True),
        ("pyproject.toml", True),
        ("pylock.toml", True),
        ("pylock.export.toml", True),
        ("uv.lock", True),
        ("requirements.in", False),
        ("myrequirements.txt", False),
        ("pyproject.toml.orig", False),
        ("docs/pylock.toml.md", False),
    ],
)
def test_the_files_that_the_hook_is_for(name, meant):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert bool(re.search(hook["files"], name)) is meant
