"""The workflow in docs/scale.md: it is YAML, its jobs fit together, and its commands do what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import packages
import pytest
from project import RUNNER, Project

yaml = pytest.importorskip("yaml")

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


class Actions:
    """As much of GitHub's runner as that workflow asks of it: workspaces, artifacts, outputs, expressions by name."""

    def __init__(self, repository: Project, folder: Path) -> None:
        self._repository = repository
        self._folder = folder
        self.artifacts: dict[str, Path] = {}
        self.outputs: dict[str, str] = {}

    def do(self, name: str, job: Mapping[str, Any], **values: str) -> Path:
        """Do the steps of `job` in a new workspace, which is returned."""
        workspace = self._folder / name
        for step in job["steps"]:
            given = {key: _filled(str(value), values) for key, value in step.get("with", {}).items()}
            match step.get("uses", "").partition("@")[0]:
                case "actions/checkout":
                    workspace.mkdir()
                    shutil.copytree(self._repository.index, workspace / "index")
                    shutil.copy(self._repository.config, workspace)
                case "actions/upload-artifact":
                    self._upload(given["name"], [workspace / path for path in given["path"].split()])
                case "actions/download-artifact":
                    self._download(given, workspace / given["path"])
                case "":
                    self._shell(
                        step["run"], workspace, {key: _filled(value, values) for key, value in step.get("env", {}).items()}
                    )
                case other:
                    assert other == "actions/setup-python"
        return workspace

    def _upload(self, name: str, paths: list[Path]) -> None:
        """Of several paths the artifact's root is their common folder, of one that path itself."""
        assert name not in self.artifacts
        root = Path(os.path.commonpath(paths))
        assert not any(part.startswith(".") for path in paths for part in path.relative_to(self._folder).parts)
        self.artifacts[name] = self._folder / "artifacts" / name
        for path in paths:
            shutil.copytree(path, self.artifacts[name] / path.relative_to(root))

    def _download(self, given: Mapping[str, str], target: Path) -> None:
        """A named artifact is laid into `target`; several, by a pattern, each into a folder of its name there."""
        if "name" in given:
            shutil.copytree(self.artifacts[given["name"]], target)
            return
        for name, content in self.artifacts.items():
            if name.startswith(given["pattern"].removesuffix("*")):
                shutil.copytree(content, target / name)

    def _shell(self, command: str, workspace: Path, variables: Mapping[str, str]) -> None:
        assert "${{" not in command
        if command.startswith("python -m pip install"):
            return
        with_fakes = command.replace("python -m harness", shlex.join([sys.executable, str(RUNNER)]))
        output = self._folder / "output"
        output.write_text("")
        environ = {**os.environ, **variables, "GITHUB_OUTPUT": str(output)}
        subprocess.run(
            ["bash", "-e", "-c", with_fakes], cwd=workspace, env=environ, check=True, capture_output=True, timeout=60
        )
        self.outputs.update(line.split("=", 1) for line in output.read_text().splitlines())


def _filled(text: str, values: Mapping[str, str]) -> str:
    filled = re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: values[found[1]], text)
    assert "${{" not in filled
    return filled


@pytest.fixture
def workflow() -> dict[Any, Any]:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    read: dict[Any, Any] = yaml.safe_load(text)
    return read


def test_jobs_wait_for_what_they_use(workflow):
    jobs = workflow["jobs"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {"plan": None, "shard": "plan", "merge": "shard"}
    assert jobs["plan"]["outputs"] == {"shards": "${{ steps.deal.outputs.shards }}"}
    assert jobs["shard"]["strategy"]["matrix"] == "${{ fromJSON(needs.plan.outputs.shards) }}"
    # YAML 1.1 reads the key `on` as true.
    assert workflow[True] == "workflow_dispatch"


def test_the_jobs_give_the_report_of_one_run(workflow, project, tmp_path):
    project.publish(packages.torch("2.2.0"), packages.onnxruntime("1.17.0"))
    project.configure({"torch": ["2.1.0", "2.2.0"], "onnxruntime": ["1.16.3", "1.17.0"]})
    (tmp_path / "github").mkdir()
    actions = Actions(project, tmp_path / "github")
    actions.do("plan", workflow["jobs"]["plan"])
    shards = json.loads(actions.outputs["shards"])["include"]
    assert [shard["shard"] for shard in shards] == ["1/2", "2/2"]
    for number, shard in enumerate(shards):
        values = {"matrix.shard": shard["shard"], "strategy.job-index": str(number)}
        actions.do(f"shard-{number}", workflow["jobs"]["shard"], **values)
    actions.do("merge", workflow["jobs"]["merge"])
    report = json.loads((actions.artifacts["reports"] / "matrix.json").read_text())
    assert {cell["id"]: cell["status"] for cell in report["cells"]} == {
        identifier: cell["status"] for identifier, cell in project.run().items()
    }
