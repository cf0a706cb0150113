"""action.yml, the workflows and those in the documents, as linters and published schemas have them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_files import FILES, PLACEHOLDER, ROOT, blocks, repository, shown

TOOLS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def everything(tmp_path_factory) -> Path:
    """A repository with every workflow."""
    return repository(tmp_path_factory.mktemp("workflows"))


def linted(*command: str, folder: Path) -> tuple[int, str]:
    environ = {"PATH": f"{TOOLS}:/usr/bin:/bin", "HOME": str(folder), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=folder, env=environ, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_zizmor_finds_nothing(everything):
    code, said = linted("zizmor", "--offline", "--no-progress", ".", folder=everything)
    assert code == 0, said
    assert "No findings to report" in said


def test_zizmor_would_find_something(everything, tmp_path):
    text = (everything / "action.yml").read_text().replace('"${options[@]}"', "${{ inputs.arguments }}")
    (tmp_path / "action.yml").write_text(text)
    code, said = linted("zizmor", "--offline", "--no-progress", "action.yml", folder=tmp_path)
    assert code != 0
    assert "template-injection" in said


def test_jactionlint_finds_nothing(everything):
    """A fork of actionlint that is on the index: its checks, those of shellcheck, and composite actions."""
    code, said = linted("jactionlint", "--profile", "correctness", "--strict-exit", folder=everything)
    assert (code, said) == (0, "")
    # The files, which no reader has to copy by eye, also by its checks of security and policy.
    files = [str(path) for path in everything.rglob("*.yml") if path.name not in shown()]
    code, said = linted("jactionlint", "--strict-exit", *files, folder=everything)
    assert (code, said) == (0, "")


def test_jactionlint_would_find_something(everything, tmp_path):
    text = (everything / ".github" / "workflows" / "upgrade.yml").read_text().replace("needs: check", "needs: chekc")
    (tmp_path / "upgrade.yml").write_text(text)
    code, said = linted("jactionlint", "--profile", "correctness", "upgrade.yml", folder=tmp_path)
    assert code == 1
    assert "chekc" in said


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("vendor.github-actions", "action.yml"),
        ("vendor.github-workflows", ".github/workflows/*.yml"),
        ("vendor.dependabot", ".github/dependabot.yml"),
    ],
)
def test_the_schemas_hold(everything, schema, pattern):
    files = [str(path) for path in everything.glob(pattern)]
    code, said = linted("check-jsonschema", "--builtin-schema", schema, *files, folder=everything)
    assert code == 0, said
    assert files


def test_pre_commit_reads_the_configuration_in_the_documents(tmp_path):
    (text,) = [block for block in blocks("ci.md") if block.startswith("repos:")]
    (tmp_path / "config.yaml").write_text(text.replace("COMMIT", "0123456789abcdef0123456789abcdef01234567"))
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-config", str(tmp_path / "config.yaml")],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    (hook,) = yaml.safe_load(text)["repos"][0]["hooks"]
    (ours,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["id"] == ours["id"]


def test_what_is_to_be_copied_has_eight_lines_at_most():
    counts = [len(block.splitlines()) for block in blocks("ci.md")]
    assert len(counts) == 4
    assert max(counts) <= 8


def texts() -> dict[str, str]:
    return shown() | {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in FILES}


def test_every_action_is_a_commit_with_its_version():
    versions: dict[str, set[str]] = {}
    for name, text in texts().items():
        for action, commit, comment in re.findall(r"uses: ([\w./-]+)(@[^\s,}]+)?[^#\n]*(?:# (v[0-9.]+))?$", text, re.MULTILINE):
            if action == "./" or action + commit == PLACEHOLDER:
                continue
            assert re.fullmatch("@[0-9a-f]{40}", commit), (name, action)
            assert re.fullmatch(r"v[0-9]+\.[0-9]+\.[0-9]+", comment), (name, action)
            owner, project = action.split("/")[:2]
            versions.setdefault(f"{owner}/{project}", set()).add(f"{commit} {comment}")
    assert len(versions) == 7
    assert {action for action, each in versions.items() if len(each) > 1} == set()


def uses(node: Any) -> list[dict[str, str]]:
    """The inputs of each use of this action in a workflow."""
    if isinstance(node, dict):
        if node.get("uses") in {"./", PLACEHOLDER}:
            return [node["with"]]
        return [found for value in node.values() for found in uses(value)]
    return [found for value in node for found in uses(value)] if isinstance(node, list) else []


def test_the_inputs_are_those_of_the_action():
    inputs = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
    given = [found for text in texts().values() for found in uses(yaml.safe_load(text))]
    assert len(given) == 5
    assert all(each.keys() <= inputs.keys() for each in given)


def test_the_documents_name_every_input_and_output():
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    named = set(re.findall(r"`([\w-]+)`", "".join(re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE))))
    assert named == action["inputs"].keys() | action["outputs"].keys()


def test_no_job_that_runs_foreign_code_may_write():
    for name, text in texts().items():
        workflow = yaml.safe_load(text)
        assert not {"pull_request_target", "workflow_run"} & set(workflow.get(True) or ()), name
        for job in workflow.get("jobs", {}).values():
            granted = job.get("permissions", workflow.get("permissions"))
            assert not uses(job) or granted == {"contents": "read"}, name
