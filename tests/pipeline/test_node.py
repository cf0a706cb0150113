"""Cells whose runtime is onnxruntime-node: a fake npm installs it, and a fake node runs it."""

from __future__ import annotations

import json
from dataclasses import replace

import packages
import pytest
from fake_npm import WORKS, FakeNpm, refuses
from packages import raises
from project import AXES, Project

from harness.tasks import keys

pytestmark = pytest.mark.usefixtures("installed_once")

NODE = "onnxruntime-node"
STACK = f"py{AXES['python'][0].replace('.', '')}-t210-tf4463-o1162"
ONLY_NODE = {"onnxruntime": [], NODE: ["1.16.3"]}


class NodeProject(Project):
    """A project whose matrix may have the runtime of node alone."""

    npm: FakeNpm

    def configure(self, axes=None, **tables):
        """With an empty list for an axis that the matrix does not have."""
        given = {**AXES, **(axes or {})}
        super().configure(axes, **tables)
        text = self.config.read_text(encoding="utf-8")
        for axis in (axis for axis, values in given.items() if not values):
            text = text.replace(f'"{axis}" = []\n', "")
        self.config.write_text(text, encoding="utf-8")


@pytest.fixture
def project(tmp_path, monkeypatch) -> NodeProject:
    made = NodeProject(tmp_path / "project")
    made.publish(*packages.working())
    made.npm = FakeNpm(tmp_path / "npm")
    for version in ("1.16.3", "1.20.1"):
        made.npm.publish_runtime(version)
    monkeypatch.setenv("PATH", made.npm.path)
    monkeypatch.setenv("HOME", str(tmp_path))
    made.configure({NODE: ["1.16.3"]})
    return made


def test_a_node_cell_runs_the_export_of_the_others_in_its_own_environments(project):
    cells = project.run()
    assert {name: cell["status"] for name, cell in cells.items()} == {f"{STACK}-r1163": "works", f"{STACK}-n1163": "works"}
    node = cells[f"{STACK}-n1163"]
    assert (node["environment"], node["pins"][NODE], "onnxruntime" in node["pins"]) == ("handoff", "1.16.3", False)
    assert node["packages"] == {"onnxruntime-common": "1.16.3", NODE: "1.16.3"}
    assert node["program"] == "20.11.1"
    assert node["resolved_sides"]["run"] == {"numpy": "2.1.0"}
    assert node["lock"] != cells[f"{STACK}-r1163"]["lock"]
    assert len(project.starts("export")) == 1
    assert [len(project.npm.calls(command)) for command in ("view", "install", "ci")] == [0, 1, 2]


@pytest.mark.usefixtures("confined")
def test_a_confined_probe_reads_the_program_and_the_runner(project):
    cells = project.run()
    (variant,) = cells[f"{STACK}-n1163"]["variants"]
    assert (variant["status"], variant["error"]) == ("works", None)


@pytest.mark.usefixtures("confined")
def test_a_confined_probe_reads_the_packages_of_a_fresh_environment(project):
    project.run()
    answer = project.main("pin", "--require", f"{NODE}==1.16.3", "--reports", str(project.reports))
    assert answer.code == 0, answer.err


def test_what_is_known_is_not_run_again_and_a_report_is_the_same(project):
    first = project.run()
    starts, calls = len(project.starts()), len(project.npm.calls())
    assert project.run() == first
    assert (len(project.starts()), len(project.npm.calls())) == (starts, calls)
    assert project.main("report").code == 0
    assert project.cells() == first


def test_a_matrix_may_have_the_runtime_of_node_alone(project):
    project.configure(ONLY_NODE)
    cells = project.run()
    assert {name: cell["status"] for name, cell in cells.items()} == {f"{STACK}-n1163": "works"}
    report = project.report()
    assert (report["recommended"], report["recommended_elsewhere"]) == ({}, {NODE: {"1.16.3": f"{STACK}-n1163"}})
    assert "| onnxruntime-node |" in " ".join((project.reports / "matrix.md").read_text().split())


def test_selectors_ask_npm_and_are_remembered(project):
    project.configure({NODE: ["; latest-per-minor"]})
    assert set(project.run()) == {f"{STACK}-{runtime}" for runtime in ("r1163", "n1163", "n1201")}
    project.run()
    assert len(project.npm.calls("view")) == 1


@pytest.mark.parametrize("change", ["node", "runner", "package"])
def test_another_node_runner_or_package_is_another_measurement(project, monkeypatch, tmp_path, change):
    project.configure(ONLY_NODE)
    project.run()
    if change == "node":
        project.npm.install_node("22.0.0")
    if change == "runner":
        (tmp_path / "runners" / "node").mkdir(parents=True)
        (tmp_path / "runners" / "node" / "main.js").write_text("another")
        monkeypatch.setattr(keys, "RUNNERS_FOLDER", tmp_path / "runners")
    if change == "package":
        project.npm.publish("onnxruntime-common", "1.16.3", more="content")
    project.run(*(["--refresh"] if change == "package" else []))
    assert (len(project.starts("run")), len(project.starts("export"))) == (2, 1)


def test_without_node_its_cells_are_not_run_and_the_others_are(project, monkeypatch):
    (project.npm.bin / "node").unlink()
    monkeypatch.setenv("PATH", str(project.npm.bin))
    project.configure({NODE: ["1.16.3", "; latest"]})
    answer = project.main("run", "--format", "json")
    cells = {cell["id"]: cell for cell in json.loads(answer.out)["cells"]}
    assert {name: cell["status"] for name, cell in cells.items()} == {f"{STACK}-r1163": "works", f"{STACK}-n1163": "not-run"}
    (variant,) = cells[f"{STACK}-n1163"]["variants"]
    assert variant["reason"].startswith("no node on this machine's PATH; Node.js brings both")
    assert f"{NODE}: what its selectors stand for is not known, and they are left out: no node" in answer.err
    assert project.npm.calls() == []


def test_a_plan_says_what_several_cells_lack_once(project, monkeypatch):
    (project.npm.bin / "node").unlink()
    monkeypatch.setenv("PATH", str(project.npm.bin))
    project.configure({NODE: ["1.16.3", "1.20.1"]})
    out = project.main("plan").out
    assert f"{STACK}-n1163 and 1 more: not-run at resolve" in out
    assert out.count("no node on this machine's PATH") == 1


def test_a_version_that_is_not_published_costs_its_cells(project):
    project.configure({NODE: ["1.16.3", "1.99.0"]})
    answer = project.main("run", "--format", "json")
    cells = {cell["id"]: cell for cell in json.loads(answer.out)["cells"]}
    assert cells[f"{STACK}-n1163"]["status"] == "works"
    assert cells[f"{STACK}-n1990"]["variants"][0]["reason"] == f"{NODE} 1.99.0 is not published where npm looked"
    assert f"axes.{NODE}: {NODE} 1.99.0 is not published where npm looked" in answer.err
    assert "the nearest: 1.20.1" in answer.err


@pytest.mark.parametrize(("command", "stage"), [("install", "resolve"), ("ci", "install")])
def test_trouble_of_npm_is_an_error_that_is_tried_again(project, command, stage):
    project.configure(ONLY_NODE)
    project.npm.trouble(**{command: "ECONNREFUSED"})
    (cell,) = json.loads(project.main("run", "--format", "json").out)["cells"]
    assert (cell["status"], cell["variants"][0]["stage"]) == ("error", stage)
    assert "npm ended with ECONNREFUSED" in cell["variants"][0]["error"]
    assert "registry.example" not in json.dumps(cell)
    project.npm.trouble()
    (cell,) = project.run().values()
    assert cell["status"] == "works"


def test_an_artifact_that_node_refuses_fails_there(project):
    project.npm.publish_runtime("1.22.0", refuses("Unsupported model IR version: 8"))
    project.configure({NODE: ["1.22.0"]})
    cells = project.run()
    assert cells[f"{STACK}-r1163"]["status"] == "works"
    (variant,) = cells[f"{STACK}-n1220"]["variants"]
    assert (variant["status"], variant["stage"]) == ("fails", "load")
    assert "Unsupported model IR version: 8" in variant["error"]


def test_environments_of_npm_are_removed_when_the_run_ends_and_cleaned_if_they_were_kept(project):
    project.run("--keep-envs")
    kept = [path for path in (project.store / "envs").iterdir() if (path / "node_modules").is_dir()]
    assert len(kept) == 1
    assert project.main("clean").code == 0
    assert kept[0].is_dir()
    project.configure()
    assert project.main("clean", "--force").code == 0
    assert not kept[0].exists()


def test_shards_are_merged_with_the_packages(project):
    project.configure({NODE: ["1.16.3", "1.20.1"]})
    whole, stores = project.run(), []
    for number in (1, 2):
        project.store = project.root / f"store{number}"
        project.main("run", "--shard", f"{number}/2")
        stores.append(str(project.store))
    project.store = project.root / "merged-store"
    assert project.main("merge", *stores).code == 0
    for name, cell in project.cells().items():
        assert (cell["status"], cell["packages"]) == (whole[name]["status"], whole[name]["packages"])


def test_reports_are_merged_in_the_order_of_selectors(project):
    project.configure({NODE: ["; latest-per-minor"]})
    project.run()
    assert project.main("merge", str(project.reports / "matrix.json")).code == 0
    assert list(project.cells()) == [f"{STACK}-{runtime}" for runtime in ("r1163", "n1163", "n1201")]


def test_an_audit_installs_the_packages_anew(project):
    project.configure(ONLY_NODE)
    answer = project.main("run", "--audit", "100%")
    assert answer.code == 0
    assert "the same from scratch" in answer.err
    assert len(project.starts("run")) == 2


def test_a_failure_of_the_export_is_not_nodes(project):
    project.publish(replace(packages.torch("2.2.0", on_export=raises("RuntimeError('no')"))))
    project.configure({**ONLY_NODE, "torch": ["2.2.0"]})
    (cell,) = project.run().values()
    assert cell["variants"][0]["stage"] == "export"
    assert project.starts("run") == []


def test_another_binding_of_the_same_library_is_asked(project):
    project.npm.publish_runtime("1.22.0", refuses("Reshape node: cannot be reshaped"))
    project.publish(packages.onnxruntime("1.22.0"))
    project.configure({NODE: ["1.22.0"], "onnxruntime": ["1.16.3", "1.22.0"]})
    cells = project.run()
    (variant,) = cells[f"{STACK}-n1220"]["variants"]
    assert variant["opinions"] == {"onnx.reference": "works", "onnxruntime 1.16.3": "works", "onnxruntime 1.22.0": "works"}
    assert variant["cause"] == "runtime"
    sentence = "onnxruntime 1.22.0 has the same library and runs it: the binding of onnxruntime-node 1.22.0 is at fault, or its"
    assert any(text.startswith(sentence) for text in variant["evidence"])


def test_both_bindings_that_fail_alike_are_one_library(project):
    message = "Reshape node: cannot be reshaped"
    project.npm.publish_runtime("1.22.0", refuses(message))
    project.publish(packages.onnxruntime("1.22.0", on_load=raises(f"RuntimeError({message!r})")))
    project.configure({NODE: ["1.22.0"], "onnxruntime": ["1.22.0"]})
    cells = project.run()
    for own, other in (("r1220", "onnxruntime-node 1.22.0"), ("n1220", "onnxruntime 1.22.0")):
        (variant,) = cells[f"{STACK}-{own}"]["variants"]
        assert variant["opinions"].keys() == {"onnx.reference", other}
        assert f"{other} has the same library and fails alike: no binding is at fault" in variant["evidence"]


def test_a_pin_has_the_lines_of_package_json_beside_the_export_side(project):
    project.configure(ONLY_NODE)
    project.run()
    answer = project.main("pin", "--require", f"{NODE}==1.16.3", "--reports", str(project.reports))
    assert answer.code == 0, answer.err
    folder = project.reports / "pins" / f"{STACK}-n1163"
    assert json.loads((folder / "run" / "package.json").read_text()) == {"private": True, "dependencies": {NODE: "1.16.3"}}
    lock = json.loads((folder / "run" / "package-lock.json").read_text())["packages"]
    assert lock[f"node_modules/{NODE}"]["integrity"] == project.npm.integrity(NODE, "1.16.3")
    assert sorted(path.name for path in (folder / "run").iterdir()) == ["package-lock.json", "package.json"]
    assert "torch==2.1.0" in (folder / "export" / "requirements.txt").read_text()
    recipe = (folder / "export-recipe.md").read_text()
    assert "node 20.11.1" in recipe
    assert "await session.run(" in recipe


SET = "torch==2.1.0\ntransformers==4.46.3\nonnx==1.16.2\n"


def test_an_upgrade_of_the_runtime_in_a_package_json_is_checked(project):
    project.configure(ONLY_NODE)
    project.npm.publish_runtime("1.22.0", refuses("Unsupported model IR version: 8"))
    (project.root / "package.json").write_text(json.dumps({"dependencies": {NODE: "1.16.3", "left-pad": "^1"}}))
    (project.root / "export.txt").write_text(SET)
    given = ["--from", str(project.root / "package.json"), *(f"--with={line}" for line in SET.split())]
    safe = project.main("check", *given, "--to", f"{NODE}==1.20.1")
    assert (safe.code, "SAFE" in safe.out) == (0, True), safe.err + safe.out
    breaks = project.main("check", *given, "--to", f"{NODE}==1.22.0")
    assert (breaks.code, "BREAKS" in breaks.out) == (1, True), breaks.err + breaks.out


def test_beside_a_package_json_a_requirements_file_is_all_that_is_installed(project):
    needs = "import importlib.util\nif not importlib.util.find_spec('onnxscript'):\n"
    needs += "    raise ModuleNotFoundError(\"No module named 'onnxscript'\", name='onnxscript')"
    project.publish(packages.torch("2.6.0", on_export=needs))
    project.configure(ONLY_NODE, variants={"exporters": ["dynamo"], "layouts": ["pair"]})
    pins = SET.replace("torch==2.1.0", "torch==2.6.0")
    for name, text in {
        "now.txt": f"{pins}\nonnxscript\n{NODE}==1.16.3\n",
        "export.txt": pins,
        "package.json": json.dumps({"dependencies": {NODE: "1.20.1"}}),
    }.items():
        (project.root / name).write_text(text)
    for names in (("export.txt", "package.json"), ("package.json", "export.txt")):
        targets = [f"--to={project.root / name}" for name in names]
        answer = project.main("check", "--quiet", f"--from={project.root / 'now.txt'}", *targets)
        assert (answer.code, answer.out.startswith("BREAKS: ")) == (1, True), answer.err + answer.out


def test_the_release_of_the_package_that_broke_it_is_found(project):
    for number in range(4, 8):
        project.npm.publish_runtime(f"1.16.{number}", refuses("no") if number > 5 else WORKS)
    project.configure(ONLY_NODE)
    shared = SET.split()
    for name, version in (("good", "1.16.3"), ("bad", "1.16.7")):
        (project.root / f"{name}.txt").write_text("\n".join([*shared, f"{NODE}=={version}"]))
    answer = project.main("bisect", "--good", str(project.root / "good.txt"), "--bad", str(project.root / "bad.txt"))
    assert answer.code == 0, answer.err + answer.out
    assert "1.16.6" in answer.out


def test_doctor_names_node_and_how_to_get_it(project, monkeypatch):
    assert "node and npm" in project.main("doctor").out
    monkeypatch.setenv("PATH", str(project.npm.bin))
    (project.npm.bin / "npm").unlink()
    answer = project.main("doctor")
    assert "no npm on this machine's PATH" in answer.out
    assert "without it the cells of its runtime are not run" in answer.out
