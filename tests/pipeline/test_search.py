"""`--strategy pairwise` and `--budget`: few cells, the same answers, and nothing inferred that passes for an answer."""

from __future__ import annotations

import re

import packages
import pytest
from project import AXES, Project

pytestmark = pytest.mark.usefixtures("installed_once")

TORCH = ["2.1.0", "2.2.0", "2.3.0", "2.4.0"]
RUNTIME = ["1.16.3", "1.17.0", "1.18.0", "1.19.0"]
TRANSFORMERS = ["4.46.3", "4.50.0", "4.55.0", "4.57.0"]


def trapped(project: Project) -> Project:
    """64 cells: torch from 2.3 writes what onnxruntime before 1.18 cannot read."""
    project.publish(*packages.helpers(), packages.onnx())
    project.publish(*(packages.torch(version, ir=8 if version < "2.3" else 10) for version in TORCH))
    project.publish(*(packages.onnxruntime(version, max_ir=9 if version < "1.18" else 10) for version in RUNTIME))
    project.publish(*(packages.transformers(version) for version in TRANSFORMERS))
    project.configure({"torch": TORCH, "transformers": TRANSFORMERS, "onnxruntime": RUNTIME})
    return project


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The trapped matrix after a pairwise run."""
    project = trapped(Project(tmp_path_factory.mktemp("searched")))
    answer = project.main("run", "--strategy", "pairwise")
    assert answer.code == 0, answer.err
    return project


@pytest.fixture(scope="module")
def whole(searched: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of it after a full run, which goes on from there."""
    project = searched.copy(tmp_path_factory.mktemp("whole") / "project")
    before = len(project.starts())
    assert {cell["status"] for cell in project.run().values()} == {"works", "fails"}
    left = sum(cell["status"] == "not-run" for cell in searched.cells().values())
    # At most an import and a run for each cell that was left out, and no export twice.
    assert 0 < len(project.starts()) - before <= 2 * left
    return project


def test_what_was_observed_is_what_a_full_run_says(searched, whole):
    truth, found = whole.cells(), searched.cells()
    assert found.keys() == truth.keys()
    observed = {name: cell["status"] for name, cell in found.items() if cell["status"] != "not-run"}
    assert observed == {name: truth[name]["status"] for name in observed}
    assert len(observed) < 48


def test_the_trap_is_seen_on_both_sides(searched):
    seen = {
        (cell["pins"]["torch"], cell["pins"]["onnxruntime"]): cell["status"]
        for cell in searched.cells().values()
        if cell["status"] != "not-run"
    }
    assert seen == {
        (torch, runtime): "fails" if torch >= "2.3" and runtime < "1.18" else "works" for torch in TORCH for runtime in RUNTIME
    }


def test_what_was_not_observed_says_so_and_what_is_inferred_is_true(searched, whole):
    truth = whole.cells()
    left = {name: cell for name, cell in searched.cells().items() if cell["status"] == "not-run"}
    assert left
    for name, cell in left.items():
        assert {(one["status"], one["reason"]) for one in cell["variants"]} == {("not-run", "left out by --strategy pairwise")}
        assert cell["inferred"] == truth[name]["status"]
    assert {cell["inferred"] for cell in searched.cells().values() if cell["status"] != "not-run"} == {None}
    assert {cell["inferred"] for cell in truth.values()} == {None}


def test_only_what_was_observed_is_recommended_and_it_is_the_newest(searched, whole):
    found = searched.report()["recommended"]
    assert {searched.cells()[name]["status"] for name in found.values()} == {"works"}
    assert found == whole.report()["recommended"]


def test_a_table_tells_inferred_from_observed(searched, whole):
    cells = searched.cells().values()
    text = (searched.reports / "matrix.md").read_text()
    table = [entry.strip() for line in text.splitlines() if line.startswith("| 4.") for entry in line.split("|")]
    for word in ("works", "fails"):
        assert table.count(f"not-run ({word}?)") == sum(cell["inferred"] == word for cell in cells) > 0
        assert sum(entry.startswith(f"{word} ") and "onnx" not in entry for entry in table) == sum(
            cell["status"] == word for cell in cells
        )
    inferred = [sum(cell["inferred"] == word for cell in cells) for word in ("works", "fails")]
    assert f"(inferred, not observed: {inferred[0]} works, {inferred[1]} fails)" in text
    assert "(works?) and (fails?) are inferred from other cells, not observed" in text
    assert "?)" not in (whole.reports / "matrix.md").read_text()


def test_the_terminal_tells_them_apart_too_and_a_report_infers_the_same(searched, tmp_path):
    answer = searched.main("report", "--reports", str(tmp_path))
    assert "not-run (works?)" in answer.out
    assert re.search(
        r"64 cells: \d+ works, \d+ fails, \d+ not-run \(inferred, not observed: \d+ works, \d+ fails\)", answer.out
    )


def test_a_second_run_has_nothing_to_do_and_says_the_same(searched):
    before, cells = len(searched.starts()), searched.cells()
    assert searched.run("--strategy", "pairwise") == cells
    assert len(searched.starts()) == before


def test_plan_counts_cells_and_pairs(searched):
    out = searched.main("plan", "--strategy", "pairwise", "--budget", "10m").out
    assert re.search(r"pairwise: first (1[6-9]|2\d) of 64 cells that can be run; in them meet 48 of 48 pairs of versions", out)
    assert "everything is known already" in out
    assert "most telling first: py3" in out


def test_excluded_cells_are_not_chosen_included_ones_are_and_what_does_not_resolve_is_told(project):
    trapped(project)
    project.publish(packages.transformers("4.58.0", requires=("numpy>=99",)))
    base = {axis: versions[0] for axis, versions in AXES.items()}
    project.configure(
        {"torch": TORCH[1:], "transformers": [*TRANSFORMERS[1:], "4.58.0"], "onnxruntime": RUNTIME[1:]},
        exclude=[{"torch": "2.4.0", "onnxruntime": "<1.18"}],
        include=[base],
    )
    out = project.main("plan", "--strategy", "pairwise").out
    # 36 less 4 excluded, plus 1 included; 8 of them do not resolve.
    assert re.search(r"pairwise: first \d+ of 25 cells that can be run; in them meet (\d+) of \1 pairs", out)
    assert "and 7 more: fails at resolve" in out
    cells = project.run("--strategy", "pairwise")
    assert not [name for name in cells if "t240" in name and "r1170" in name]
    (included,) = [cell for cell in cells.values() if cell["pins"] == {k: v for k, v in base.items() if k != "python"}]
    assert included["status"] == "works"
    unresolved = [cell for cell in cells.values() if cell["pins"]["transformers"] == "4.58.0"]
    assert {(cell["status"], cell["inferred"]) for cell in unresolved} == {("fails", None)}


@pytest.mark.parametrize("strategy", ["full", "pairwise"])
def test_a_budget_that_is_over_begins_nothing(project, strategy):
    project.publish(packages.torch("2.2.0"), packages.onnxruntime("1.17.0"))
    project.configure({"torch": ["2.1.0", "2.2.0"], "onnxruntime": ["1.16.3", "1.17.0"]})
    answer = project.main("run", "--budget", "0s", "--strategy", strategy)
    assert answer.code == 3
    assert "the budget is over" in answer.err
    assert "nothing could be observed in 4 cells: 4 variants: the budget was over" in answer.err
    assert project.starts() == []
    for cell in project.cells().values():
        assert (cell["status"], cell["inferred"]) == ("not-run", None)
        assert {one["reason"] for one in cell["variants"]} == {"the budget was over"}
    assert "not run — 4 variants: the budget was over" in answer.out
    # Nothing was proven: that is no yes.
    assert project.main("run", "--budget", "0s", "--fail-on", "fails").code == 3
    assert {cell["status"] for cell in project.run("--strategy", strategy).values()} == {"works"}
    assert project.main("run", "--budget", "0s", "--fail-on", "fails").code == 0


def test_what_runs_when_the_budget_ends_is_finished_and_the_rest_is_done_later(project):
    slow = packages.onnxruntime("1.17.0", on_run="import time; time.sleep(1.5)")
    later = packages.onnxruntime("1.18.0", on_run="import time; time.sleep(1.5)")
    project.publish(slow, later)
    project.configure({"onnxruntime": ["1.17.0", "1.18.0"]})
    project.main("plan")
    # Long enough to begin a run, too short for two one after the other.
    cells = project.run("--budget", "2s", "--jobs", "1").values()
    over = [cell for cell in cells if cell["status"] == "not-run"]
    assert len(over) >= 1
    assert all(one["reason"] == "the budget was over" for cell in over for one in cell["variants"])
    began = len(project.starts())
    assert {cell["status"] for cell in project.run().values()} == {"works"}
    kinds = [start["kind"] for start in project.starts()]
    assert kinds.count("run") == 2, kinds
    assert began < len(kinds)


def test_a_budget_is_enough_or_changes_nothing(project):
    assert {cell["status"] for cell in project.run("--budget", "1h").values()} == {"works"}


def test_where_nothing_works_other_cells_are_tried_and_then_it_ends(project):
    """One cell of 27 works, and it is none of those that are asked first."""
    versions = {"torch": TORCH[1:], "transformers": TRANSFORMERS[1:], "onnxruntime": RUNTIME[1:]}
    wanted = [version for versions in versions.values() for version in versions[1:2]]
    other = "import importlib.metadata as m; assert [m.version(n) for n in ('torch', 'transformers')] == {}"
    project.publish(*(packages.torch(v, on_export=other.format(wanted[:2])) for v in versions["torch"]))
    project.publish(*(packages.transformers(v) for v in versions["transformers"]))
    project.publish(*(packages.onnxruntime(v, max_ir=9 if v == wanted[2] else 1) for v in versions["onnxruntime"]))
    project.configure(versions)
    first = int(re.search(r"first (\d+) of 27", project.main("plan", "--strategy", "pairwise").out)[1])
    cells = project.run("--strategy", "pairwise").values()
    run = [cell for cell in cells if cell["status"] != "not-run"]
    assert len(run) > 2 * first
    assert [list(cell["pins"].values()) for cell in run if cell["status"] == "works"] in (
        [],
        [[*wanted[:2], "1.16.2", wanted[2]]],
    )
