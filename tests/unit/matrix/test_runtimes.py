"""A matrix with several runtimes: each cell has one, and one that is no distribution of Python is a handoff."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, SelectionError
from harness.matrix import plan as planning
from harness.matrix.load import load
from harness.matrix.plan import Planned, Requirements, cells, plan, requirements
from harness.matrix.schema import Matrix
from harness.matrix.selection import Selection
from harness.model import Setup
from harness.stack import RuntimeVersion

AXES = {
    "python": ["3.11"],
    "torch": ["2.1.2"],
    "transformers": ["4.46.3"],
    "onnx": ["1.16.2"],
    "onnxruntime": ["1.16.3", "1.20.1"],
    "onnxruntime-node": ["1.16.3", "1.30.0"],
}
STACK = "py311-t212-tf4463-o1162"
NODE_ALONE = {axis: values for axis, values in AXES.items() if axis != "onnxruntime"}


def matrix(axes: dict[str, list[str]] = AXES, **tables: Any) -> Matrix:
    return Matrix.model_validate({"axes": axes, **tables})


def ids(made: Matrix) -> list[str]:
    return [cell.id for cell in cells(made, made.axes)]


def test_each_cell_has_one_runtime_and_the_second_comes_after_the_first():
    made = cells(matrix(), AXES)
    assert [cell.id for cell in made] == [f"{STACK}-{runtime}" for runtime in ("r1163", "r1201", "n1163", "n1300")]
    assert [cell.runtime for cell in made][1:3] == [
        RuntimeVersion("onnxruntime", "1.20.1"),
        RuntimeVersion("onnxruntime-node", "1.16.3"),
    ]
    assert [cell.setup for cell in made] == [Setup.TOGETHER, Setup.TOGETHER, Setup.HANDOFF, Setup.HANDOFF]


def test_a_matrix_may_have_no_runtime_of_python():
    assert ids(matrix(NODE_ALONE)) == [f"{STACK}-n1163", f"{STACK}-n1300"]


def test_a_node_cell_is_there_once_whatever_the_setups_are():
    one, handoff, both = (ids(matrix(setup=setup)) for setup in (["together"], ["handoff"], ["together", "handoff"]))
    node = [f"{STACK}-n1163", f"{STACK}-n1300"]
    assert one[2:] == handoff[2:] == node
    assert [name for name in both if "-n1" in name] == node
    assert [name for name in both if name.endswith("-handoff")] == [f"{STACK}-r1163-handoff", f"{STACK}-r1201-handoff"]


def test_the_limit_counts_the_cells_and_not_the_product_of_the_runtimes(monkeypatch):
    monkeypatch.setattr(planning, "COMBINATIONS", 6)
    assert len(ids(matrix(setup=["together", "handoff"]))) == 6
    monkeypatch.setattr(planning, "COMBINATIONS", 5)
    with pytest.raises(SelectionError, match="the matrix has 6 combinations"):
        ids(matrix(setup=["together", "handoff"]))


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ({"onnxruntime-node": "<1.20"}, ["r1163", "r1201", "n1300"]),
        ({"onnxruntime": "<1.20"}, ["r1201", "n1163", "n1300"]),
        ({"onnxruntime": ">=1", "onnxruntime-node": ">=1"}, ["r1163", "r1201", "n1163", "n1300"]),
        ({"torch": "2.1.2", "onnxruntime-node": "1.30"}, ["r1163", "r1201", "n1163"]),
    ],
)
def test_an_exclude_rule_about_a_runtime_leaves_the_cells_of_another_one(rule, left):
    assert ids(matrix(exclude=[rule])) == [f"{STACK}-{runtime}" for runtime in left]


@pytest.mark.parametrize("other", [{}, {"onnxruntime": "absent"}])
def test_an_include_rule_names_one_runtime(other):
    stack = {"python": "3.11", "torch": "2.1.2", "transformers": "4.46.3", "onnx": "1.16.2"}
    made = cells(matrix(include=[{**stack, "onnxruntime-node": "1.22.0", **other}], setup=["together", "handoff"]), AXES)
    assert [(cell.id, cell.setup) for cell in made if "n1220" in cell.id] == [(f"{STACK}-n1220", Setup.HANDOFF)]


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("onnxruntime-node==1.16.3", ["n1163"]),
        ("onnxruntime-node=absent", ["r1163", "r1201"]),
        ("onnxruntime!=absent", ["r1163", "r1201"]),
        ("setup=handoff", ["n1163", "n1300"]),
        ("id=*-n1300", ["n1300"]),
    ],
)
def test_a_selection_of_runtimes(expression, chosen):
    selection = Selection.of([expression], axes=list(AXES))
    assert [item.cell.id for item in plan(matrix(), AXES, selection)] == [f"{STACK}-{runtime}" for runtime in chosen]


def needs(**tables: Any) -> list[Requirements]:
    made = matrix(NODE_ALONE | {"onnxruntime-node": ["1.16.3"], **tables.pop("axes", {})}, **tables)
    (cell,) = cells(made, made.axes)
    return requirements(Planned(cell=cell, variants=(), bounds=("numpy<2",)), made, frozenset({"torchscript"}))


def test_a_node_cell_asks_for_an_export_side_for_numpy_and_for_packages():
    assert needs() == [
        Requirements(needed=("torch==2.1.2", "transformers==4.46.3", "onnx==1.16.2", "numpy"), bounds=("numpy<2",)),
        Requirements(needed=("numpy",), bounds=("numpy<2",)),
        Requirements(needed=("onnxruntime-node==1.16.3",), ecosystem="npm"),
    ]


def test_optimum_brings_the_runtime_of_python_into_the_export_alone():
    export, run, _ = needs(axes={"optimum": ["1.23.3"]})
    assert ("onnxruntime" in export.needed, "onnxruntime" in run.needed) == (True, False)


def test_a_constraint_about_the_runtime_reaches_its_run_side():
    export, run, packages = needs(constraint=[{"when": "onnxruntime-node<1.20", "add": ["protobuf<5"], "reason": "why"}])
    assert ["protobuf<5" in side.needed for side in (export, run, packages)] == [False, True, False]


def test_requirements_of_another_kind_of_packages_are_another_solve():
    assert Requirements(needed=("a",)).parts == [("a",), ()]
    assert Requirements(needed=("a",), ecosystem="npm").parts == [("npm",), ("a",), ()]


def read(folder: Path, runtimes: str, rest: str = "") -> Matrix:
    stack = "[axes]\npython = '3.11'\ntorch = '2.1.2'\ntransformers = '4.46.3'\nonnx = '1.16.2'\n"
    path = folder / "matrix.toml"
    path.write_text(f"{stack}{runtimes}\n{rest}", encoding="utf-8")
    return load(path)


def test_a_file_with_the_runtime_of_node_alone(tmp_path):
    assert read(tmp_path, "onnxruntime-node = ['1.16.3', '; latest']").axes["onnxruntime-node"] == ["1.16.3", "; latest"]


BOTH = "onnxruntime = '1.16.3'\nonnxruntime-node = '1.16.3'"
INCLUDE = "[[include]]\npython = '3.11'\ntorch = '2.2'\ntransformers = '4.46.3'\nonnx = '1.16.2'\n"


@pytest.mark.parametrize(
    ("runtimes", "rest", "words"),
    [
        ("", "", "axes: a runtime is missing; expected at least one version of 'onnxruntime' or 'onnxruntime-node'"),
        ("onnxruntime-node = ['1.16.3', 'absent']", "", "axes.onnxruntime-node: onnxruntime-node cannot be absent"),
        (f"{BOTH[:-8]}['1.16.3', 'absent']", "", "axes.onnxruntime-node: onnxruntime-node cannot be absent"),
        (BOTH, INCLUDE, "include[0]: expected a version of one runtime, onnxruntime or onnxruntime-node"),
        (BOTH, f"{INCLUDE}{BOTH}", "include[0]: expected a version of one runtime"),
        (
            "onnxruntime-node = '1.16.3'",
            INCLUDE,
            "include[0]: expected a version for every axis; 'onnxruntime-node' is missing",
        ),
    ],
)
def test_what_is_wrong_with_the_runtimes(tmp_path, runtimes, rest, words):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, runtimes, rest)
    assert words in str(caught.value)
