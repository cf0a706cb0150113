"""The set to pin for each runtime, and the command that writes its lock."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import report, reported_cell, reported_variant

from harness.cli.command_line import parser
from harness.model import Setup, Stage, Status
from harness.report.pins import pins


@pytest.fixture(autouse=True)
def _started_by_python(monkeypatch):
    monkeypatch.setattr("sys.argv", ["harness"])
    monkeypatch.delenv("HARNESS_STARTED_BY", raising=False)


def test_a_set_is_its_requirements_and_a_command():
    cell = reported_cell()
    (pin,) = pins(report(cell, recommended={"1.16.3": cell.id}), " --config 'my matrix.toml'")
    assert (pin.runtime, pin.cell, pin.python, pin.works) == ("onnxruntime 1.16.3", cell.id, "3.11", "torchscript pair")
    assert pin.requirements == ("torch==2.1.2", "transformers==4.46.3", "onnx==1.16.2", "onnxruntime==1.16.3")
    assert pin.command == (
        "python -m harness pin --require torch==2.1.2 \\\n  --require transformers==4.46.3 \\\n  --require onnx==1.16.2 \\\n"
        "  --require onnxruntime==1.16.3 --config 'my matrix.toml'"
    )


def test_what_is_no_distribution_of_python_is_a_line_of_package_json():
    cell = replace(reported_cell(**{"onnxruntime": None, "onnxruntime-node": "1.16.3"}), environment=Setup.HANDOFF)
    made = replace(report(cell), recommended_elsewhere={"onnxruntime-node": {"1.16.3": cell.id}})
    (pin,) = pins(made)
    assert (pin.runtime, pin.packages) == ("onnxruntime-node 1.16.3", ('"onnxruntime-node": "1.16.3"',))
    assert pin.requirements == ("torch==2.1.2", "transformers==4.46.3", "onnx==1.16.2")
    assert "--require onnxruntime-node==1.16.3" in pin.command


def test_the_command_tells_cells_with_the_same_distributions_apart():
    cell = reported_cell()
    others = [reported_cell(python="3.12"), replace(cell, id="handoff", environment=Setup.HANDOFF)]
    (pin,) = pins(report(cell, *others, recommended={"1.16.3": cell.id}))
    assert pin.command.endswith(" --select python==3.11,setup=together")
    words = pin.command.replace("\\\n", " ").split()[3:]
    assert parser().parse_args(words).select == ["python==3.11,setup=together"]


def test_a_runtime_with_which_nothing_works_says_so():
    (pin,) = pins(report(reported_cell(reported_variant(Status.FAILS, Stage.LOAD), status=Status.FAILS)))
    assert (pin.works, pin.cell, pin.command) == ("none of these cells works", "", "")
