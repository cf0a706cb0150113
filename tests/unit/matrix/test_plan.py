"""Matrix → cells, ids, variants and requirements."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from harness.errors import SelectionError
from harness.matrix.load import load
from harness.matrix.plan import Planned, Requirements, cells, plan, requirements
from harness.matrix.schema import Matrix
from harness.matrix.selection import Selection
from harness.matrix.variants import deciding, product
from harness.model import Cell, Setup

AXES = {"python": ["3.11"], "torch": ["2.1.2"], "transformers": ["4.46.3"], "onnx": ["1.16.2"], "onnxruntime": ["1.16.3"]}


def matrix(**tables: Any) -> Matrix:
    return Matrix.model_validate({"axes": AXES, **tables})


def ids(axes: dict[str, list[str]], **tables: Any) -> list[str]:
    return [cell.id for cell in cells(matrix(**tables), {**AXES, **axes})]


def test_an_id_is_short_and_says_every_version():
    assert ids({}) == ["py311-t212-tf4463-o1162-r1163"]


def test_other_axes_are_written_out():
    assert ids({"numpy": ["1.26.4"], "sentence-piece": ["0.2"]}) == ["py311-t212-tf4463-o1162-r1163-numpy1264-sentencepiece02"]


@pytest.mark.parametrize(
    ("versions", "parts"),
    [
        (["1.16.3", "1.17.0"], ["r1163", "r1170"]),
        (["1.16.3", "1.1.63"], ["r1_16_3", "r1_1_63"]),
        (["1.16.3", "11.6.3", "1.18.0"], ["r1_16_3", "r11_6_3", "r1180"]),
        (["1.20.0rc1", "1.20.0"], ["r1200rc1", "r1200"]),
    ],
)
def test_versions_that_run_together_are_kept_apart(versions, parts):
    assert [name.rpartition("-")[2] for name in ids({"onnxruntime": versions})] == parts


def test_ids_are_unique_over_the_whole_matrix():
    many = ids({"torch": ["2.1.2", "2.12"], "onnx": ["1.1.6", "1.16", "11.6"]}, setup=["together", "handoff"])
    assert len(many) == len(set(many)) == 12
    assert sum(name.endswith("-handoff") for name in many) == 6


@pytest.mark.parametrize(
    "axes",
    [
        {"x-y": ["1.0", "absent"], "xy": ["1.0", "absent"]},
        {"xy": ["1.0", "absent"], "x-y": ["1.0", "absent"]},
        {"a1": ["1.0", "absent"], "a": ["11.0", "absent"]},
        {"o": ["1.16.2", "absent"], "x-y-z": ["absent", "2"], "xy-z": ["absent", "2"], "xyz": ["absent", "2"]},
        {"numpy": ["1.1.11", "1.11.1", "11.1.1"], "python": ["3.1", "3.11", "3.1.1"]},
        {"numpy": ["1.0+cpu", "1.0", "1!0", "1.0.post1", "10"], "a": ["absent", "10"]},
    ],
)
def test_two_cells_never_share_an_id(axes):
    made = cells(matrix(setup=["together", "handoff"]), {**AXES, **axes})
    folders = {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "-", cell.id).lower()) for cell in made}
    count = 2 * math.prod(map(len, axes.values()))
    assert (len(made), len(folders)) == (count, count)
    again = cells(matrix(setup=["together", "handoff"]), {**AXES, **axes})
    assert [cell.id for cell in again] == [cell.id for cell in made]
    # A pattern or a command line can have it as it is.
    assert all(re.fullmatch("[A-Za-z0-9_-]+", cell.id) for cell in made)


def test_axes_that_abbreviate_alike_are_written_out():
    assert ids({"x-y": ["1.0"], "xy": ["1.0", "absent"]}) == [
        "py311-t212-tf4463-o1162-r1163-x_y10-xy10",
        "py311-t212-tf4463-o1162-r1163-x_y10",
    ]


def test_ids_that_were_published_stay():
    root = Path(__file__).parents[3]
    read = load(root / "matrix.toml")
    published = json.loads((root / "reports/matrix.json").read_text())["cells"]
    assert [cell.id for cell in cells(read, read.axes)] == [cell["id"] for cell in published]


def test_the_last_axis_varies_fastest():
    names = ids({"torch": ["2.1.2", "2.6.0"], "onnxruntime": ["1.16.3", "1.17.0"]})
    assert names == [
        "py311-t212-tf4463-o1162-r1163",
        "py311-t212-tf4463-o1162-r1170",
        "py311-t260-tf4463-o1162-r1163",
        "py311-t260-tf4463-o1162-r1170",
    ]


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ({"torch": "2.6.0"}, ["2.1.2/1.16.3", "2.1.2/1.17.0"]),
        ({"torch": "<2.6", "onnxruntime": ">=1.17"}, ["2.1.2/1.16.3", "2.6.0/1.16.3", "2.6.0/1.17.0"]),
        ({"onnx": "<1", "torch": ">=2"}, ["2.1.2/1.16.3", "2.1.2/1.17.0", "2.6.0/1.16.3", "2.6.0/1.17.0"]),
        ({"python": "3.11", "onnxruntime": "1.16.3"}, ["2.1.2/1.17.0", "2.6.0/1.17.0"]),
        ({"Torch": "2.6.0", "reason": "spelling of names does not matter"}, ["2.1.2/1.16.3", "2.1.2/1.17.0"]),
    ],
)
def test_exclude_needs_every_axis_to_match(rule, left):
    made = cells(matrix(exclude=[rule]), {**AXES, "torch": ["2.1.2", "2.6.0"], "onnxruntime": ["1.16.3", "1.17.0"]})
    assert [f"{cell.version('torch')}/{cell.version('onnxruntime')}" for cell in made] == left


def test_include_overrules_exclude_and_adds_each_cell_once():
    same = {axis: versions[0] for axis, versions in AXES.items()}
    newer = {**same, "torch": "2.7.0"}
    assert ids({}, include=[same, newer, newer], exclude=[{"torch": ">=2"}]) == [
        "py311-t212-tf4463-o1162-r1163",
        "py311-t270-tf4463-o1162-r1163",
    ]


def test_an_include_rule_may_write_a_version_otherwise_than_the_axis():
    axes = {**AXES, "torch": ["2.1.0"]}
    same = {axis: versions[0] for axis, versions in axes.items()}
    rules = [{**same, "torch": version} for version in ("2.1", "2.3", "2.3.0")]
    assert [cell.version("torch") for cell in cells(matrix(include=rules), axes)] == ["2.1.0", "2.3"]


def test_variants_are_the_product_with_each_exporter_its_own_opsets():
    variants = matrix(variants={"opsets": {"torchscript": [14, 17], "dynamo": 18}, "layouts": ["pair"]}).variants
    assert [variant.id for variant in product(variants)] == [
        "torchscript-14-pair-keep-cross-numpy",
        "torchscript-17-pair-keep-cross-numpy",
        "dynamo-18-pair-keep-cross-numpy",
    ]


@pytest.mark.parametrize(
    ("require", "chosen"),
    [
        ("any", ["torchscript pair", "torchscript merged", "dynamo pair", "dynamo merged"]),
        ("all", ["torchscript pair", "torchscript merged", "dynamo pair", "dynamo merged"]),
        ("exporter=torchscript", ["torchscript pair", "torchscript merged"]),
        ("layout=pair", ["torchscript pair", "dynamo pair"]),
        ("layout=pair,exporter=dynamo", ["dynamo pair"]),
    ],
)
def test_require_chooses_who_decides_and_never_feed_all(require, chosen):
    variants = matrix(variants={"require": require, "feedbacks": ["keep-cross", "feed-all"]}).variants
    cell = Cell(id="c", python="3.11", pins=())
    decisive = deciding(variants, cell, product(variants))
    assert [f"{variant.exporter} {variant.layout}" for variant in decisive] == chosen
    assert {variant.feedback for variant in decisive} == {"keep-cross"}


def test_a_selection_of_variants_leaves_cells_with_those():
    selection = Selection.of(["exporter=dynamo"], axes=list(AXES))
    (planned,) = plan(matrix(), AXES, selection)
    assert {variant.exporter for variant in planned.variants} == {"dynamo"}


def test_an_empty_selection_names_itself_and_the_axes():
    rule = {"torch": "2.1.2", "onnx": "1.16.2"}
    axes = {**AXES, "torch": ["2.1.2", "2.6.0"], "onnx": ["1.15.0", "1.16.2"]}
    selection = Selection.of(["torch<2.6,onnx>=1.16"], axes=list(AXES))
    with pytest.raises(SelectionError, match=r"no cell is left after torch<2\.6,onnx>=1\.16; python: 3\.11; torch: 2\.1\.2"):
        plan(matrix(exclude=[rule]), axes, selection)


def test_where_require_names_none_of_what_is_selected_all_of_that_decides():
    variants = matrix(variants={"require": "exporter=dynamo", "feedbacks": ["keep-cross", "feed-all"]}).variants
    offered = [variant for variant in product(variants) if variant.exporter == "torchscript"]
    decisive = deciding(variants, Cell(id="c", python="3.11", pins=()), offered)
    assert [variant.id for variant in decisive] == [variant.id for variant in offered if variant.feedback == "keep-cross"]
    assert len(decisive) == 2


def planned(setup: Setup = Setup.TOGETHER, *, bounds: tuple[str, ...] = (), **pins: str) -> Planned:
    versions = {axis: values[0] for axis, values in AXES.items() if axis != "python"} | pins
    cell = Cell(id="c", python="3.11", pins=tuple(versions.items()), setup=setup)
    return Planned(cell=cell, variants=(), bounds=bounds)


def test_a_together_cell_asks_for_everything_at_once():
    assert requirements(planned(), matrix(), frozenset({"torchscript"})) == [
        Requirements(needed=("torch==2.1.2", "transformers==4.46.3", "onnx==1.16.2", "onnxruntime==1.16.3", "numpy"))
    ]


def test_a_handoff_cell_asks_for_two_sides():
    export, run = requirements(planned(Setup.HANDOFF), matrix(), frozenset({"torchscript"}))
    assert export.needed == ("torch==2.1.2", "transformers==4.46.3", "onnx==1.16.2", "numpy")
    assert run.needed == ("onnxruntime==1.16.3", "numpy")


def test_a_numpy_axis_is_asked_for_exactly():
    (side,) = requirements(planned(numpy="1.26.4"), matrix(), frozenset())
    assert side.needed[-1] == "numpy==1.26.4"


@pytest.mark.parametrize(
    ("torch", "exporters", "optional"),
    [
        ("2.5.0", {"dynamo"}, ("onnxscript",)),
        ("2.5.0", {"torchscript"}, ()),
        ("2.4.1", {"dynamo"}, ()),
        ("2.10.0", {"dynamo", "torchscript"}, ("onnxscript",)),
    ],
)
def test_dynamo_is_helped_by_onnxscript_from_torch_2_5(torch, exporters, optional):
    (side,) = requirements(planned(torch=torch), matrix(), frozenset(exporters))
    assert side.optional == optional


def test_bounds_hold_for_both_sides_and_ask_for_nothing():
    both_sides = requirements(planned(Setup.HANDOFF, bounds=("protobuf<4",)), matrix(), frozenset())
    assert [side.bounds for side in both_sides] == [("protobuf<4",), ("protobuf<4",)]
    assert not any("protobuf" in need for side in both_sides for need in side.needed)


def test_an_onnxscript_axis_is_no_optional_helper():
    (side,) = requirements(planned(torch="2.6.0", onnxscript="0.1.0"), matrix(), frozenset({"dynamo"}))
    assert side.optional == ()
    assert "onnxscript==0.1.0" in side.needed


@pytest.mark.parametrize(
    ("when", "sides"),
    [
        ("onnxruntime<1.17", [False, True]),
        ("torch<2.3", [True, False]),
        ("torch<2.3,onnxruntime<1.17", [False, False]),
        ("python==3.11", [True, True]),
        ("torch>=2.3", [False, False]),
        ("torch<2.3,optimum=absent", [True, False]),
        ("optimum=absent", [True, True]),
        ("torch!=absent,optimum=absent", [True, False]),
    ],
)
def test_a_constraint_reaches_the_sides_that_hold_what_it_names(when, sides):
    rules = matrix(constraint=[{"when": when, "add": ["numpy<2"], "reason": "because"}])
    both_sides = requirements(planned(Setup.HANDOFF), rules, frozenset())
    assert ["numpy<2" in side.needed for side in both_sides] == sides


def test_what_an_export_requires_besides_the_axes_is_no_part_of_the_run_side():
    own = {"module": "probe.py", "requires": ["onnxruntime", "pillow>=10"]}
    export, run = requirements(planned(Setup.HANDOFF), matrix(probe=own), frozenset())
    assert export.needed[-2:] == ("onnxruntime", "pillow>=10")
    assert run.needed == ("onnxruntime==1.16.3", "numpy")
    (whole,) = requirements(planned(), matrix(probe=own), frozenset())
    assert [need for need in whole.needed if need.startswith(("onnxruntime", "pillow"))] == [
        "onnxruntime==1.16.3",
        "onnxruntime",
        "pillow>=10",
    ]


def test_what_is_absent_matches_no_bound_and_is_in_no_id():
    made = cells(matrix(exclude=[{"optimum": ">0"}]), {**AXES, "optimum": ["absent", "1.16.2"]})
    assert [cell.id for cell in made] == ["py311-t212-tf4463-o1162-r1163"]
    assert made[0].version("optimum") is None


def test_optimum_has_one_attention_its_own():
    configured = matrix(
        variants={"exporters": ["torchscript", "optimum"], "layouts": ["pair"], "attentions": ["eager", "sdpa"]}
    )
    made = [(variant.exporter, variant.attention) for variant in product(configured.variants)]
    assert made == [("torchscript", "eager"), ("torchscript", "sdpa"), ("optimum", "default")]


def test_opsets_may_be_a_range():
    configured = matrix(variants={"exporters": ["torchscript"], "opsets": {"torchscript": ["12-14", 17]}, "layouts": ["pair"]})
    assert [variant.opset for variant in product(configured.variants)] == [12, 13, 14, 17]


def test_what_nobody_could_run_is_not_planned():
    axes = {name: [f"1.{number}" for number in range(32)] for name in ("python", "torch", "onnx", "onnxruntime")}
    with pytest.raises(SelectionError, match=r"has 1,048,576 combinations \(python 32, torch 32, onnx 32, onnxruntime 32\)"):
        cells(matrix(), axes)
