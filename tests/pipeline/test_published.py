"""What a published report answers to those who run nothing, and what `--publish` puts beside one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import packages
import pytest
from packages import raises
from project import Answer, Project, harness, printed

from harness import report_locations
from harness.report import files
from harness.verdicts import report_file
from harness.verdicts.report_schema import ADAPTER

ROOT = Path(__file__).resolve().parents[2]
MATRIX = json.loads((ROOT / "reports" / "matrix.json").read_text(encoding="utf-8"))
ELSEWHERE = MATRIX["recommended_elsewhere"]
WORKS = [cell for cell in MATRIX["cells"] if cell["status"] == "works"]
FAILS = next(cell for cell in MATRIX["cells"] if cell["status"] == "fails")


def test_show_in_an_empty_folder_is_the_published_report(tmp_path):
    code, out, err = harness(tmp_path, "show")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"{len(WORKS)} of {len(MATRIX['cells'])} combinations work"
    assert lines.index("Pin this") < min(lines.index(title) for title in lines if title.startswith("torch "))
    assert all(cell in out for cell in MATRIX["recommended"].values())
    assert list(tmp_path.iterdir()) == []


def test_show_prefers_the_report_of_the_folder_and_takes_a_name(tmp_path):
    name = next(path.parent.name for path in sorted((ROOT / "reports" / "catalogue").glob("*/matrix.json")))
    case = report_file.read(ROOT / "reports" / "catalogue" / name / "matrix.json")
    code, out, _ = harness(tmp_path, "show", f"catalogue/{name}", "--format", "json")
    assert (code, ADAPTER.validate_json(out)) == (0, case)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "matrix.json").write_text(
        json.dumps({**MATRIX, "cells": MATRIX["cells"][:1], "rules": [], "recommended": {}, "recommended_elsewhere": {}})
    )
    assert len(json.loads(harness(tmp_path, "show", "--format", "json")[1])["cells"]) == 1
    code, _, err = harness(tmp_path, "show", "catalog")
    assert code == 2
    assert "no published report is named 'catalog'" in err


def test_a_report_of_ones_own_goes_before_a_published_one_of_its_name(tmp_path):
    own = {**MATRIX, "cells": MATRIX["cells"][:1], "rules": [], "recommended": {}, "recommended_elsewhere": {}}
    (tmp_path / "matrix").mkdir()
    # A folder without a report is none.
    assert len(json.loads(harness(tmp_path, "show", "matrix", "--format", "json")[1])["cells"]) == len(MATRIX["cells"])
    (tmp_path / "matrix" / "matrix.json").write_text(json.dumps(own))
    assert len(json.loads(harness(tmp_path, "show", "matrix", "--format", "json")[1])["cells"]) == 1
    answer = harness(tmp_path, "show", str(ROOT / "reports"), "--against", "matrix", "--format", "json")
    found = json.loads(answer[1])
    assert (found["before"]["name"], len(found["new"])) == ("matrix/matrix.json", len(MATRIX["cells"]) - 1)


@pytest.fixture
def browsed(monkeypatch) -> list[str]:
    """The addresses that a browser was asked to open."""
    found: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: found.append(address) or True)
    return found


def shown(monkeypatch, folder: Path, *arguments: str) -> Answer:
    monkeypatch.chdir(folder)
    return printed("show", *arguments)


def test_show_opens_the_page_beside_a_report(project: Project, tmp_path, browsed, monkeypatch):
    project.run()
    answer = shown(monkeypatch, tmp_path, "--open", "--reports", str(project.reports))
    page = project.reports / "matrix.html"
    assert (answer.code, answer.out, browsed) == (0, "", [page.as_uri()])
    assert f"opened {page}" in answer.err


def test_show_makes_the_page_where_there_is_none(tmp_path, browsed, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    name = next(path.parent.name for path in sorted((ROOT / "reports" / "catalogue").glob("*/matrix.json")))
    assert shown(monkeypatch, tmp_path, f"catalogue/{name}", "--open").code == 0
    (page,) = tmp_path.glob("matrix-*.html")
    assert browsed == [page.as_uri()]
    case = report_file.read(ROOT / "reports" / "catalogue" / name / "matrix.json")
    works = sum(cell.status == "works" for cell in case.cells)
    assert f"<h1>{works} of {len(case.cells)} combination" in page.read_text(encoding="utf-8")


def test_show_says_where_the_page_is_where_no_browser_starts(tmp_path, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda _address: False)
    answer = shown(monkeypatch, tmp_path, "--open")
    assert answer.code == 2
    assert f"no browser can be started here; the page is {ROOT / 'reports' / 'matrix.html'}" in answer.err


def test_explain_in_an_empty_folder_explains_a_published_cell(tmp_path):
    code, out, err = harness(tmp_path, "explain", FAILS["id"])
    assert code == 0, err
    assert out.startswith(f"{FAILS['id']}: fails\n")
    variant = FAILS["variants"][0]
    assert f"cause: {variant['cause']}, {variant['certainty']}" in out
    assert variant["evidence"][0] in out
    assert "nearest cell that works" in out
    assert "not run here; from the published report matrix, measured on" in out
    code, _, err = harness(tmp_path, "explain", "py311-t999")
    assert code == 2
    assert "py311-t999" in err


def test_report_and_pin_list_in_an_empty_folder(tmp_path):
    code, out, err = harness(tmp_path, "report", "--format", "json")
    assert (code, json.loads(out)["recommended"]) == (0, MATRIX["recommended"])
    assert "nothing has run here: this is the report matrix, measured on" in err
    assert list(tmp_path.iterdir()) == []
    code, out, _ = harness(tmp_path, "pin", "--list", "--format", "json")
    assert code == 0
    assert {runtime: chosen["cell"] for runtime, chosen in json.loads(out).items()} == {
        **MATRIX["recommended"],
        **{f"{name} {version}": cell for name, cells in ELSEWHERE.items() for version, cell in cells.items()},
    }


@pytest.mark.parametrize("arguments", [["--model", "t5"], ["--profile", "base"], ["--config", "mine.toml"]])
def test_a_published_report_answers_for_its_own_matrix_and_model_alone(tmp_path, arguments):
    own = (ROOT / "matrix.toml").read_text(encoding="utf-8").replace('layouts = ["pair", "merged"]', 'layouts = ["no-cache"]')
    (tmp_path / "mine.toml").write_text(own)
    working = next(iter(MATRIX["recommended"].values()))
    code, out, _ = harness(tmp_path, "explain", working, *arguments)
    assert code == 0
    assert out.startswith(f"{working}: not-run\n")
    code, out, _ = harness(tmp_path, "pin", "--list", "--format", "json", *arguments)
    assert (code, json.loads(out)) == (0, {})


def test_a_matrix_that_is_named_must_be_there(tmp_path):
    code, _, err = harness(tmp_path, "explain", WORKS[0]["id"], "--config", "nope.toml")
    assert code == 2
    assert "nope.toml" in err


def test_pin_list_takes_requirements(tmp_path):
    runtime, cell = next(iter(MATRIX["recommended"].items()))
    code, out, _ = harness(tmp_path, "pin", "--list", "--format", "json", "--require", f"onnxruntime=={runtime}")
    assert (code, list(json.loads(out)), json.loads(out)[runtime]["cell"]) == (0, [runtime], cell)
    assert harness(tmp_path, "pin", "--list", "--require", "(((")[0] == 2
    assert harness(tmp_path, "pin", "--list", "--from", "requirements.txt")[0] == 2


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"recommended": {"1.16.3": "nope"}}, "recommended.1.16.3: nope is no cell that works"),
        ({"recommended": {"1.16.3": FAILS["id"]}}, f"{FAILS['id']} is no cell that works"),
        ({"cells": [*MATRIX["cells"], MATRIX["cells"][0]]}, "an id is there twice"),
    ],
)
def test_a_report_whose_parts_contradict_each_other(tmp_path, change, problem):
    (tmp_path / "odd.json").write_text(json.dumps({**MATRIX, **change}))
    code, _, err = harness(tmp_path, "show", "odd.json")
    assert code == 2
    assert problem in err


def test_a_store_that_knows_more_is_believed(project: Project, tmp_path):
    project.run()
    code, out, err = harness(tmp_path, "show", str(project.reports / "matrix.json"), "--format", "json")
    assert code == 0, err
    assert json.loads(out) == project.report()


def test_a_published_report_stands_alone(project: Project):
    message = "RuntimeError('no such thing')"
    runtimes = [packages.onnxruntime(version, on_run=raises(message)) for version in ("1.17.0", "1.17.1")]
    project.publish(*runtimes)
    project.configure({"onnxruntime": ["1.16.3", "1.17.0", "1.17.1"]})
    project.run("--publish")
    report = project.report()
    logs = {variant["log"] for cell in report["cells"] for variant in cell["variants"] if variant["status"] == "fails"}
    # One for both cells, which failed alike; none for the one that works.
    assert len(logs) == 1
    (working,) = (cell for cell in report["cells"] if cell["status"] == "works")
    assert [variant["log"] for variant in working["variants"]] == [None]
    (log,) = logs
    text = (project.reports / log).read_text(encoding="utf-8")
    assert "RuntimeError: no such thing" in text
    assert "Traceback" in text
    assert str(project.root) not in text
    assert log in (project.reports / "matrix.md").read_text(encoding="utf-8")
    # What a later report does not name is not left.
    project.configure({"onnxruntime": ["1.16.3"]})
    project.run("--publish")
    assert list((project.reports / "logs").iterdir()) == []


def test_a_large_report_is_published_compressed(project: Project, monkeypatch, tmp_path):
    project.run("--publish")
    written = project.report()
    monkeypatch.setattr(files, "_LARGE", 100)
    assert project.main("report", "--publish").code == 0
    assert not (project.reports / "matrix.json").exists()
    _, shown, _ = harness(tmp_path, "show", str(project.reports / "matrix.json.gz"), "--format", "json")
    assert json.loads(shown)["cells"] == written["cells"]
    # The one in the folder of reports is it, too.
    assert harness(tmp_path, "show", "--reports", str(project.reports), "--format", "json")[1] == shown
    project.run()
    assert [cell["id"] for cell in project.report()["cells"]] == [cell["id"] for cell in written["cells"]]
    assert not (project.reports / "matrix.json.gz").exists()


@pytest.mark.parametrize("path", report_locations.reports().values(), ids=report_locations.reports().keys())
def test_no_published_report_names_a_log_that_is_not_there(path):
    report = json.loads(report_file.content(path))
    named = {variant["log"] for cell in report["cells"] for variant in cell["variants"] if variant["log"]}
    assert [log for log in sorted(named) if not (path.parent / log).is_file()] == []


def test_the_log_of_a_failure_has_its_traceback(project: Project):
    project.publish(packages.onnxruntime("1.17.0", on_run=raises("RuntimeError('no such thing')")))
    project.configure({"onnxruntime": ["1.17.0"]})
    (cell,) = project.run().values()
    log = (project.store / cell["variants"][0]["log"]).read_text(encoding="utf-8")
    assert f"fails at {cell['variants'][0]['stage']} ---\nTraceback" in log
    assert "RuntimeError: no such thing" in log


def test_the_table_of_the_readme_is_the_published_one():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if re.match(r"\| onnxruntime\S* 1\.", line)
    ]
    cells = {cell["id"]: cell for cell in MATRIX["cells"]}
    expected = []
    recommended = {"onnxruntime": MATRIX["recommended"], **ELSEWHERE}
    for runtime, name in ((f"{name} {version}", cell) for name, own in recommended.items() for version, cell in own.items()):
        pins = cells[name]["pins"]
        works = [f"{one['exporter']} {one['layout']}" for one in cells[name]["variants"] if one["status"] == "works"]
        resolved = cells[name]["resolved"] or cells[name]["resolved_sides"]["export"]
        versions = [pins["torch"], pins["transformers"], pins["onnx"], resolved["numpy"], resolved["onnxscript"]]
        expected.append([runtime, cells[name]["python"], *versions, ", ".join(works)])
    assert rows == expected
    assert f"{len(WORKS)} of the {len(MATRIX['cells'])} combinations work" in text
    assert all(f"`{rule}`" in text for rule in [MATRIX["rules"][2]["text"]])
