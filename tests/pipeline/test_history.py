"""What the runs of a project came to, one after the other, and what no command but `run` and `merge` adds to that."""

from __future__ import annotations

import json
import re

import packages
import pytest
from packages import KILLED
from project import PYTHON, Project, printed

pytestmark = pytest.mark.usefixtures("installed_once")

TRAP = "import numpy\nif numpy.__version__ >= '2.2': raise ImportError('built against numpy 2.1')"
CELL = f"py{PYTHON.replace('.', '')}-t210-tf4463-o1162-r1163"


def lines(project: Project) -> list[dict[str, object]]:
    return list(map(json.loads, (project.reports / "history.jsonl").read_text().splitlines()))


def history(project: Project, cell: str = CELL, *arguments: str) -> str:
    answer = printed("history", cell, "--reports", str(project.reports), *arguments)
    assert answer.code == 0, answer.err
    return answer.out


@pytest.fixture(scope="module")
def weeks(tmp_path_factory) -> Project:
    """Three runs: a new numpy breaks the cell in the second, and an onnxruntime is on the axis in the third."""
    made = Project.working(tmp_path_factory.mktemp("weeks"))
    made.publish(packages.onnxruntime("1.16.3", on_import=TRAP), packages.onnxruntime("1.18.0"))
    made.run()
    made.publish(packages.package("numpy", "2.2.0"))
    made.run("--refresh")
    made.configure({"onnxruntime": ["1.16.3", "1.18.0"]})
    made.run()
    return made


def test_each_run_adds_a_line(weeks):
    found = lines(weeks)
    locks = [cell["lock"][:8] for cell in weeks.cells().values()]
    assert [list(line["cells"]) for line in found] == [["works"], ["fails"], ["fails", "works"]]
    assert found[2]["cells"] == {"fails": {CELL: locks[0]}, "works": {CELL.replace("r1163", "r1180"): locks[1]}}
    assert {line["probe"] for line in found} == {weeks.report()["probe"]["id"]}


def test_the_history_of_a_cell(weeks):
    first, second, third = lines(weeks)
    old, new = first["cells"]["works"][CELL], second["cells"]["fails"][CELL]
    shown = history(weeks).splitlines()
    assert shown[0] == f"{CELL}: fails since {second['time']}, in 2 of 3 runs"
    data = json.loads(history(weeks, CELL, "--format", "json"))
    assert [(run["id"], run["status"], run["changed"]) for run in data["runs"]] == [
        (first["id"], "works", []),
        (second["id"], "fails", ["status works → fails", f"lock {old} → {new}"]),
        (third["id"], "fails", []),
    ]
    assert f"status works → fails; lock {old} → {new}" in history(weeks, CELL, "--format", "markdown")


def test_the_page_has_a_line_of_the_numbers_of_working_cells(weeks):
    days = [str(line["time"])[:10] for line in lines(weeks)]
    page = (weeks.reports / "matrix.html").read_text()
    (label,) = re.findall(r'<svg [^>]*role="img" aria-label="([^"]*)"', page)
    # The page of the last run has no line of its own in the file yet, and the time of its newest result.
    day = str(weeks.report()["generated"])[:10]
    assert label == f"combinations that work, run by run: 1 of 1 on {days[0]}, 0 of 1 on {days[1]}, 1 of 2 on {day}"
    assert re.findall(r'<polyline class="working" points="([^"]*)"', page) == ["4.0,24.0 120.0,44.0 236.0,24.0 "]
    assert f"1 of 2 now; 1 of 1 on {days[0]}, 2 runs earlier" in page


def test_the_first_run_has_no_line_of_runs(project):
    project.run()
    assert "<svg" not in (project.reports / "matrix.html").read_text()


def test_a_report_of_the_last_run_is_no_further_run(weeks, tmp_path):
    project = weeks.copy(tmp_path / "copy")
    project.main("report")
    page = (project.reports / "matrix.html").read_text()
    assert page.count("<polyline") == 2
    assert "1 of 2 now" in page
    assert "2 runs earlier" in page


def test_a_run_without_the_cell_is_not_listed(weeks):
    shown = json.loads(history(weeks, CELL.replace("r1163", "r1180"), "--format", "json"))
    assert [run["id"] for run in shown["runs"]] == [lines(weeks)[2]["id"]]


def test_an_unknown_cell_is_an_error_with_near_ids(weeks):
    answer = printed("history", CELL.replace("r1163", "r1164"), "--reports", str(weeks.reports))
    assert (answer.code, answer.out) == (2, "")
    assert f"did you mean '{CELL}'?" in answer.err


def test_without_a_history_the_command_says_what_makes_one(tmp_path):
    answer = printed("history", CELL, "--reports", str(tmp_path))
    assert (answer.code, answer.out) == (2, "")
    assert "history.jsonl has no runs: `python -m harness run` adds a line for each run" in " ".join(answer.err.split())


def test_a_damaged_line_is_named_and_stays(weeks, tmp_path):
    project = weeks.copy(tmp_path / "copy")
    path = project.reports / "history.jsonl"
    damaged = path.read_text().replace("\n", "\n<<<<<<< HEAD\n", 1)
    path.write_text(damaged)
    assert f"line 2 of {path} is skipped: it is a mark of a merge conflict" in history(project)
    project.run("--publish", "--force")
    assert path.read_text().startswith(damaged)
    assert len(json.loads(history(project, CELL, "--format", "json"))["runs"]) == 4


def test_report_adds_nothing_and_publishing_keeps_it(weeks, tmp_path):
    project = weeks.copy(tmp_path / "copy")
    before = (project.reports / "history.jsonl").read_bytes()
    assert project.main("report", "--publish").code == 0
    assert (project.reports / "logs").is_dir()
    assert (project.reports / "history.jsonl").read_bytes() == before


def test_a_merge_is_the_run_of_its_shards_once(weeks, tmp_path):
    reports = tmp_path / "reports"
    for _ in range(2):
        answer = weeks.main("merge", str(weeks.reports / "matrix.json"), "--reports", str(reports))
        assert answer.code == 0, answer.err
    (line,) = map(json.loads, (reports / "history.jsonl").read_text().splitlines())
    assert line["cells"] == lines(weeks)[2]["cells"]


def test_a_run_that_observes_nothing_adds_nothing(project):
    project.publish(packages.torch(on_import=KILLED))
    assert project.main().code == 3
    assert not (project.reports / "history.jsonl").exists()
