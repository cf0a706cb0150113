"""Every command shows its answer in every format, one that was added included."""

from __future__ import annotations

import csv
import io
import json

import packages
import pytest
from junitparser import JUnitXml
from project import Project
from schemas import valid_junit, valid_sarif

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
        "plan": "PlannedWork: 2 cells, 2 variants\n",
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
        header, *rows = csv.reader(io.StringIO(shown["csv"].out, newline=""))
        assert {len(row) for row in rows} == {len(header)}, command
        valid_junit(shown["junit"].out)
        valid_sarif(shown["sarif"].out)
        assert len({answer.out for answer in shown.values()}) == len(FORMATS)


def test_a_job_summary_is_the_page_in_markdown(known, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (failing,) = (name for name in known.cells() if name.endswith("r1170"))
    answer = known.main("explain", failing, "--format", "github")
    assert answer.out == f"::notice title=export-matrix::{failing}: fails\n"
    assert (tmp_path / "summary.md").read_text() == known.main("explain", failing, "--format", "markdown").out


def test_a_report_as_rows_has_each_variant_of_matrix_json(known):
    rows = list(csv.DictReader(io.StringIO(known.main("report", "--format", "csv").out, newline="")))
    variants = [(cell, variant) for cell in known.cells().values() for variant in cell["variants"]]
    assert [(row["cell"], row["onnxruntime"], row["status"], row["stage"]) for row in rows] == [
        (cell["id"], cell["pins"]["onnxruntime"], variant["status"], variant["stage"] or "") for cell, variant in variants
    ]
    assert [float(row["seconds"]) for row in rows] == [variant["seconds"] for _, variant in variants]
    assert [row["error"] for row in rows if row["error"]] == [
        " ".join(variant["error"].split()) for _, variant in variants if variant["error"]
    ]


def test_a_report_as_tests_has_a_case_for_each_cell(known):
    (suite,) = JUnitXml.fromstring(known.main("report", "--format", "junit").out.encode())
    assert {case.name: [type(result).__name__ for result in case.result] for case in suite} == {
        name: {"works": [], "fails": ["Failure"]}[cell["status"]] for name, cell in known.cells().items()
    }
    (failure,) = (result for case in suite for result in case.result)
    assert failure.type == "decode"
    assert "a < b" in failure.message


def test_a_report_names_the_line_of_the_matrix(known, monkeypatch):
    monkeypatch.chdir(known.root)
    lines = known.config.read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if '"1.17.0"' in text)
    summary, failure = known.main("report", "--format", "github").out.splitlines()
    assert summary == "::notice file=matrix.toml,title=export-matrix::2 cells: 1 works, 1 fails"
    place_of_it = f"file=matrix.toml,line={line},title=export-matrix%3A fails at decode"
    assert failure.startswith(f"::warning {place_of_it}::onnxruntime 1.17.0 (1 cell, 1 variant)%0A")
    (run,) = valid_sarif(known.main("report", "--format", "sarif").out)["runs"]
    assert [(result["ruleId"], result["level"], place(result)) for result in run["results"]] == [
        ("decode", "warning", ("matrix.toml", line))
    ]


def place(result) -> tuple[str, int | None]:
    (location,) = result["locations"]
    physical = location["physicalLocation"]
    return physical["artifactLocation"]["uri"], physical.get("region", {}).get("startLine")


def test_a_check_names_the_line_that_pins(known, monkeypatch):
    monkeypatch.chdir(known.root)
    question = ("--from", "requirements.txt", "--to", "onnxruntime==1.17.0", "--quiet")
    answers = {name: known.main("check", *question, "--format", name) for name in ("sarif", "github", "junit", "csv")}
    assert {answer.code for answer in answers.values()} == {1}
    (run,) = valid_sarif(answers["sarif"].out)["runs"]
    assert [(result["ruleId"], result["level"], place(result)) for result in run["results"]] == [
        ("decode", "error", ("requirements.txt", 4))
    ]
    assert str(known.root) not in answers["sarif"].out
    assert answers["github"].out.startswith(
        "::error file=requirements.txt,line=4,title=export-matrix check%3A BREAKS::onnxruntime 1.16.3 → 1.17.0%0A"
    )
    ((case,),) = JUnitXml.fromstring(valid_junit(answers["junit"].out).encode())
    assert (case.name, [result.type for result in case.result]) == ("onnxruntime 1.16.3 → 1.17.0", ["decode"])
    (row,) = csv.DictReader(io.StringIO(answers["csv"].out, newline=""))
    assert (row["status"], row["file"], row["line"]) == ("fails", "requirements.txt", "4")


PYPROJECT = """\
[project]
dependencies = [
  'torch==2.1.0', 'transformers==4.46.3',
  'onnx==1.16.2',
  'onnxruntime==1.17.0',
]
"""


@pytest.mark.parametrize(
    ("name", "text", "line"), [("new.txt", FOUR.replace("1.16.3", "1.17.0"), 4), ("pyproject.toml", PYPROJECT, 5)]
)
def test_of_two_sets_the_place_is_in_the_new_one(known, monkeypatch, name, text, line):
    monkeypatch.chdir(known.root)
    (known.root / name).write_text(text)
    answer = known.main("check", "--from", "requirements.txt", "--to", name, "--quiet", "--format", "sarif")
    (run,) = valid_sarif(answer.out)["runs"]
    assert [place(result) for result in run["results"]] == [(name, line)]


def test_what_is_safe_is_no_problem(known, monkeypatch):
    monkeypatch.chdir(known.root)
    answer = known.main("check", "--from", "requirements.txt", "--quiet", "--format", "sarif")
    (run,) = valid_sarif(answer.out)["runs"]
    assert (answer.code, run["results"]) == (0, [])
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "SAFE: the set as it is"


def test_explain_for_programs(known):
    (failing,) = (cell for name, cell in known.cells().items() if name.endswith("r1170"))
    found = json.loads(known.main("explain", failing["id"], "--format", "json").out)
    assert found["cell"] == failing
    assert found["nearest"]["axes"] == [{"name": "onnxruntime", "here": "1.17.0", "there": "1.16.3"}]
    assert found["command"].startswith(f"python -m harness cell {failing['id']} --config")


@pytest.mark.parametrize("path", ["/nowhere/summary.md", "/dev/full", "."])
def test_a_job_summary_that_cannot_be_written_ends_no_command(project: Project, monkeypatch, path):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", path)
    answer = project.main("run", "--format", "github")
    assert answer.code == 0
    assert answer.out.startswith("::notice ")
    assert "GITHUB_STEP_SUMMARY cannot be written: [Errno " in answer.err
    assert "the disk is full" not in answer.err
    assert len(project.report()["cells"]) == 1
