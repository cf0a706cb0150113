"""The stages of a run with a runtime that is a few lines of Python: whose fault it is when names do not match."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

np = pytest.importorskip("numpy")

from harness.probe import outcome  # noqa: E402
from harness.probe.artifact import Case, Reference, write_json  # noqa: E402
from harness.probe.journal import Journal  # noqa: E402
from harness.probe.protocol import Probe  # noqa: E402
from harness.probe.runtime import Graph, Runtime, array_form  # noqa: E402
from harness.probe.runtimes.stages import run_artifact  # noqa: E402

X = np.ones((2, 3), np.float32)


class Adding(Graph):
    """Adds up its inputs, and returns the sum under one name."""

    def __init__(self, inputs: tuple[str, ...], output: str) -> None:
        self.inputs, self._output = inputs, output

    def run(self, values: Mapping[str, object]) -> dict[str, object]:
        return {self._output: sum(values[name] for name in self.inputs)}

    def form(self, value: object) -> object:
        return array_form(value)


class Fake(Runtime):
    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def load(self, path: Path, binding: str, options: Mapping[str, str]) -> Graph:
        return self._graph


def run(
    folder: Path,
    *,
    inputs: tuple[str, ...] = ("x",),
    output: str = "y",
    asked: tuple[str, ...] | None = None,
    own_run: Callable | None = None,
    reported: tuple[str, ...] | None = None,
) -> list[dict]:
    """The `end` events of one case, which offers x and expects y, of a graph with those inputs and that output.

    `reported` are the inputs that the runtime speaks of, if they are others.
    """
    values = [{"name": name, "dtype": "float32", "dims": None} for name in inputs]
    graphs = {"net": {"file": "net.onnx", "inputs": values, "outputs": [{"name": output, "dtype": "float32", "dims": None}]}}
    declared = {} if asked is None else {"net": {"inputs": list(asked), "outputs": ["y"]}}
    variant = {"id": "v", "exporter": "own", "opset": 17, "layout": "whole"}
    write_json(folder / "manifest.json", {"variant": variant, "graphs": graphs, "declared": declared})
    Reference({}, {"absolute": 1e-4, "relative": 1e-4}, [Case("2 rows", {"x": X}, {"y": X})]).write(folder / "reference")
    module = SimpleNamespace(__file__="own.py", **({"run": own_run} if own_run else {}))
    one = {"id": "v", "artifact": str(folder), "reference": str(folder / "reference"), "binding": "numpy", "session": {}}
    runtime = Fake(Adding(inputs if reported is None else reported, output))
    run_artifact(one, Probe(module), runtime, Journal(str(folder / "events")))
    events = map(json.loads, (folder / "events").read_text().splitlines())
    return [event for event in events if event["event"] == "end"]


def end(folder: Path, **given: object) -> tuple[str, str, str | None]:
    last = run(folder, **given)[-1]
    return last["stage"], last["status"], last["error"] and last["error"]["message"]


def test_what_matches_works(tmp_path):
    assert end(tmp_path) == ("parity", "works", None)


def test_an_input_that_nobody_offers_fails_at_decode(tmp_path):
    assert end(tmp_path, inputs=("x", "onnx::Gather_7")) == (
        "decode",
        "fails",
        "case 2 rows, step 0: net: the graph asks for inputs that nobody offers: onnx::Gather_7 (offered: x)",
    )


def test_an_input_that_the_exporter_was_asked_for_and_the_case_forgot_is_an_error(tmp_path):
    stage, status, message = end(tmp_path, inputs=("x", "mask"), asked=("x", "mask"))
    assert (stage, status) == ("decode", "error")
    assert message == (
        "the probe forgot inputs of the graph 'net': mask; the call offers x, and the exporter was asked for them"
    )


def test_an_own_run_that_takes_a_renamed_output_fails(tmp_path):
    def takes_y(graphs, case, variant, start):
        yield {"y": graphs["net"].run(case.inputs)["y"]}

    assert end(tmp_path, output="renamed", own_run=takes_y) == (
        "decode",
        "fails",
        "case 2 rows, step 0: net: the graph returns no y; it returns renamed",
    )


def test_the_only_graph_that_returns_another_name_fails(tmp_path):
    assert end(tmp_path, output="renamed") == ("parity", "fails", "case 2 rows, step 0: the graphs return no y")


def test_an_own_run_that_takes_what_nobody_promised_is_an_error(tmp_path):
    def takes_z(graphs, case, variant, start):
        yield {"y": graphs["net"].run(case.inputs)["z"]}

    stage, status, message = end(tmp_path, own_run=takes_z)
    assert (stage, status) == ("decode", "error")
    assert message == "net: the graph returns no z; it returns y, and neither graphs() nor a case speaks of it"


def test_an_own_run_that_does_not_yield_what_the_graph_returns_is_an_error(tmp_path):
    def yields_nothing(graphs, case, variant, start):
        graphs["net"].run(case.inputs)
        yield {}

    assert end(tmp_path, own_run=yields_nothing) == (
        "parity",
        "error",
        "case 2 rows, step 0: run() yields no y, which the graphs return",
    )


def test_an_own_run_that_asks_for_another_role_is_an_error_in_words(tmp_path):
    def asks(graphs, case, variant, start):
        yield graphs["decoder"].run(case.inputs)

    assert end(tmp_path, own_run=asks) == ("decode", "error", "run() asks for the graph 'decoder'; the export left net")


def test_a_bare_key_of_an_own_run_is_an_error_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(outcome, "_PROBE_FOLDERS", [*outcome._PROBE_FOLDERS, str(Path(__file__).parent)])

    def misspells(graphs, case, variant, start):
        yield {"y": case.inputs["mask"]}

    stage, status, message = end(tmp_path, own_run=misspells)
    assert (stage, status) == ("decode", "error")
    assert message.startswith("KeyError: 'mask' (in test_stages.py, misspells: yield")


def test_what_the_cases_offer_and_the_graph_lacks_is_noticed_once(tmp_path):
    decode = next(one for one in run(tmp_path, inputs=()) if one["stage"] == "decode")
    assert [(one["rule"], one["where"]) for one in decode["data"]["findings"]] == [("pruned-input", "net: x")]


def test_a_runtime_that_reports_inputs_that_the_graph_does_not_have_is_an_error(tmp_path):
    assert end(tmp_path, reported=("x", "X")) == (
        "load",
        "error",
        "net: the runtime reports inputs that the graph does not have: X",
    )


def test_weights_that_are_inputs_in_the_file_are_none_of_the_runtime(tmp_path):
    assert end(tmp_path, inputs=("x", "weight"), reported=("x",)) == ("parity", "works", None)
