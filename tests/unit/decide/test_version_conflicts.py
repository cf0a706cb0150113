"""Conflicts in the words of pip and uv, against cells that work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from values import report, reported_cell

from harness.decide.version_conflicts import VersionConflict, version_conflicts
from harness.model import Status
from harness.published_reports import Published
from harness.verdicts.report_schema import ReportedCell

PIP = """ERROR: Cannot install protobuf==3.20.0 and x because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested protobuf==3.20.0
    onnx 1.14.1 depends on protobuf>=3.20.2
"""
PIP_AND = """The conflict is caused by:
    The user requested transformers==4.41.0
    optimum 1.19.2 depends on transformers<4.41.0 and >=4.26.0
"""
PIP_INSTALLED = "onnx 1.13.0 requires protobuf<4,>=3.20.2, but you have protobuf 3.20.1 which is incompatible."
UV = """  \xd7 No solution found when resolving dependencies:
  ╰─▶ Because optimum[exporters]==1.19.2 depends on transformers>=4.26.0,<4.41.0 and you require transformers==4.41.0, we can
      conclude that your requirements are unsatisfiable.
"""
UV_WHEELS = """error: Distribution `onnxruntime==1.24.2 @ registry+https://example.org` can't be installed
hint: You're using CPython 3.10 (`cp310`), but `onnxruntime` (v1.24.2) only has wheels with the following Python \
implementation tags: `cp311`, `cp312`, `cp313`
"""
UV_WHEELS_ASKED = """hint: You require CPython 3.13 (`cp313`), but we only found wheels for `onnxruntime` (v1.16.3) with the \
following Python ABI tags: `cp38`, `cp39`, `cp310`, `cp311`
"""
NAMED = {
    UV_WHEELS_ASKED: ("onnxruntime", "1.16.3", "python", "3.8, 3.9, 3.10, 3.11", "3.13"),
    PIP: ("onnx", "1.14.1", "protobuf", ">=3.20.2", "3.20.0"),
    PIP_AND: ("optimum", "1.19.2", "transformers", "<4.41.0,>=4.26.0", "4.41.0"),
    PIP_INSTALLED: ("onnx", "1.13.0", "protobuf", "<4,>=3.20.2", "3.20.1"),
    UV: ("optimum", "1.19.2", "transformers", "<4.41.0,>=4.26.0", "4.41.0"),
    UV_WHEELS: ("onnxruntime", "1.24.2", "python", "3.11, 3.12, 3.13", "3.10"),
}


@pytest.mark.parametrize("text", NAMED)
def test_what_a_release_asks_for_is_read(text):
    (conflict,) = version_conflicts(text, [])
    named = (conflict.package, conflict.version, conflict.needed, conflict.bounds, conflict.found)
    assert named == NAMED[text]
    assert (conflict.measured, conflict.instead) == ({}, {})


@pytest.mark.parametrize(
    "text",
    [
        "The user requested protobuf==3.20.3\n onnx 1.14.1 depends on protobuf>=3.20.2",
        "onnx 1.14.1 depends on protobuf>=3.20.2",
        "Because foo==1.0 depends on numpy>=1.20,<2 or numpy>2.2 and you require numpy==2.3, we can conclude",
        "The user requested numpy==2.1.0\n foo 1.0 depends on numpy!=2.1.0; python_version < '3.8'",
        "The user requested numpy==2.1.0\n The user requested numpy==1.26.4\n foo 1.0 depends on numpy<2",
        "The user requested protobuf>=3,<3.20\n onnx 1.14.1 depends on protobuf>=3.20.2",
        "The user requested protobuf==not-a-version\n onnx 1.14.1 depends on protobuf>=3.20.2",
        "onnx 1.13.0 requires protobuf<4, and you have protobuf 3.20.1",
        "You're using CPython 3.11 (`cp311`), but `x` (v1.0) only has wheels with the following Python ABI tags: `cp311`",
        "",
    ],
)
def test_what_is_no_contradiction_is_none(text):
    assert version_conflicts(text, []) == []


def test_what_works_is_counted_in_the_published_reports():
    def cell(onnx: str, runtime: str, protobuf: str, status: Status = Status.WORKS) -> ReportedCell:
        return replace(reported_cell(status=status, onnx=onnx, onnxruntime=runtime), resolved={"protobuf": protobuf})

    cells = [
        cell("1.14.1", "1.16.3", "4.25.0"),
        cell("1.14.1", "1.17.3", "4.25.0"),
        cell("1.14.1", "1.18.1", "10.0"),
        cell("1.14.1", "1.20.1", "11.0", Status.FAILS),
        cell("1.13.0", "1.16.3", "3.20.0"),
    ]
    published = Published(name="matrix", path=Path("matrix.json"), report=report(*cells))
    (conflict,) = version_conflicts(PIP, [published])
    assert list(conflict.measured.items()) == [("10.0", 1), ("4.25.0", 2)]
    assert conflict.instead == {"1.13.0": 1}


def test_what_works_keeps_all_bounds_of_the_text():
    works = [
        replace(reported_cell(onnx="1.14.1", onnxruntime=f"1.{number}.0"), resolved={"protobuf": f"{number}.0"})
        for number in (4, 5, 7)
    ]
    published = Published(name="matrix", path=Path("matrix.json"), report=report(*works))
    (conflict,) = version_conflicts(
        f"{PIP}\n other 1.0 depends on protobuf!=4.0,!=4.1,!=4.2,!=4.3,!=4.4,!=4.5,!=4.6,!=4.7,<7", [published]
    )
    assert conflict.measured == {"5.0": 1}


def test_a_text_of_operators_alone_is_read_in_one_way():
    """In as many ways as there are, it would take years."""
    text = f"onnx 1.14.1 requires protobuf{'!' * 200}; see the documentation of conflicts, which is a long text"
    assert version_conflicts(text, []) == []


def test_a_conflict_is_told_once():
    assert len(version_conflicts(PIP + PIP, [])) == 1
    assert all(isinstance(conflict, VersionConflict) for conflict in version_conflicts(PIP + UV, []))


EXCLUDING = """ResolutionImpossible. The conflict is caused by:
    optimum 1.24.0 depends on transformers<4.49.0,>=4.36
    vllm 0.10.1 depends on transformers>=4.55
    torch 2.3.0 depends on typing-extensions>=4.8.0
    onnx 1.16.0 depends on protobuf>=3.20.2"""


def test_of_a_text_without_a_solution_what_excludes_each_other_is_the_conflict():
    found = [(own.package, own.needed, own.bounds, own.found) for own in version_conflicts(EXCLUDING, [])]
    assert found == [("optimum", "transformers", "<4.49.0,>=4.36", ""), ("vllm", "transformers", ">=4.55", "")]


@pytest.mark.parametrize(
    "text",
    [
        EXCLUDING.replace(">=4.55", ">=4.48.3"),
        EXCLUDING.replace("ResolutionImpossible. The conflict is caused by:", "Installed:"),
        "No solution found. Because only torch<2.4 is available and you require torch>=2.4, torch==2.0.0 depends on sympy>=1.0",
        "No solution found: onnx==1.16.0 depends on numpy>=1.20",
    ],
)
def test_what_may_be_had_together_is_no_conflict(text):
    assert (
        version_conflicts(text.replace("The conflict is caused by", "x") if text.startswith(" is caused") else text, []) == []
    )
