"""`cell` and `explain` on one cell: causes as the page has them, whose details they are, exit codes as `run` has them."""

from __future__ import annotations

import json

import packages
from project import Project


def test_cell_and_page_name_one_cause(project: Project):
    source = """
        import importlib.metadata
        if variant["exporter"] == "torchscript" and importlib.metadata.version("onnx") == "1.17.0":
            raise RuntimeError("no such graph")
    """
    project.publish(packages.torch("2.1.0", on_export=source), packages.onnx("1.17.0"))
    project.configure({"onnx": ["1.16.2", "1.17.0"]}, variants={"exporters": ["torchscript", "dynamo"], "layouts": ["pair"]})
    cells = project.run()
    name = next(name for name in cells if "o1170" in name)
    (fails,) = [variant for variant in cells[name]["variants"] if variant["status"] == "fails"]
    cause = f"cause: {fails['cause']}, {fails['certainty']}"
    assert cause == "cause: version conflict, proven"
    assert cause in project.main("explain", name).out
    assert cause in project.main("cell", name).out


def test_cell_where_the_index_does_not_answer(project: Project):
    project.configure(uv={"default-index": "http://127.0.0.1:9/simple", "torch-backend": "default"})
    (name,) = project.run()
    answer = project.main("cell", name)
    assert (answer.code, "nothing could be observed in 1 cell" in answer.err) == (3, True)


def test_cell_without_its_interpreter(project: Project):
    project.configure({"python": ["3.99"]})
    (cell,) = json.loads(project.main("run", "--format", "json").out)["cells"]
    assert project.main("cell", cell["id"]).code == 3


def test_explain_says_whose_details_it_shows(project: Project):
    project.publish(
        packages.onnxruntime("1.16.3", on_run="raise RuntimeError('no such luck')"),
        packages.onnx("1.16.2", on_evaluate="raise ValueError('of ' + run['layout'] + ' alone')"),
    )
    project.configure(variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]})
    project.run()
    out = project.main("explain", "*").out
    assert "fails at decode — 2 variants: " in out
    (line,) = [line for line in out.splitlines() if "in detail, of " in line]
    (layout,) = {"pair", "merged"} & {*line.replace("-", " ").split()}
    assert f"of {layout} alone" in out
