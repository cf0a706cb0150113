"""An exporter that writes another graph in each process: what fails with one graph is no fact before it fails with others."""

from __future__ import annotations

import json
from typing import Any

import packages
import pytest
from packages import KILLED, raises
from project import Project, printed

pytestmark = pytest.mark.usefixtures("installed_once")

FIRST, SECOND, ALWAYS = "turn == 0", "turn == 1", "True"


def exporting(
    project: Project, flawed: str, *, version: str = "2.1.0", differs: bool = False, killed: str = "False"
) -> Project:
    """`project` with a torch whose export is `flawed` or `killed`, by its `turn` from 0, and differs where asked for."""
    source = f"""
        import pathlib
        turns = pathlib.Path({str(project.notes / "turns")!r})
        turn = len(turns.read_text()) if turns.exists() else 0
        turns.write_text("x" * (turn + 1))
        if {killed}:
            {KILLED}
        variant = {{**variant, "id": turn if {differs} else 0}}
    """
    project.publish(packages.torch(version, on_export=source, flawed=flawed))
    return project


def only(project: Project, *arguments: str) -> dict[str, Any]:
    (cell,) = project.run(*arguments).values()
    (variant,) = cell["variants"]
    return variant


@pytest.mark.parametrize("flawed", [FIRST, "turn < 2"])
def test_a_graph_that_is_wrong_by_chance_proves_nothing(project, flawed):
    """The second one is found out by the export that is made at the end."""
    project.remedies = True
    found = only(exporting(project, flawed))
    assert (found["status"], found["stage"], found["cause"], found["remedies"]) == ("flaky", "parity", None, [])
    assert found["outcomes"] == ["fails at parity: logits differ from PyTorch by 0.5", "works"]


def test_it_proves_nothing_beside_what_works(project):
    project.configure(variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]})
    exporting(project, FIRST)
    ends = {one["layout"]: one["status"] for cell in project.run().values() for one in cell["variants"]}
    assert ends == {"pair": "flaky", "merged": "works"}


def test_an_error_at_the_last_export_takes_no_fact_back(project):
    exporting(project, ALWAYS, killed="turn == 3")
    assert (only(project)["status"], len(project.starts("export"))) == ("fails", 1 + 1 + 1 + 1)
    assert only(project)["status"] == "fails"


def test_graphs_that_differ_and_fail_alike_leave_a_fact(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=raises("RuntimeError('no kernel')")))
    project.configure({"onnxruntime": ["1.17.0"]})
    found = only(exporting(project, "False", differs=True))
    assert (found["status"], found["stage"], found["error"]) == ("fails", "decode", "no kernel")
    # As often as any failure that is not the same each time, once at the end, and once with another model: nothing works.
    assert len(project.starts("export")) == 1 + 4 + 1 + 1
    assert only(project)["status"] == "fails"
    assert len(project.starts("export")) == 1 + 4 + 1 + 1


def test_one_further_export_confirms_what_two_runtimes_refuse(project):
    refuses = "raise RuntimeError('no kernel')"
    project.publish(*(packages.onnxruntime(version, on_run=refuses) for version in ("1.17.0", "1.18.0")))
    layouts = {"exporters": ["torchscript"], "layouts": ["pair", "merged"]}
    project.configure({"onnxruntime": ["1.16.3", "1.17.0", "1.18.0"]}, variants=layouts)
    cells = project.run("--jobs", "1").values()
    ends = {(cell["pins"]["onnxruntime"], one["status"]) for cell in cells for one in cell["variants"]}
    assert ends == {("1.16.3", "works"), ("1.17.0", "fails"), ("1.18.0", "fails")}
    first, confirming, at_the_end = project.starts("export")
    assert first["subjects"] == confirming["subjects"] == at_the_end["subjects"]
    # Forks share what an exporter may draw.
    assert confirming["server"] is at_the_end["server"] is None
    # The same graphs: nothing is run with them but what is run once more anyway.
    again = [run for run in project.starts("run") if "torchscript-17-pair-keep-cross-numpy" in run["subjects"]]
    assert len(again) == 3 + 2


def test_a_stamp_above_the_limits_needs_no_further_export(project):
    project.publish(packages.torch("2.2.0", ir=10))
    project.configure({"torch": ["2.2.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair"]})
    (cell,) = project.run().values()
    assert (cell["variants"][0]["stage"], cell["variants"][0]["cause"]) == ("load", "format gate")
    assert len(project.starts("export")) == 1


def test_force_exports_again(project):
    exporting(project, ALWAYS)
    assert only(project)["status"] == "fails"
    exports = len(project.starts("export"))
    assert only(project, "--force")["status"] == "fails"
    assert len(project.starts("export")) == 2 * exports


@pytest.mark.parametrize("first", ["fails", "works"])
def test_stores_of_which_each_has_another_graph_are_compared(project, tmp_path, first):
    # A run exports what fails once, to confirm it, with another model, and at the end.
    exporting(project, "turn < 4")
    project.configure(setup="handoff")
    stores = {}
    for status in ("fails", "works"):
        stores[status] = str(tmp_path / status)
        options = [
            "--config",
            str(project.config),
            "--store",
            stores[status],
            "--reports",
            str(tmp_path / "r"),
            "--no-remedies",
        ]
        answer = printed("run", *options, "--format", "json")
        (cell,) = json.loads(answer.out)["cells"]
        assert cell["status"] == status
    answer = project.main("merge", *sorted(stores.values(), reverse=first == "works"), "--format", "json")
    (cell,) = json.loads(answer.out)["cells"]
    (variant,) = cell["variants"]
    assert (variant["status"], variant["stage"], variant["cause"]) == ("flaky", "parity", None)


def test_an_upgrade_whose_graph_is_wrong_by_chance_is_not_known_to_break(project):
    exporting(project, FIRST, version="2.2.0")
    wanted = project.root / "requirements.txt"
    wanted.write_text("torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\nonnxruntime==1.16.3\n")
    answer = project.main("check", "--from", str(wanted), "--to", "torch==2.2.0", "--format", "json")
    assert (answer.code, json.loads(answer.out)["answer"]) == (3, "UNKNOWN")


def test_an_audit_whose_graph_is_wrong_by_chance_contradicts_nothing(project):
    exporting(project, SECOND)
    answer = project.main("run", "--audit", "100%")
    assert answer.code == 0
    assert answer.err.count("the same from scratch") == 1
