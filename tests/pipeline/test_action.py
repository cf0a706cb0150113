"""action.yml as written: its shell steps run with GitHub's files, on fake wheels, and nothing in an input acts."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import packages
import pytest
import yaml
from composite_action import ACTION, ROOT, Done, Runner
from project import PYTHON, Project

pytestmark = pytest.mark.usefixtures("installed_once")

NEEDS_TORCH = """
    import importlib.metadata
    if importlib.metadata.version("torch") < "2.2":
        raise ImportError("a first line\\nneeds torch 2.2")
"""
FOUR = "torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.16.3\n"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Project:
    """A repository with requirements; transformers 4.47 is fine, 4.48 breaks, and what 5.0 does cannot be observed."""
    made = Project.working(tmp_path_factory.mktemp("action"))
    made.publish(
        packages.transformers("4.47.0"),
        packages.transformers("4.48.0", on_import=NEEDS_TORCH),
        packages.transformers("5.0.0", on_import=packages.KILLED),
    )
    (made.root / "requirements.txt").write_text(FOUR)
    return made


@pytest.fixture
def runner(workspace, tmp_path) -> Runner:
    return Runner(workspace.root, tmp_path / "runner")


def checked(runner: Runner, **inputs: str) -> Done:
    return runner.use(**{"from": "requirements.txt", "arguments": f"--python {PYTHON} --quiet", **inputs})


def test_a_safe_upgrade(runner):
    done = checked(runner, to="transformers==4.47.0")
    assert (done.code, done.outputs["answer"], done.outputs["exit-code"]) == (0, "SAFE", "0"), done.log
    assert "title=export-matrix check%3A SAFE::transformers 4.46.3 → 4.47.0" in done.log
    summary = Path(done.outputs["summary"])
    assert summary.read_text(encoding="utf-8").startswith("# SAFE: transformers 4.46.3 → 4.47.0\n")
    assert summary.parent == Path(done.outputs["report"]).parent


def test_an_upgrade_that_breaks_fails_the_job_and_its_results_are_kept(runner):
    done = checked(runner, to="transformers==4.48.0", artifact="answer")
    assert (done.code, done.outputs["answer"], done.outputs["exit-code"]) == (1, "BREAKS", "1"), done.log
    kept = done.uses["actions/cache/save"]
    assert kept["path"].splitlines() == [".harness/results", ".harness/artifacts", ".harness/logs"]
    assert kept["path"] == done.uses["actions/cache/restore"]["path"]
    folder = Path(done.outputs["summary"]).parent
    assert done.uses["actions/upload-artifact"] == {"name": "answer", "path": str(folder)}
    assert [path.name for path in folder.iterdir()] == ["summary.md"]


@pytest.mark.parametrize(("unknown", "code"), [("fail", 3), ("pass", 0)])
def test_what_is_not_known_is_told_apart(runner, unknown, code):
    done = checked(runner, to="transformers==5.0.0", unknown=unknown)
    assert (done.code, done.outputs["answer"], done.outputs["exit-code"]) == (code, "UNKNOWN", "3"), done.log
    assert ("nothing was proven (exit code 3)" in done.log) is (unknown == "pass")


def test_pass_lets_nothing_else_pass(runner):
    assert checked(runner, to="transformers==4.48.0", unknown="pass").code == 1


def test_a_matrix(runner, workspace):
    arguments = "--fail-on fails\n--no-remedies"
    inputs = {"config": "matrix.toml", "arguments": arguments, "from": "", "artifact": "reports"}
    done = runner.use(command="run", **inputs)
    assert (done.code, done.outputs["answer"]) == (0, "1 of 1 work"), done.log
    folder = Path(done.outputs["report"])
    assert json.loads((folder / "matrix.json").read_text())["cells"][0]["status"] == "works"
    assert folder == Path(done.uses["actions/upload-artifact"]["path"]) / "reports"
    summary = Path(done.outputs["summary"]).read_text()
    assert summary == (folder / "matrix.md").read_text()
    again = runner.use(command="report", reports="out", select="onnx==1.16.2\nonnxruntime==1.16.3", cache="false")
    assert (again.code, again.outputs["answer"], again.outputs["report"]) == (0, "1 of 1 work", "out"), again.log
    assert (workspace.root / "out" / "matrix.md").read_text() == summary
    assert not again.uses.keys() & {"actions/cache/restore", "actions/cache/save", "actions/upload-artifact"}


def test_show_and_history_read_the_reports_that_are_named(runner, workspace):
    assert runner.use(command="run", config="matrix.toml", reports="kept").code == 0
    shown = runner.use(command="show", reports="kept")
    assert (shown.code, shown.outputs["answer"]) == (0, "1 of 1 combination work"), shown.log
    (cell,) = json.loads((workspace.root / "kept" / "matrix.json").read_text())["cells"]
    done = runner.use(command="history", reports="kept", arguments=cell["id"])
    assert done.code == 0, done.log
    assert done.outputs["answer"].startswith(f"{cell['id']}: works since ")
    assert done.outputs["report"] == "kept"


def test_several_targets_are_one_on_each_line(runner):
    done = checked(
        runner, to="transformers==4.47.0\n\nonnxruntime==1.16.3\n", arguments=f'--python {PYTHON} --with "numpy < 2"'
    )
    assert (done.code, done.outputs["answer"]) == (0, "SAFE"), done.log
    assert "transformers 4.46.3 → 4.47.0" in done.log


HOSTILE = ["$(touch pwned) `touch pwned` ${PATH}", "; touch pwned | touch pwned && touch pwned", '"; touch pwned; "']


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", ["command", "from", "to", "config", "select", "arguments", "unknown"])
def test_nothing_in_an_input_acts(runner, workspace, name, text):
    done = checked(runner, **{name: text})
    assert done.code == 2, done.log
    assert not (workspace.root / "pwned").exists()
    assert done.outputs["answer"] == ""


def test_names_of_files_are_taken_as_they_are(runner, workspace):
    name = "$(touch pwned) 'a' \"b\" *.txt"
    (workspace.root / name).write_text(FOUR)
    done = checked(runner, **{"from": name})
    assert (done.code, done.outputs["answer"]) == (0, "SAFE"), done.log
    folder = "$(touch pwned); 'a' * reports"
    done = runner.use(command="report", reports=folder)
    assert (done.code, done.outputs["report"]) == (0, folder), done.log
    assert (workspace.root / folder / "matrix.json").exists()
    assert not (workspace.root / "pwned").exists()


@pytest.mark.parametrize("text", ["a\nanswer=SAFE", "requirements.txt\r\nanswer=SAFE", "\nexit-code=0"])
@pytest.mark.parametrize("name", ["command", "from", "config", "unknown", "reports", "store"])
def test_a_line_more_is_no_output(runner, name, text):
    done = checked(runner, **{name: text})
    assert (done.code, done.outputs["answer"], done.outputs["exit-code"]) == (2, "", ""), done.log
    assert "::error title=export-matrix::an input that is one line has several" in done.log


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"from": "--help"}, "--help cannot be read"),
        ({"from": "", "to": "--outdated"}, "the following arguments are required: --from"),
        ({"to": "--outdated"}, "--outdated"),
        ({"command": "--version"}, "the input command is no command"),
        ({"command": "chekc"}, "did you mean 'check'?"),
        ({"unknown": "maybe"}, "the input unknown is neither fail nor pass"),
        ({"store": ""}, "the input store is empty"),
        ({"arguments": "--with 'numpy"}, "has a quote that is not closed"),
        ({"select": "torch==2.1.0"}, "unrecognized arguments: --select"),
        ({"reports": "kept"}, "unrecognized arguments: --reports"),
    ],
)
def test_what_is_no_input_is_refused(runner, inputs, says):
    done = checked(runner, **inputs)
    assert done.code == 2, done.log
    assert says in done.log
    assert done.outputs["answer"] == ""


def test_without_an_answer_the_summary_says_so(runner):
    done = checked(runner, **{"from": "missing.txt"})
    assert (done.code, done.outputs["exit-code"]) == (2, "2")
    assert Path(done.outputs["summary"]).read_text() == "No answer (exit code 2): the log of the job says why.\n"


def test_the_action_installs_itself(runner):
    venv = re.escape(shlex.quote("export-matrix-venv"))
    done = checked(runner, **{"python-version": "3.12"})
    made, installed = done.uv
    assert re.fullmatch(rf"{ROOT}: uv venv --quiet --clear --python=3.12 \S+/{venv}", made)
    assert re.fullmatch(rf"{ROOT}: uv pip install --quiet --python=\S+/{venv} \.", installed)
    dependencies = (ROOT / "pyproject.toml").read_text()
    assert f'"uv{done.uses["astral-sh/setup-uv"]["version"]}"' in dependencies


def test_a_cache_is_for_a_platform_and_a_probe(runner):
    uses = [checked(runner).uses for _ in range(2)]
    prefix = uses[0]["actions/cache/restore"]["restore-keys"]
    assert re.fullmatch("export-matrix-Linux-X64-[0-9]+-[0-9]+-", prefix)
    saved = [use["actions/cache/save"]["key"] for use in uses]
    assert [bool(re.fullmatch(f"{prefix}7-[0-9a-f]{{16}}", key)) for key in saved] == [True, True]
    # Two uses in one job, or jobs of a matrix, of which GitHub tells the same.
    assert saved[0] != saved[1]


def test_no_expression_stands_in_a_script():
    steps = yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]
    assert [step["id"] for step in steps if "run" in step and "${{" not in step["run"]] == ["install", "run"]
