"""Every command shows its answer in every format, one that was added included."""

from __future__ import annotations

import json

import packages
import pytest
from project import Project

from harness.report.formats import FORMATS

pytestmark = pytest.mark.usefixtures("installed_once")

FOUR = "torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.16.3\n"


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Project:
    """One cell that works and one that fails, all run."""
    made = Project.working(tmp_path_factory.mktemp("formats"))
    made.publish(packages.onnxruntime("1.17.0", on_run=packages.raises("RuntimeError('a < b')")))
    made.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    made.remedies = True
    made.run()
    (made.root / "requirements.txt").write_text(FOUR)
    return made


def commands(project: Project) -> dict[str, tuple[str, ...]]:
    """Command → its arguments."""
    requirements = str(project.root / "requirements.txt")
    return {
        "plan": (),
        "report": (),
        "cell": ("*r1170",),
        "explain": ("*r1170",),
        "check": ("--from", requirements),
        "bisect": ("--from", requirements, "--axis", "onnxruntime", "--good", "1.16.3", "--bad", "1.17.0"),
        "pin": ("--require", "onnxruntime==1.16.3"),
    }


def test_a_new_format_is_at_once_a_choice_of_every_command(known, monkeypatch):
    monkeypatch.setitem(FORMATS, "toy", "toy_format:ToyFormat")
    answers = {
        command: known.main(command, *arguments, "--format", "toy").out for command, arguments in commands(known).items()
    }
    failing, working = (next(name for name in known.cells() if name.endswith(end)) for end in ("r1170", "r1163"))
    assert answers == {
        "plan": "Plan: 2 cells, 2 variants\n",
        "report": "Report: Which versions work together\n",
        "cell": f"Verdict: {failing}: fails\n",
        "explain": f"ExplainedCell: {failing}: fails\n",
        "check": "Checked: SAFE: the set as it is\n",
        "bisect": "Bisected: onnxruntime 1.17.0 is the first that breaks\n",
        "pin": f"WrittenPin: {working} works, and was confirmed in a fresh environment\n",
    }


def test_a_new_format_with_a_suffix_is_a_file_of_the_reports(known, monkeypatch):
    monkeypatch.setitem(FORMATS, "toy", "toy_format:ToyFormat")
    answer = known.main("report")
    assert (known.reports / "matrix.toy").read_text() == "Report: Which versions work together\n"
    assert "matrix.toy" in answer.err


def test_no_command_has_a_format_for_itself(known):
    for command, arguments in commands(known).items():
        shown = {name: known.main(command, *arguments, "--format", name) for name in FORMATS}
        assert len({answer.code for answer in shown.values()}) == 1, command
        json.loads(shown["json"].out)
        assert shown["markdown"].out.startswith("# ")
        assert shown["github"].out.startswith('{"include"' if command == "plan" else "::"), command
        assert len({answer.out for answer in shown.values()}) == len(FORMATS)


def test_a_job_summary_is_the_page_in_markdown(known, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (failing,) = (name for name in known.cells() if name.endswith("r1170"))
    answer = known.main("explain", failing, "--format", "github")
    assert answer.out == f"::notice title=export-matrix::{failing}: fails\n"
    assert (tmp_path / "summary.md").read_text() == known.main("explain", failing, "--format", "markdown").out


def test_explain_for_programs(known):
    (failing,) = (cell for name, cell in known.cells().items() if name.endswith("r1170"))
    found = json.loads(known.main("explain", failing["id"], "--format", "json").out)
    assert found["cell"] == failing
    assert found["nearest"]["axes"] == [{"name": "onnxruntime", "here": "1.17.0", "there": "1.16.3"}]
    assert found["command"].startswith(f"python -m harness cell {failing['id']} --config")
