"""Rules through the front door, and their boundaries closed by running what lies between."""

from __future__ import annotations

import json

import packages
import pytest
from project import PYTHON, Project

from harness.environments.interface import FailureType, ProviderFailure
from harness.environments.uv.client import Uv

pytestmark = pytest.mark.usefixtures("installed_once")

MINORS = range(16, 25)
RUNTIMES = [f"1.{minor}.{patch}" for minor in MINORS for patch in range(3)]
READS_10 = "1.20.1"
"""The first onnxruntime on the index that reads IR 10."""


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@pytest.fixture(scope="module")
def trapped(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """torch from 2.3 writes IR 10, which onnxruntime reads from 1.20.1 on; of its 27 versions two are on the axis."""
    made = Project(tmp_path_factory.mktemp("trapped"))
    made.publish(*packages.helpers(), packages.onnx(), packages.transformers())
    made.publish(*(packages.torch(f"2.{minor}.0", ir=8 if minor < 3 else 10) for minor in range(1, 6)))
    made.publish(
        *(packages.onnxruntime(version, max_ir=9 if number(version) < number(READS_10) else 10) for version in RUNTIMES)
    )
    made.configure({"torch": ["2.1.0", "2.5.0"], "onnxruntime": ["1.16.1", "1.24.2"]})
    made.run()
    return made


def test_a_rule_names_the_versions_that_were_tried(trapped):
    report = trapped.report()
    (rule,) = report["rules"]
    assert rule["text"] == "torch≥2.5.0 ∧ onnxruntime<1.24.2 → load"
    assert (rule["variants"], rule["cells"], rule["alone"], rule["masked"]) == (1, 1, 1, 0)
    assert report["unexplained"] == []
    found = {one["name"]: (one["fails"], one["passes"], one["equal"], one["closed"]) for one in rule["boundaries"]}
    assert found == {"torch": ("2.5.0", "2.1.0", True, False), "onnxruntime": ("1.16.1", "1.24.2", True, False)}
    page = (trapped.reports / "matrix.md").read_text()
    assert "onnxruntime fails at 1.16.1, passes at 1.24.2 (not asked)" in page


@pytest.fixture(scope="module")
def closed(trapped: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of it, its boundaries closed."""
    made = trapped.copy(tmp_path_factory.mktemp("closed") / "project")
    answer = made.main("run", "--close-boundaries")
    assert answer.code == 0, answer.err
    assert "boundaries closed: 2 of 2" in answer.err
    return made


def test_closed_boundaries_are_next_to_each_other_on_the_index(closed):
    (rule,) = closed.report()["rules"]
    assert rule["text"] == f"torch≥2.3.0 ∧ onnxruntime<{READS_10} → load"
    found = {one["name"]: (one["fails"], one["passes"], one["closed"]) for one in rule["boundaries"]}
    assert found == {"torch": ("2.3.0", "2.2.0", True), "onnxruntime": ("1.20.0", "1.20.1", True)}
    assert f"onnxruntime fails up to 1.20.0, passes from {READS_10} |" in (closed.reports / "matrix.md").read_text()


def test_bounds_that_depend_on_each_other_are_closed_at_their_corner(project):
    """An IR that is one higher with every torch needs an onnxruntime that is one newer: each bound alone would say too much."""
    minors = range(16, 21)
    project.publish(*(packages.torch(f"2.{minor - 14}.0", ir=minor) for minor in minors))
    project.publish(*(packages.onnxruntime(f"1.{minor}.0", max_ir=minor) for minor in minors))
    project.configure({"torch": ["2.2.0", "2.6.0"], "onnxruntime": ["1.16.0", "1.20.0"]})
    project.run("--close-boundaries")
    (rule,) = project.report()["rules"]
    # torch 2.3 needs onnxruntime 1.17. With onnxruntime 1.16 torch fails from 2.3, and at 2.3 onnxruntime fails up to 1.16.
    assert rule["text"] == "torch≥2.3.0 ∧ onnxruntime<1.17.0 → load"
    assert all(one["closed"] for one in rule["boundaries"])


def test_it_bisects(closed, trapped):
    (rule,) = closed.report()["rules"]
    probes = {one["name"]: [tried["version"] for tried in one["tried"]] for one in rule["boundaries"]}
    # Of 8 minor versions between (the newest patch of each) 3, and of the two patches that are left 2 at most.
    assert len(probes["onnxruntime"]) <= 5
    assert len(probes["torch"]) <= 2
    assert len(closed.starts("run")) - len(trapped.starts("run")) <= 7


def test_what_was_tried_is_in_the_rule_and_in_no_cell(closed, trapped):
    assert closed.cells() == trapped.cells()


def test_a_later_report_finds_it_again_and_runs_nothing(closed, tmp_path):
    said, started = closed.report(), len(closed.starts())
    assert closed.main("report", "--reports", str(tmp_path)).code == 0
    assert json.loads((tmp_path / "matrix.json").read_text()) == said
    closed.run()
    assert closed.report() == said
    assert len(closed.starts()) == started


def test_only_the_named_axes_are_closed(trapped, tmp_path):
    made = trapped.copy(tmp_path / "project")
    answer = made.main("run", "--close-boundaries", "torch")
    assert "boundaries closed: 1 of 1" in answer.err
    (rule,) = made.report()["rules"]
    assert rule["text"] == "torch≥2.3.0 ∧ onnxruntime<1.24.2 → load"
    # What is known on the others stays.
    assert "boundaries closed: 1 of 1" in made.main("run", "--close-boundaries", "onnxruntime").err
    (rule,) = made.report()["rules"]
    assert rule["text"] == f"torch≥2.3.0 ∧ onnxruntime<{READS_10} → load"


def test_an_axis_that_does_not_exist_is_refused_before_anything_runs(project):
    answer = project.main("run", "--close-boundaries", "onnxrumtime")
    assert answer.code == 2
    assert "did you mean 'onnxruntime'?" in answer.err
    assert project.starts() == []


def test_an_index_that_is_not_asked_leaves_a_boundary_open(trapped, tmp_path):
    made = trapped.copy(tmp_path / "project")
    assert "boundaries closed: 0 of 2" in made.main("run", "--close-boundaries", "--offline").err
    assert {one["closed"] for one in made.report()["rules"][0]["boundaries"]} == {False}


def test_a_budget_that_is_over_leaves_a_boundary_open(trapped, tmp_path):
    made = trapped.copy(tmp_path / "project")
    assert "boundaries closed: 0 of 2; cells run for it: 0" in made.main("run", "--close-boundaries", "--budget", "0s").err
    assert made.report()["rules"] == trapped.report()["rules"]


def test_an_index_that_does_not_answer_costs_no_report(trapped, tmp_path, monkeypatch):
    made = trapped.copy(tmp_path / "project")

    def unreachable(*_arguments: object) -> str:
        raise ProviderFailure(FailureType.INFRASTRUCTURE, "error: Request failed\n  dns error")

    monkeypatch.setattr(Uv, "newest", unreachable)
    answer = made.main("run", "--close-boundaries")
    assert answer.code == 0
    assert "onnxruntime between 1.16.1 and 1.24.2 stays open: dns error" in answer.err
    assert made.report()["rules"] == trapped.report()["rules"]


@pytest.mark.parametrize("options", [[], ["--audit", "100%"]])
def test_a_version_that_is_no_longer_published_costs_no_report(trapped, tmp_path, options):
    """The list of what lies between is known, and the index is not what it was. An audit afterwards runs as ever."""
    made = trapped.copy(tmp_path / "project")
    made.main("run", "--close-boundaries", "torch")
    for wheel in made.index.glob("torch-2.[234]*.whl"):
        wheel.unlink()
    for record in (made.store / "results").glob("*/*.json"):
        if '"lock"' in record.read_text() and '"2.3.0"' in record.read_text():
            record.unlink()
    answer = made.main("run", "--close-boundaries", "torch", *options)
    assert answer.code == 0, answer.err
    assert "was not asked: matrix.toml: axes.torch: torch 2.3.0 is not published" in answer.err
    (rule,) = made.report()["rules"]
    assert not rule["boundaries"][0]["closed"]


def test_versions_that_say_nothing_are_passed_over_and_named(project):
    """1.18 and 1.19 do not resolve, 1.17 fails already at import: the boundary lies where they are."""
    project.publish(
        packages.torch("2.5.0", ir=10),
        packages.onnxruntime("1.17.0", on_import="raise ImportError('no')"),
        packages.onnxruntime("1.18.0", requires=("numpy>=99",)),
        packages.onnxruntime("1.19.0", requires=("numpy>=99",)),
        packages.onnxruntime("1.20.0", max_ir=10),
    )
    project.configure({"torch": ["2.5.0"], "onnxruntime": ["1.16.3", "1.20.0"]})
    project.run("--close-boundaries")
    (rule,) = project.report()["rules"]
    assert rule["text"] == "onnxruntime<1.20.0 → load"
    (boundary,) = rule["boundaries"]
    assert boundary["closed"]
    assert {one["version"]: one["outcome"] for one in boundary["tried"]} == {
        "1.17.0": "fails at import",
        "1.18.0": "fails at resolve",
        "1.19.0": "fails at resolve",
    }
    page = (project.reports / "matrix.md").read_text()
    assert "passes at 1.20.0 (of 1.18.0, 1.19.0, 1.17.0 between them nothing is known)" in page


def test_an_error_leaves_a_boundary_open(project):
    project.publish(
        packages.torch("2.5.0", ir=10),
        packages.onnxruntime("1.18.0", on_import=packages.KILLED),
        packages.onnxruntime("1.20.0", max_ir=10),
    )
    project.configure({"torch": ["2.5.0"], "onnxruntime": ["1.16.3", "1.20.0"]})
    assert "boundaries closed: 0 of 1" in project.main("run", "--close-boundaries").err
    (boundary,) = project.report()["rules"][0]["boundaries"]
    assert [one["outcome"] for one in boundary["tried"]] == ["error at import"]
    assert (boundary["fails"], boundary["passes"], boundary["closed"]) == ("1.16.3", "1.20.0", False)


PICKY = """
    import importlib.metadata
    if importlib.metadata.version("numpy").startswith("2"):
        raise ImportError("numpy.core.multiarray failed to import")
"""


def test_a_transitive_version_is_named_where_the_axes_would_need_more(project):
    """numpy 2 comes with every transformers but one, and one onnxruntime of two does not import beside it."""
    project.publish(
        *(packages.transformers(f"4.{minor}.0", requires=("numpy<2",) if minor in {47, 49} else ()) for minor in range(47, 52)),
        *(packages.onnxruntime(f"1.{minor}.0", on_import=PICKY if minor < 19 else "") for minor in (18, 19)),
    )
    project.configure(
        {
            "transformers": [f"4.{minor}.0" for minor in range(47, 52)],
            "onnxruntime": [f"1.{minor}.0" for minor in (18, 19)],
        }
    )
    project.run()
    (rule,) = project.report()["rules"]
    assert rule["text"] == "numpy≥2.1.0 ∧ onnxruntime<1.19.0 → import"
    assert (rule["variants"], rule["cells"]) == (3, 3)


def test_merged_reports_have_the_rules_of_the_whole(trapped, tmp_path):
    one, other = trapped.copy(tmp_path / "one"), trapped.copy(tmp_path / "other")
    one.run("--shard", "1/2")
    other.run("--shard", "2/2")
    whole = trapped.report()
    files = [str(project.reports / "matrix.json") for project in (one, other)]
    assert trapped.main("merge", *files, "--reports", str(tmp_path / "merged")).code == 0
    merged = json.loads((tmp_path / "merged" / "matrix.json").read_text())
    assert merged["rules"] == whole["rules"]
    assert PYTHON in merged["axes"]["python"]
