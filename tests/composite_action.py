"""As much of GitHub's runner as action.yml asks of it: inputs, outputs, conditions, and a process for each shell step."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from project import RUNNER

ROOT = Path(__file__).parents[1]
ACTION = ROOT / "action.yml"

# The real one would fetch what the project depends on. This notes how it was called, and the program that the next step
# runs is the project as it is here, with the fake probe.
_UV = f"""#!/bin/bash
printf '%s\\n' "$PWD: uv $*" >> "$UV_CALLS"
[[ $1 != venv ]] || {{ mkdir -p "${{@: -1}}/bin"; exit; }}
program="$RUNNER_TEMP/export-matrix-venv/bin/export-matrix"
printf '#!/bin/bash\\nexec {shlex.join([sys.executable, str(RUNNER)])} "$@"\\n' > "$program"
chmod +x "$program"
"""


@dataclass(kw_only=True, slots=True)
class Done:
    """What a use of the action gave."""

    code: int = 0
    """Of the first step that failed; 0 if none did."""
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    uses: dict[str, dict[str, str]] = field(default_factory=dict)
    """Other actions that were used, without their commits → their inputs."""
    uv: list[str] = field(default_factory=list)
    """Working folder and arguments of each call of uv."""


class Runner:
    """Runs the steps of action.yml in a workspace."""

    def __init__(self, workspace: Path, temporary: Path) -> None:
        self._workspace = workspace
        self._temporary = temporary
        (temporary / "bin").mkdir(parents=True)
        (temporary / "bin" / "uv").write_text(_UV)
        (temporary / "bin" / "uv").chmod(0o755)

    def use(self, **inputs: str) -> Done:
        """`uses:` with these inputs; an underscore in a name stands for a dash."""
        action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        assert given.keys() <= action["inputs"].keys()
        known = {f"inputs.{name}": given.get(name, each["default"]) for name, each in action["inputs"].items()}
        known |= {"runner.os": "Linux", "runner.arch": "X64", "github.run_id": "7"}
        done = Done()
        for step in action["runs"]["steps"]:
            self._step(step, known, done)
        done.outputs = {name: filled(each["value"], known) for name, each in action["outputs"].items()}
        done.uv = (self._temporary / "uv-calls").read_text().splitlines()
        return done

    def job(self, job: Mapping[str, Any], known: Mapping[str, str]) -> list[Done]:
        """Run a job's shell steps, and its uses of this action, until one fails; returns what each of the latter gave.

        `known` has the values of the job's expressions besides `runner.temp`.
        """
        known = {"runner.temp": str(self._temporary), **known}
        uses: list[Done] = []
        for step in job["steps"]:
            if "run" in step:
                variables = {name: filled(text, known) for name, text in step.get("env", {}).items()}
                environ = {**os.environ, **variables, "RUNNER_TEMP": str(self._temporary)}
                # Where a step names no shell it has no pipefail.
                options = "-eo pipefail" if step.get("shell") == "bash" else "-e"
                command = ["bash", *options.split(), "-c", step["run"]]
                subprocess.run(command, cwd=self._workspace, env=environ, check=True, timeout=60)
            elif step["uses"].partition("@")[0] in {"./", "OWNER/REPO"}:
                uses.append(self.use(**{name: filled(text, known) for name, text in step["with"].items()}))
                if uses[-1].code:
                    break
        return uses

    def _step(self, step: Mapping[str, Any], known: dict[str, str], done: Done) -> None:
        if not _holds(step.get("if", "success()"), known, failed=done.code != 0):
            return
        if "uses" in step:
            done.uses[step["uses"].partition("@")[0]] = {key: filled(text, known) for key, text in step["with"].items()}
            return
        assert "${{" not in step["run"]
        files = {name: self._temporary / f"{name}-{step['id']}" for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.write_bytes(b"")
        environ = os.environ | {name: filled(text, known) for name, text in step["env"].items()}
        environ |= {name: str(file) for name, file in files.items()}
        environ |= {"RUNNER_TEMP": str(self._temporary), "GITHUB_ACTION_PATH": str(ROOT)}
        environ |= {"UV_CALLS": str(self._temporary / "uv-calls")}
        if step["id"] == "install":
            environ["PATH"] = f"{self._temporary / 'bin'}:{environ['PATH']}"
        # As GitHub starts `shell: bash`.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        ended = subprocess.run(
            command, cwd=self._workspace, env=environ, check=False, text=True, timeout=120,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        done.log += ended.stdout
        done.code = done.code or ended.returncode
        outcome = "failure" if ended.returncode else "success"
        written = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines())
        known |= {f"steps.{step['id']}.outputs.{name}": value for name, value in written.items()}
        known |= {f"steps.{step['id']}.outcome": outcome}


def filled(text: str, known: Mapping[str, str]) -> str:
    """`text` with the values of its expressions; an output that no step wrote is empty."""

    def value(found: re.Match[str]) -> str:
        return known.get(found[1], "") if found[1].startswith("steps.") else known[found[1]]

    return re.sub(r"\$\{\{ ([\w.-]+) \}\}", value, text)


def _holds(condition: str, known: Mapping[str, str], *, failed: bool) -> bool:
    """Whether a step runs: a condition without a function of status asks for success too."""
    text = condition.removeprefix("${{ ").removesuffix(" }}")
    words = [re.fullmatch(r"(inputs|steps)\.[\w.-]+", word) for word in text.split()]
    names = [
        repr(filled(f"${{{{ {word[0]} }}}}", known)) if word else plain for word, plain in zip(words, text.split(), strict=True)
    ]
    source = " ".join(names).replace("&&", "and").replace("always()", "True").replace("success()", repr(not failed))
    holds: bool = eval(source)
    return holds and ("()" in text or not failed)
