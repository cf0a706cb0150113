"""together and handoff, optional helpers, constraints, include and exclude: what each makes of the same versions."""

from __future__ import annotations

import contextlib
import json
import threading

import packages
import pytest
from packages import raises
from project import AXES, Project

from harness.environments.uv.client import Uv

pytestmark = pytest.mark.usefixtures("installed_once")


def statuses(cells: dict[str, dict]) -> dict[str, str]:
    return {name.rpartition("-")[2] if name.endswith("handoff") else "together": cell["status"] for name, cell in cells.items()}


@pytest.fixture
def numpy_conflict(project: Project) -> Project:
    """A torch that needs numpy 1 and an onnxruntime that needs numpy 2."""
    project.publish(packages.torch("2.0.0", requires=("numpy<2",)))
    project.publish(packages.onnxruntime("1.22.0", requires=("numpy>=2",)))
    project.configure({"torch": ["2.0.0"], "onnxruntime": ["1.22.0"]}, setup=["together", "handoff"])
    return project


def test_a_numpy_conflict_breaks_together_and_not_handoff(numpy_conflict):
    cells = numpy_conflict.run()
    assert statuses(cells) == {"together": "fails", "handoff": "works"}
    together, handoff = cells.values()
    assert {variant["stage"] for variant in together["variants"]} == {"resolve"}
    assert "numpy" in together["variants"][0]["error"]
    assert (together["environment"], handoff["environment"]) == ("together", "handoff")
    assert handoff["resolved"]["numpy"] == "2.1.0"
    assert {side: versions["numpy"] for side, versions in handoff["resolved_sides"].items()} == {
        "export": "1.26.4",
        "run": "2.1.0",
    }
    assert "torch" not in handoff["resolved_sides"]["run"]
    assert together["resolved_sides"] == {}
    assert "| handoff " in (numpy_conflict.reports / "matrix.md").read_text().partition("## Newest")[2]
    assert {start["kind"] for start in numpy_conflict.starts()} == {"export", "run"}


@pytest.mark.parametrize("stage", ["eager", "export"])
def test_a_handoff_whose_export_side_fails_fails_there(project, stage):
    project.publish(packages.transformers("4.47.0", eager=raises("RuntimeError('no')") if stage == "eager" else ""))
    project.publish(packages.torch("2.2.0", on_export=raises("RuntimeError('no')")))
    project.configure({"transformers": ["4.47.0"], "torch": ["2.2.0"]}, setup=["together", "handoff"])
    cells = project.run()
    assert statuses(cells) == {"together": "fails", "handoff": "fails"}
    assert {variant["stage"] for cell in cells.values() for variant in cell["variants"]} == {stage}
    assert project.starts("run") == []


def test_a_silent_numpy_trap_breaks_together_at_import(project):
    trap = "import numpy\nif numpy.__version__ >= '2': raise ImportError('built against numpy 1')"
    project.publish(packages.onnxruntime("1.17.0", on_import=trap))
    project.configure({"onnxruntime": ["1.17.0"]})
    (cell,) = project.run().values()
    assert (cell["status"], cell["variants"][0]["stage"]) == ("fails", "import")
    assert "built against numpy 1" in cell["variants"][0]["error"]


def test_a_constraint_mends_the_cells_it_names(project):
    trap = "import numpy\nif numpy.__version__ >= '2': raise ImportError('built against numpy 1')"
    project.publish(packages.onnxruntime("1.17.0", on_import=trap))
    rule = {"when": "onnxruntime>=1.17,<1.18", "add": ["numpy<2"], "reason": "the wheel was built against numpy 1"}
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]}, constraint=[rule])
    other, named = project.run().values()
    assert (other["status"], other["resolved"]["numpy"]) == ("works", "2.1.0")
    assert (named["status"], named["resolved"]["numpy"]) == ("works", "1.26.4")


def test_a_constraint_on_onnxruntime_does_not_reach_the_export_side_of_a_handoff(numpy_conflict):
    rule = {"when": "onnxruntime>=1.22", "add": ["numpy>=2"], "reason": "so it says"}
    numpy_conflict.configure({"torch": ["2.0.0"], "onnxruntime": ["1.22.0"]}, setup=["handoff"], constraint=[rule])
    (cell,) = numpy_conflict.run().values()
    assert cell["status"] == "works"


def test_together_and_handoff_share_what_their_locks_share(project):
    project.configure(setup=["together", "handoff"])
    assert set(statuses(project.run()).values()) == {"works"}
    assert len(project.starts("export")) == 1
    assert len(project.starts("run")) == 1


def test_equal_requirements_of_two_cells_are_resolved_once(project, monkeypatch):
    # Two transformers, one run side: both cells come to it at the same moment.
    project.publish(packages.transformers("4.47.0"))
    project.configure({"transformers": ["4.46.3", "4.47.0"]}, setup=["handoff"])
    asked = []
    meet = threading.Barrier(2)
    resolve = Uv.resolve

    def counting(self, requirements, *others):
        asked.append(tuple(requirements))
        lock = resolve(self, requirements, *others)
        if any(requirement.startswith("torch") for requirement in requirements):
            with contextlib.suppress(threading.BrokenBarrierError):
                meet.wait(60)
        return lock

    monkeypatch.setattr(Uv, "resolve", counting)
    project.run()
    assert len(asked) == len(set(asked)) == 3


def test_a_run_environment_of_a_handoff_holds_no_torch(project):
    project.publish(packages.onnxruntime("1.17.0", on_run="import torch"))
    project.configure({"onnxruntime": ["1.17.0"]}, setup=["handoff"])
    (cell,) = project.run().values()
    assert (cell["status"], cell["variants"][0]["stage"]) == ("fails", "decode")
    assert "No module named 'torch'" in cell["variants"][0]["error"]


@pytest.mark.parametrize("setup", ["together", "handoff"])
def test_an_export_has_onnxruntime_where_the_probe_requires_it(project, setup):
    """onnxruntime's own tools, such as quantize_dynamic, are part of some exports."""
    project.publish(packages.torch("2.1.0", on_export="import onnxruntime"))
    (project.root / "probe.py").write_text("")
    own = {
        "exporters": ["script"],
        "opsets": {"script": [17]},
        "layouts": ["whole"],
        "feedbacks": ["none"],
        "strategies": ["default"],
    }
    project.configure(setup=[setup], probe={"module": "probe.py"}, variants=own)
    (without,) = project.run().values()
    # A `together` cell has it anyway.
    assert without["status"] == ("works" if setup == "together" else "fails")
    assert setup == "together" or "No module named 'onnxruntime'" in without["variants"][0]["error"]
    project.configure(setup=[setup], probe={"module": "probe.py", "requires": ["onnxruntime"]}, variants=own)
    (cell,) = project.run().values()
    assert cell["status"] == "works", cell["variants"]


def test_a_handoff_whose_run_side_fails_at_import_says_so(project):
    project.publish(packages.onnxruntime("1.17.0", on_import=raises("ImportError('libonnxruntime.so')")))
    project.configure({"onnxruntime": ["1.17.0"]}, setup=["handoff"])
    (cell,) = project.run().values()
    assert (cell["status"], cell["variants"][0]["stage"]) == ("fails", "import")


BOTH = {"exporters": ["torchscript", "dynamo"], "layouts": ["pair"]}


@pytest.fixture
def newer_torch(project: Project) -> Project:
    """A torch for which the harness asks for onnxscript too."""
    project.publish(packages.torch("2.6.0"))
    project.configure({"torch": ["2.6.0"]}, variants=BOTH)
    return project


def test_onnxscript_is_added_for_dynamo(newer_torch):
    (cell,) = newer_torch.run().values()
    assert cell["resolved"]["onnxscript"] == "0.1.0"
    assert [variant["status"] for variant in cell["variants"]] == ["works", "works"]


def test_without_dynamo_nobody_asks_for_onnxscript(newer_torch):
    newer_torch.configure({"torch": ["2.6.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair"]})
    (cell,) = newer_torch.run().values()
    assert "onnxscript" not in cell["resolved"]


def test_a_selection_of_variants_changes_no_lock(newer_torch):
    assert newer_torch.main("run", "--select", "exporter=torchscript").code == 0
    (alone,) = newer_torch.cells().values()
    answer = newer_torch.main("explain", alone["id"])
    assert "works — 1 variant: torchscript-17-pair-keep-cross-numpy" in answer.out
    (cell,) = newer_torch.run().values()
    assert cell["lock"] == alone["lock"]
    assert [start["subjects"] for start in newer_torch.starts("export")] == [["torchscript-17-pair"], ["dynamo-18-pair"]]


def test_an_onnxscript_that_cannot_be_added_fails_dynamo_alone(newer_torch):
    newer_torch.publish(packages.package("onnxscript", "0.1.0", requires=("onnx>=9",)))
    (cell,) = newer_torch.run().values()
    torchscript, dynamo = cell["variants"]
    assert (torchscript["status"], torchscript["stage"]) == ("works", None)
    assert (dynamo["status"], dynamo["stage"]) == ("fails", "resolve")
    assert "onnxscript cannot be added" in dynamo["error"]
    assert "onnx>=9" in dynamo["error"]
    assert cell["status"] == "works"
    assert "onnxscript" not in cell["resolved"]
    assert newer_torch.starts("export")[0]["subjects"] == ["torchscript-17-pair"]


def test_where_only_dynamo_is_wanted_and_cannot_be_had_the_cell_fails(newer_torch):
    newer_torch.publish(packages.package("onnxscript", "0.1.0", requires=("onnx>=9",)))
    newer_torch.configure({"torch": ["2.6.0"]}, variants={"exporters": ["dynamo"], "layouts": ["pair"]})
    (cell,) = newer_torch.run().values()
    assert cell["status"] == "fails"
    assert [(variant["status"], variant["stage"]) for variant in cell["variants"]] == [("fails", "resolve")]


@pytest.fixture
def two_by_two(project: Project) -> Project:
    """Two torches and two onnxruntimes."""
    project.publish(packages.torch("2.2.0"), packages.onnxruntime("1.17.0"))
    return project


GRID = {"torch": ["2.1.0", "2.2.0"], "onnxruntime": ["1.16.3", "1.17.0"]}


def pairs(project: Project) -> list[tuple[str, str]]:
    return [(cell["pins"]["torch"], cell["pins"]["onnxruntime"]) for cell in project.run().values()]


def test_exclude_leaves_out_cells_that_match_every_axis(two_by_two):
    two_by_two.configure(GRID, exclude=[{"torch": ">=2.2", "onnxruntime": "<1.17", "reason": "known"}])
    assert pairs(two_by_two) == [("2.1.0", "1.16.3"), ("2.1.0", "1.17.0"), ("2.2.0", "1.17.0")]


def test_include_adds_a_cell_that_exclude_had_left_out(two_by_two):
    base = {axis: versions[0] for axis, versions in AXES.items()}
    two_by_two.configure(
        GRID,
        exclude=[{"torch": "2.2.0"}],
        include=[{**base, "torch": "2.2.0", "onnxruntime": "1.17.0", "reason": "all the same"}],
    )
    assert pairs(two_by_two) == [("2.1.0", "1.16.3"), ("2.1.0", "1.17.0"), ("2.2.0", "1.17.0")]


def test_select_and_exclude_on_the_command_line(two_by_two):
    two_by_two.configure(GRID)
    assert two_by_two.main("run", "--select", "torch==2.2.0", "--exclude", "onnxruntime>=1.17").code == 0
    assert [cell["id"] for cell in two_by_two.cells().values()] == [next(iter(two_by_two.cells()))]
    assert next(iter(two_by_two.cells())).endswith("-t220-tf4463-o1162-r1163")


def test_repeated_select_is_or(two_by_two):
    two_by_two.configure(GRID)
    two_by_two.main("run", "--select", "torch==2.1.0,onnxruntime==1.16.3", "--select", "torch==2.2.0,onnxruntime==1.17.0")
    assert len(two_by_two.cells()) == 2


FEEDBACK = {"exporters": ["torchscript"], "layouts": ["pair"], "feedbacks": ["keep-cross", "feed-all"]}


def test_require_is_silent_about_what_is_not_selected(project):
    project.configure(variants={"exporters": ["torchscript", "dynamo"], "layouts": ["pair"], "require": "exporter=dynamo"})
    (cell,) = project.run("--select", "exporter=torchscript").values()
    assert cell["status"] == "works"


def test_feed_all_is_reported_and_never_decides(project):
    project.configure(variants=FEEDBACK)
    (cell,) = project.run().values()
    assert [(one["feedback"], one["status"]) for one in cell["variants"]] == [("keep-cross", "works"), ("feed-all", "fails")]
    assert cell["status"] == "works"
    project.configure(variants={**FEEDBACK, "require": "all"})
    (cell,) = project.run().values()
    assert cell["status"] == "works"


@pytest.mark.parametrize(
    ("require", "status"),
    [("any", "works"), ("all", "fails"), ("layout=pair", "works"), ("layout=merged", "fails"), ("exporter=torch*", "fails")],
)
def test_require_names_the_variants_that_decide(project, require, status):
    project.publish(packages.onnxruntime("1.17.0", on_run="if run['layout'] == 'merged': raise RuntimeError('If')"))
    variants = {"exporters": ["torchscript"], "layouts": ["pair", "merged"], "require": require}
    project.configure({"onnxruntime": ["1.17.0"]}, variants=variants)
    (cell,) = project.run().values()
    assert cell["status"] == status, [one["error"] for one in cell["variants"]]


@pytest.fixture
def some_with_optimum(project: Project) -> Project:
    """optimum beside the four, in half of the cells."""
    project.publish(packages.package("optimum", "1.16.2", requires=("transformers",)))
    project.publish(packages.onnxruntime("1.17.0"))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"], "optimum": ["absent", "1.16.2"]})
    return project


def test_an_axis_can_be_absent_from_cells(some_with_optimum):
    cells = some_with_optimum.run()
    assert [("optimum" in cell["pins"], "optimum" in cell["resolved"]) for cell in cells.values()] == [
        (False, False),
        (True, True),
        (False, False),
        (True, True),
    ]
    assert [name.endswith("-optimum1162") for name in cells] == [False, True, False, True]
    assert some_with_optimum.report()["axes"]["optimum"] == ["absent", "1.16.2"]
    assert "| absent " in (some_with_optimum.reports / "matrix.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--select", "optimum=absent"], [True, True]),
        (["--select", "optimum!=absent"], [False, False]),
        (["--exclude", "optimum=absent,onnxruntime<1.17"], [False, True, False]),
    ],
)
def test_cells_are_selected_by_an_absent_axis(some_with_optimum, arguments, absent):
    answer = some_with_optimum.main("report", "--format", "json", *arguments)
    assert ["optimum" not in cell["pins"] for cell in json.loads(answer.out)["cells"]] == absent
    assert "onnx is absent in no cell" in some_with_optimum.main("plan", "--select", "onnx=absent").err


def test_an_exporter_that_loads_what_it_wrote_exports_for_each_onnxruntime(some_with_optimum):
    some_with_optimum.run()
    assert len(some_with_optimum.starts("export")) == 1 + 2


def test_the_export_side_of_a_handoff_gets_an_onnxruntime_of_its_own_for_optimum(some_with_optimum):
    some_with_optimum.configure({"optimum": ["1.16.2"]}, setup=["handoff"])
    (cell,) = some_with_optimum.run().values()
    assert cell["status"] == "works"
    assert len(some_with_optimum.starts("export")) == 1
