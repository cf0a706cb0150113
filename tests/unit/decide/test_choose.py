"""Which of the observed working sets is chosen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.requirements import Requirement
from values import report, reported_cell, reported_variant

from harness.decide.choose import choose, complete, nearest, neighbours, robustness, satisfies
from harness.decide.version_sets import Versions
from harness.errors import VersionsError
from harness.model import Setup, Stage, Status

FAILS = Status.FAILS


def cell(status: Status = Status.WORKS, **given):
    made = reported_cell(reported_variant(status, Stage.LOAD if status is FAILS else None), status=status, **given)
    return replace(made, resolved={**made.pins, "numpy": "1.26.4" if made.pins["onnxruntime"] < "1.19" else "2.1.0"})


OLD = cell(torch="2.1.2", onnxruntime="1.16.3")
MIDDLE = cell(torch="2.6.0", onnxruntime="1.16.3")
NEW = cell(torch="2.13.0", onnxruntime="1.16.3")
OLD_LATE = cell(torch="2.1.2", onnxruntime="1.20.1")
MIDDLE_LATE = cell(torch="2.6.0", onnxruntime="1.20.1")
NEW_LATE = cell(FAILS, torch="2.13.0", onnxruntime="1.20.1")
REPORT = report(OLD, MIDDLE, NEW, OLD_LATE, MIDDLE_LATE, NEW_LATE)


def chosen(*requires: str, prefer: str = "newest", like: Versions | None = None):
    return choose(REPORT, [Requirement(text) for text in requires], prefer, like)


def test_the_newest_torch_then_the_newest_onnxruntime():
    assert chosen() == NEW
    assert chosen("onnxruntime==1.20.1") == MIDDLE_LATE
    assert chosen("torch<2.13") == MIDDLE_LATE
    assert chosen("torch<2.13", "numpy<2") == MIDDLE


def test_robust_prefers_a_set_all_of_whose_neighbours_work():
    assert [other.id for other in neighbours(REPORT, NEW)] == [MIDDLE.id, NEW_LATE.id]
    assert robustness(REPORT, NEW) == (0.5, 1)
    assert chosen(prefer="robust") == MIDDLE  # three neighbours, all of which work
    assert robustness(REPORT, MIDDLE) == (1.0, 3)


def test_the_smallest_change_keeps_most_of_what_there_is():
    like = Versions(source="s", python="3.11", exact={**OLD_LATE.pins, "numpy": "2.1.0"})
    assert chosen(prefer="smallest-change", like=like) == OLD_LATE
    assert chosen("onnxruntime<1.20", prefer="smallest-change", like=like) == OLD
    assert chosen("torch>2.1.2", prefer="smallest-change", like=like) == MIDDLE_LATE


def test_a_version_that_is_written_otherwise_is_kept():
    pinned = cell(torch="2.6.0+cpu", onnxruntime="1.16.3")
    like = Versions(source="s", python="3.11", exact={"torch": "2.6", "onnxruntime": "1.16.3.0"})
    assert choose(report(OLD, pinned, NEW), [], "smallest-change", like) == pinned


def test_what_fails_is_never_chosen_and_what_is_nearest_is_said():
    assert chosen("torch==2.13.0", "onnxruntime==1.20.1") is None
    requires = [Requirement("torch==2.13.0"), Requirement("onnxruntime==1.20.1")]
    satisfied, works = nearest(REPORT, requires)
    assert satisfied == f"cells that satisfy it: 1 fails; for example {NEW_LATE.id}"
    assert works == f"nearest that works: {NEW.id} with onnxruntime 1.16.3 instead of ==1.20.1"


def test_a_requirement_of_something_that_is_in_no_cell_is_a_slip():
    with pytest.raises(VersionsError, match="did you mean 'onnxruntime'"):
        chosen("onnxruntme==1.16.3")


def test_python_and_presence_can_be_required():
    optimum = cell(torch="2.1.2", onnxruntime="1.16.3", optimum="1.16.2")
    both = report(optimum, replace(NEW, pins={**NEW.pins, "optimum": "absent"}))
    both = replace(both, cells=[optimum, NEW])
    assert choose(both, [Requirement("optimum")], "newest", None) == optimum
    assert choose(both, [Requirement("python==3.11")], "newest", None) == NEW
    assert choose(both, [Requirement("python>=3.12")], "newest", None) is None


def test_a_requirement_holds_for_both_environments_of_a_handoff():
    sides = {"export": {"torch": "2.1.2", "numpy": "2.4.6"}, "run": {"onnxruntime": "1.16.3", "numpy": "1.26.4"}}
    handoff = replace(OLD, environment=Setup.HANDOFF, resolved_sides=sides)
    numpy_1, numpy_2 = Requirement("numpy<2"), Requirement("NumPy>=2")
    assert (satisfies(handoff, numpy_1), satisfies(handoff, numpy_2)) == (False, False)
    assert satisfies(handoff, Requirement("numpy"))
    assert satisfies(replace(handoff, resolved_sides={**sides, "export": sides["run"]}), numpy_1)
    assert choose(report(handoff), [numpy_1], "newest", None) is None
    assert nearest(report(handoff), [numpy_1]) == [f"nearest that works: {OLD.id} with numpy 2.4.6 and 1.26.4 instead of <2"]
    like = Versions(source="s", python="3.11", exact={"numpy": "1.26.4"})
    both = report(handoff, replace(OLD, id="together"))
    assert choose(both, [], "smallest-change", like) == both.cells[1]  # which keeps numpy everywhere


def test_a_report_from_elsewhere_has_what_a_set_needs():
    assert complete(REPORT, ["python", "torch"], "matrix.json") is REPORT
    pins = {name: version for name, version in OLD.pins.items() if name != "torch"}
    with pytest.raises(VersionsError, match=f"^matrix.json cannot be pinned from: {OLD.id} has no torch$"):
        complete(replace(report(OLD), cells=[replace(OLD, pins=pins)]), ["python", "torch"], "matrix.json")
    with pytest.raises(VersionsError, match="which its axes do not name"):
        complete(replace(report(OLD), cells=[OLD_LATE]), ["python"], "matrix.json")
