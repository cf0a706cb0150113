"""The catalogue: its cases can be read, what was measured is what they expect, and a difference is noticed."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.matrix import load
from harness.model import Status
from harness.verdicts.report_schema import ADAPTER

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("catalogue_run", ROOT / "catalogue" / "run.py")
assert SPEC is not None
assert SPEC.loader is not None
run = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = run  # dataclasses look there
SPEC.loader.exec_module(run)

FOLDERS = sorted(path.parent for path in (ROOT / "catalogue").glob("*/matrix.toml"))
MEASURED = [folder for folder in FOLDERS if (ROOT / "reports" / "catalogue" / folder.name / "matrix.json").exists()]


def named(folders):
    return pytest.mark.parametrize("folder", folders, ids=lambda folder: folder.name)


@named(FOLDERS)
def test_a_case_can_be_read(folder):
    case = run.read(folder)
    assert case.source
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", source) for source in case.source)
    assert case.cells or case.expect
    title, claimed, measured = (folder / "README.md").read_text(encoding="utf-8").split("\n\n")
    assert title.startswith("# ")
    assert claimed.startswith("**Claimed.** ")
    assert measured.removeprefix("**Measured.**").strip()
    for config in {"matrix.toml", *(question.config for question in case.question)} if not case.large else ():
        load.load(folder / config)


@named(MEASURED)
def test_what_was_measured_is_what_a_case_expects(folder):
    assert run.result(folder).differences == ()


def test_every_case_but_the_large_ones_is_measured():
    assert [folder.name for folder in FOLDERS if folder not in MEASURED and not run.read(folder).large] == []


def test_the_published_table_is_of_these_cases():
    table = run.table([run.result(folder) for folder in FOLDERS])
    assert table in (ROOT / "reports" / "catalogue" / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def measured():
    """A case with its report: (case, report, answers)."""
    folder = next(folder for folder in MEASURED if run.read(folder).expect)
    return (run.read(folder), *run.published(folder.name))


def test_a_difference_is_noticed(measured):
    case, report, answers = measured
    assert list(run.differences(case, report, answers)) == []
    cells = [
        replace(cell, variants=[replace(variant, status=Status.ERROR) for variant in cell.variants]) for cell in report.cells
    ]
    found = list(run.differences(case, replace(report, cells=cells), answers))
    assert len(found) >= len(case.expect)
    assert all("error, not" in text for text in found if "is None" not in text)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"where": "onnxruntime>=99"}, "no variant is onnxruntime>=99"),
        ({"stage": "nowhere"}, "not 'nowhere'"),
        ({"error": "*no such message*"}, "not '*no such message*'"),
        ({"remedy": "no such remedy"}, "no remedy 'no such remedy'"),
    ],
)
def test_every_expectation_can_fail(measured, change, said):
    case, report, answers = measured
    expected = [each.model_copy(update=change) for each in case.expect]
    found = list(run.differences(case.model_copy(update={"expect": expected}), report, answers))
    assert found
    assert all(said in text for text in found if said.split()[0] in text)
    assert any(said in text for text in found)


@pytest.mark.parametrize(
    ("text", "pattern", "matches"),
    [
        ("[ONNXRuntimeError] : 1 : FAIL", "[ONNXRuntimeError]*", True),
        ("onnx 1.16.3", "onnx 1?16?3", False),
        ("a\nb", "a*b", True),
        ("torch 2.6.0 (also 2.7)", "torch 2.6.0*", True),
        ("a torch 2.6.0", "torch 2.6.0*", False),
    ],
)
def test_a_star_stands_for_anything_and_nothing_else_does(text, pattern, matches):
    assert run._matches(text, pattern) is matches


def test_questions_must_be_answered(measured):
    case, report, _ = measured
    question = run.Question(command="check", arguments=[], answer="BREAKS*", contains=["numpy"])
    asked = case.model_copy(update={"question": [question]})
    assert list(run.differences(asked, report, [])) == ["0 of 1 questions are answered"]
    assert list(run.differences(asked, report, ["BREAKS: x\n  mended by numpy"])) == []
    assert list(run.differences(asked, report, ["SAFE\n"])) == [
        "check answers 'SAFE', not 'BREAKS*'",
        "check does not say 'numpy'",
    ]


def test_a_case_with_an_unknown_key_is_refused(tmp_path):
    (tmp_path / "case.toml").write_text('source = ["a/b#1"]\nreproduces = "yes"\nexpected = []\n')
    with pytest.raises(SystemExit, match="expected"):
        run.read(tmp_path)


def test_published_reports_of_cases_are_reports():
    for folder in MEASURED:
        path = ROOT / "reports" / "catalogue" / folder.name / "matrix.json"
        assert ADAPTER.validate_python(json.loads(path.read_text(encoding="utf-8"))).cells
