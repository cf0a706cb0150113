"""`run --timeline`: the file; test_dask.py has the one of dask's workers."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import packages
import pytest

pytestmark = pytest.mark.usefixtures("installed_once")


def tasks(path) -> dict[str, dict]:
    """Kind of task, or `stage NAME` → its event."""
    events = [event for event in json.loads(path.read_text())["traceEvents"] if event["ph"] == "X"]
    return {f"stage {event['name']}" if event["cat"] == "stage" else event["cat"]: event for event in events}


def test_a_trace_and_a_picture(project):
    project.publish(packages.onnxruntime("1.17.0"))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    trace, picture = project.root / "run.json", project.root / "run.svg"
    answer = project.main("run", "--timeline", str(trace), "--jobs", "2")
    assert (answer.code, f"wrote {trace}" in answer.err) == (0, True), answer.err
    made = tasks(trace)
    assert {"resolve", "floor", "install", "export", "run"} <= made.keys()
    assert made["export"]["args"]["cells"] == list(project.cells())
    assert len(made["run"]["args"]["cells"]) == 1
    stages = {name for name in made if name.startswith("stage ")}
    assert {"stage install", "stage export torchscript-17-pair"} <= stages
    inside = made["stage export torchscript-17-pair"]
    assert made["export"]["ts"] <= inside["ts"]
    assert inside["ts"] + inside["dur"] <= made["export"]["ts"] + made["export"]["dur"]
    assert project.main("run", "--timeline", str(picture), "--force").code == 0
    text = " ".join(ET.fromstring(picture.read_text(encoding="utf-8")).itertext())
    assert "export torch 2.1.0 tf 4.46.3 onnx 1.16.2" in text
    assert "least time" in text


def test_what_nothing_can_be_written_to_is_said_before_the_run(project):
    answer = project.main("run", "--timeline", str(project.root / "missing" / "run.svg"))
    assert answer.code == 2
    assert "No such file or directory" in answer.err
    assert project.starts() == []


@pytest.mark.parametrize("name", ["run.png", "run", "svg"])
def test_only_two_forms(project, name):
    answer = project.main("run", "--timeline", name)
    assert answer.code == 2
    assert f"expected FILE.json or FILE.svg, not '{name}'" in answer.err
