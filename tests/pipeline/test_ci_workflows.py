"""The workflows of docs/ci.md, examples/ and .github/: their jobs do what the documents say, on fake wheels."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import packages
import pytest
from composite_action import Done, Runner
from project import Project
from workflow_files import ROOT, job, shown

pytestmark = pytest.mark.usefixtures("installed_once")

BEFORE = "torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.16.3\n"
AFTER = BEFORE.replace("1.16.3", "1.17.0")
UPGRADE = (ROOT / "examples" / "workflows" / "upgrade.yml").read_text(encoding="utf-8")
REPORTS = (ROOT / ".github" / "workflows" / "reports.yml").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path) -> Project:
    """A repository whose last commit, the merge of a pull request, takes onnxruntime from 1.16.3 to 1.17.0, which breaks."""
    made = Project.working(tmp_path / "repository")
    made.publish(packages.onnxruntime("1.17.0", on_load=packages.raises("RuntimeError('a bug')")))
    for text in (BEFORE, AFTER):
        (made.root / "requirements.txt").write_text(text)
        for command in (["init", "--quiet"], ["add", "requirements.txt"], ["commit", "--quiet", "--message", "a change"]):
            identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
            subprocess.run(["git", *identity, *command], cwd=made.root, check=True)
    return made


@pytest.fixture
def runner(project, tmp_path) -> Runner:
    return Runner(project.root, tmp_path / "runner")


def summary(done: Done) -> str:
    return Path(done.outputs["summary"]).read_text(encoding="utf-8")


def uploaded(done: Done) -> str:
    return done.uses["actions/upload-artifact"]["path"]


def test_the_newest_versions(project, runner):
    (project.root / "requirements.txt").write_text(BEFORE)
    (done,) = runner.job(job(shown()["ci-0.yml"], "newest"), {})
    assert (done.code, done.outputs["answer"]) == (1, "BREAKS"), done.log
    assert "onnxruntime 1.16.3 → 1.17.0" in summary(done)


def test_a_pull_request_that_breaks(runner):
    (done,) = runner.job(job(shown()["ci-1.yml"], "upgrade"), {})
    assert (done.code, done.outputs["answer"]) == (1, "BREAKS"), done.log
    assert "# BREAKS: onnxruntime 1.16.3 → 1.17.0" in summary(done)


def test_a_matrix_fails_if_a_combination_fails(project, runner):
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    shutil.move(project.config, project.root / "mine.toml")
    (done,) = runner.job(job(shown()["ci-2.yml"], "matrix"), {})
    assert (done.code, done.outputs["answer"]) == (1, "1 of 2 work"), done.log
    assert done.uses["actions/upload-artifact"]["name"] == "reports"
    assert (Path(done.outputs["report"]) / "matrix.md").exists()


GH = """#!/bin/bash
printf '%s\\n' "$*" >> "$CALLS"
[[ $* != *--jq* ]] || cat "$EARLIER"
"""


@pytest.mark.parametrize("earlier", ["", "11\n12\n"])
def test_an_update_gets_a_comment_or_renews_it(project, runner, tmp_path, monkeypatch, earlier):
    (done,) = runner.job(job(UPGRADE, "check"), {})
    assert (done.code, done.outputs["answer"]) == (1, "BREAKS"), done.log
    assert done.uses["actions/upload-artifact"]["name"] == "upgrade"
    shutil.copytree(uploaded(done), project.root / "upgrade")
    (tmp_path / "gh").mkdir()
    (tmp_path / "gh" / "gh").write_text(GH)
    (tmp_path / "gh" / "gh").chmod(0o755)
    (tmp_path / "earlier").write_text(earlier)
    monkeypatch.setenv("PATH", f"{tmp_path / 'gh'}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("EARLIER", str(tmp_path / "earlier"))
    event = {"github.token": "t", "github.repository": "a/b", "github.event.pull_request.number": "7"}
    runner.job(job(UPGRADE, "comment"), event)
    body = (project.root / "comment.md").read_text(encoding="utf-8")
    assert body == f"<!-- export-matrix -->\n{summary(done)}"
    looked, wrote = (tmp_path / "calls").read_text().splitlines()
    assert looked.startswith("api --paginate repos/a/b/issues/7/comments --jq .[] | select(.user.login ==")
    place = "--method PATCH repos/a/b/issues/comments/12" if earlier else "repos/a/b/issues/7/comments"
    assert wrote == f"api --silent {place} --field body=@comment.md"


def test_a_comment_is_for_branches_of_the_repository_alone():
    condition = job(UPGRADE, "comment")["if"]
    assert condition == "${{ !cancelled() && github.event.pull_request.head.repo.full_name == github.repository }}"


def git(project: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=project, check=True)


def test_a_pull_request_that_waits_keeps_its_line_of_the_history(project, runner, tmp_path):
    project.run()
    history = project.root / "reports" / "history.jsonl"
    first = history.read_text()
    git(project.root, "add", "--force", "reports/history.jsonl")
    git(project.root, "commit", "--quiet", "--message", "merged")
    waiting = json.dumps({**json.loads(first), "id": "waits", "time": "2026-01-02T00:00:00+00:00"}) + "\n"
    git(project.root, "checkout", "--quiet", "-b", "reports")
    history.write_text(first + waiting)
    git(project.root, "commit", "--quiet", "--all", "--message", "waits")
    git(project.root, "update-ref", "refs/remotes/origin/reports", "HEAD")
    git(project.root, "checkout", "--quiet", "-")
    git(project.root, "branch", "--quiet", "--delete", "--force", "reports")
    measured = tmp_path / "runner" / "new" / "reports"
    shutil.copytree(project.root / "reports", measured)
    newest = waiting.replace("waits", "newest")
    (measured / "history.jsonl").write_text(first + newest)
    assert job(REPORTS, "propose")["steps"][0]["with"]["fetch-depth"] == 0
    for _ in range(2):
        runner.job(job(REPORTS, "propose"), {})
        assert history.read_text() == first + waiting + newest
        shutil.copytree(project.root / "reports", measured)


def test_the_reports_are_renewed_with_their_difference(project, runner, tmp_path):
    project.run()
    (project.root / "reports" / "runtimes.json").write_text("{}")
    project.publish(packages.package("numpy", "2.2.0"))
    shutil.copytree(project.root, tmp_path / "other machine")
    (done,) = runner.job(job(REPORTS, "measure"), {})
    assert done.code == 0, done.log
    assert "numpy 2.1.0 → 2.2.0" in summary(done)
    other = Runner(tmp_path / "other machine", tmp_path / "other runner")
    shutil.copytree(uploaded(done), tmp_path / "other runner" / "new")
    other.job(job(REPORTS, "propose"), {})
    reports = tmp_path / "other machine" / "reports"
    assert json.loads((reports / "matrix.json").read_text())["cells"][0]["resolved"]["numpy"] == "2.2.0"
    assert (reports / "runtimes.json").exists()
    assert not (reports / "summary.md").exists()
