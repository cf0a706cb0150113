"""What a check says beside the lines of the files with the sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from values import PAIR, result

from harness.decide.check import Checked, CheckResult, Upgrade
from harness.decide.upgrade_steps import UpgradeStep
from harness.decide.version_sets import VersionChange
from harness.model import Stage, Status
from harness.report.page import Annotation
from harness.report.pages import check
from harness.source_lines import NOWHERE, Places
from harness.verdicts.judge import VariantVerdict

TORCH = VersionChange(name="torch", old="2.1.2", new="2.6.0")
ONNX = VersionChange(name="onnx", old="1.16.2", new="1.17.0")
LOST = VariantVerdict(
    variant=PAIR,
    status=Status.FAILS,
    results=(replace(result(Stage.LOAD, Status.FAILS, "too new"), log=f"logs/{'0' * 32}.log"),),
)
SAFE = Upgrade(answer=CheckResult.SAFE, changes=(ONNX,), forced=(), target=None)
BREAKS = replace(SAFE, answer=CheckResult.BREAKS, changes=(ONNX, TORCH), lost=(LOST,))
UNKNOWN = replace(SAFE, answer=CheckResult.UNKNOWN, reason="no index answers")


def annotations(*upgrades: Upgrade, places: Places = NOWHERE) -> list[Annotation]:
    checked = Checked(answer=upgrades[0].answer, current=None, upgrades=upgrades)
    return list(check.page(checked, Path("/on/this/machine"), places).annotations)


@pytest.fixture
def places(tmp_path, monkeypatch) -> Places:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text("onnx==1.16.2\ntorch==2.1.2\n")
    return Places([Path("requirements.txt")])


def test_how_each_answer_counts():
    already = replace(BREAKS, answer=CheckResult.FAILS_ALREADY)
    found = annotations(SAFE, UNKNOWN, already, BREAKS)
    # The worst first: GitHub shows ten.
    assert [(one.level, one.status, one.rule, one.subject) for one in found] == [
        ("error", Status.FAILS, "load", "onnx 1.16.2 → 1.17.0, torch 2.1.2 → 2.6.0"),
        ("warning", Status.ERROR, "unknown", "onnx 1.16.2 → 1.17.0"),
        ("warning", Status.FAILS, "load", "onnx 1.16.2 → 1.17.0, torch 2.1.2 → 2.6.0"),
        ("notice", Status.WORKS, "", "onnx 1.16.2 → 1.17.0"),
    ]
    assert all((one.file, one.line) == (None, None) for one in found)


def test_the_place_is_the_line_of_what_changes(places):
    (found,) = annotations(BREAKS, places=places)
    assert (found.file, found.line) == ("requirements.txt", 1)


def test_what_breaks_alone_goes_before_what_changes_too(places):
    steps = (
        UpgradeStep(changes=(ONNX,), safe=True, lost=()),
        UpgradeStep(changes=(TORCH,), safe=False, lost=(LOST,)),
    )
    (found,) = annotations(replace(BREAKS, steps=steps), places=places)
    assert (found.file, found.line) == ("requirements.txt", 2)


def test_of_a_set_as_it_is_the_place_is_the_file(places):
    (found,) = annotations(replace(BREAKS, changes=()), places=places)
    assert (found.file, found.line, found.subject) == ("requirements.txt", None, "the set as it is")


def test_no_path_of_this_machine_leaves_it():
    (found,) = annotations(BREAKS)
    assert f"log: logs/{'0' * 32}.log" in found.text
    assert "/on/this/machine" not in found.text


def test_a_fingerprint_is_that_of_the_failure_and_of_what_changes_whatever_the_versions():
    newer = replace(BREAKS, changes=(ONNX, replace(TORCH, new="2.7.0")))
    other = replace(BREAKS, lost=(replace(LOST, results=(result(Stage.LOAD, Status.FAILS, "another"),)),))
    one, same, another, changed = (
        annotations(each)[0].fingerprint for each in (BREAKS, newer, other, replace(BREAKS, changes=()))
    )
    assert one == same
    assert len({one, another, changed}) == 3
