"""What the client asks of a runner, and when: nothing is read that nobody needs, and nothing is kept."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")

from harness.probe.outcome import ProbeFailure  # noqa: E402
from harness.probe.runtime import Form, RunnerError, array_of  # noqa: E402
from harness.probe.runtimes.runner import client, graph  # noqa: E402

GRAPH = Path("net.onnx")
X = np.array([1, 2], np.float32)


class Scripted:
    """A process that gives ready answers, and writes down what it was asked."""

    alive = True

    @property
    def running(self) -> bool:
        return self.alive

    def __init__(self, **answers: Any) -> None:
        form = {"dtype": "float32", "shape": [2]}
        self._answers = {
            "hello": {"protocol": 1, "versions": {"fake": "1"}},
            "load": {"graph": 1, "inputs": ["x"], "outputs": ["y", "z"]},
            "run": {"outputs": [{"name": "y", "value": 2, **form}, {"name": "z", "value": 3, **form}]},
            "read": {"values": [form]},
            "release": {},
            **answers,
        }
        self.asked: list[Mapping[str, Any]] = []
        self._numbers = itertools.count(100)
        """Of later runs and loads."""

    def ask(self, request: Mapping[str, Any], arrays: Sequence[Any] = (), body: int = 0) -> tuple[dict[str, Any], bytearray]:
        self.asked.append(request)
        answer = copy.deepcopy(self._answers[request["do"]])
        if request["do"] == "read":
            answer["values"] = answer["values"] * len(request["values"])
        if request["do"] in self.dos[:-1]:
            answer |= {"graph": next(self._numbers)} if "graph" in answer else {}
            for output in answer.get("outputs", []) if request["do"] == "run" else []:
                output["value"] = next(self._numbers)
        return answer, bytearray(np.tile(X, body // X.nbytes).tobytes())

    def broken(self, problem: str) -> RunnerError:
        self.alive = False
        return RunnerError(problem)

    def close(self) -> None:
        self.alive = False

    @property
    def dos(self) -> list[str]:
        return [request["do"] for request in self.asked]


@pytest.fixture
def scripted(monkeypatch) -> list[Scripted]:
    """The processes that are started: each is a Scripted one."""
    made: list[Scripted] = []

    def start(_: object) -> Scripted:
        made.append(Scripted())
        return made[-1]

    monkeypatch.setattr(client, "RunnerProcess", start)
    return made


def load(binding: str) -> graph.HandleGraph:
    return graph.BINDINGS[binding](client.Runner(["command"], "fake"), GRAPH, {"optimization": "basic"})


def test_outputs_stay_in_the_runner_until_they_are_read(scripted):
    net = load("ortvalue")
    outputs = net.run({"x": X, "more": X})
    assert list(outputs) == ["y", "z"]
    assert net.form(outputs["y"]) == net.form(X) == Form("float32", (2,))
    net.run({"x": outputs["y"]})
    (process,) = scripted
    assert process.asked[1] == {"do": "load", "path": "net.onnx", "options": {"optimization": "basic"}}
    assert process.asked[2]["inputs"] == [{"name": "x", "dtype": "float32", "shape": [2]}]
    assert process.asked[-1]["inputs"] == [{"name": "x", "value": 2}]
    assert "read" not in process.dos
    assert array_of(outputs["z"]).tolist() == [1, 2]
    assert process.asked[-1] == {"do": "read", "values": [3]}


def test_arrays_are_read_at_once_and_their_values_are_released(scripted):
    net = load("numpy")
    outputs = net.run({"x": X})
    assert {name: array.tolist() for name, array in outputs.items()} == {"y": [1, 2], "z": [1, 2]}
    assert outputs["y"].flags.writeable
    net.run(outputs | {"x": outputs["y"]})
    (process,) = scripted
    assert process.dos == ["hello", "load", "run", "read", "release", "run", "read"]
    assert process.asked[4] == {"do": "release", "values": [2, 3]}


def test_what_nobody_uses_is_released_with_the_next_request(scripted):
    net = load("ortvalue")
    outputs = net.run({"x": X})
    del outputs["z"]
    net._held = net._runner.client().load(GRAPH, {})
    (process,) = scripted
    assert process.dos == ["hello", "load", "run", "release", "load"]
    net.run({"x": X})
    assert [request for request in process.asked if request["do"] == "release"] == [
        {"do": "release", "values": [3]},
        {"do": "release", "graphs": [1]},
    ]


def test_a_runner_that_has_ended_is_started_again_and_its_graphs_are_loaded_anew(scripted):
    net = load("ortvalue")
    lost = net.run({"x": X})["y"]
    scripted[0].alive = False
    net.run({"x": X})
    assert scripted[1].dos == ["hello", "load", "run"]
    with pytest.raises(RunnerError, match="the runner that held x has ended"):
        net.run({"x": lost})


def test_all_that_is_held_is_released_when_the_work_is_over(scripted):
    net = load("ortvalue")
    outputs = net.run({"x": X})
    net._runner.release()
    (process,) = scripted
    assert process.asked[-1] == {"do": "release", "values": [2, 3], "graphs": [1]}
    del outputs, net
    client.Runner(["command"], "fake").release()
    assert (len(scripted), process.dos.count("release")) == (1, 1)


def test_a_runner_that_has_ended_in_peace_is_started_again_for_the_next_graph(scripted, monkeypatch):
    runner = client.Runner(["command"], "fake")
    first = graph.HandleGraph(runner, GRAPH, {})
    monkeypatch.setattr(Scripted, "running", property(lambda process: process is not scripted[0]))
    graph.HandleGraph(runner, GRAPH, {}).run({"x": X})
    assert [process.dos for process in scripted] == [["hello", "load"], ["hello", "load", "run"]]
    del first


def test_a_dtype_that_numpy_lacks_is_fed_back_and_not_read(scripted):
    net = load("ortvalue")
    outputs = [{"name": name, "value": number, "dtype": "bfloat16", "shape": [2]} for number, name in enumerate("yz")]
    scripted[0]._answers["run"] = {"outputs": outputs}
    value = net.run({"x": X})["y"]
    net.run({"x": value})
    with pytest.raises(ProbeFailure, match=r"a value is bfloat16\[2\], which cannot be read"):
        array_of(value)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("hello", {"protocol": 2, "versions": {"fake": "1"}}),
        ("hello", {"protocol": 1, "versions": {"fake": 1}}),
        ("hello", {"protocol": 1, "versions": ["fake"]}),
        ("hello", {"protocol": 1, "versions": {"other": "1"}}),
        ("load", {"graph": "1", "inputs": [], "outputs": []}),
        ("load", {"graph": True, "inputs": [], "outputs": []}),
        ("load", {"graph": 1, "inputs": [1], "outputs": []}),
        ("load", {"graph": 2**53, "inputs": [], "outputs": []}),
        ("load", {"graph": 1, "inputs": ["x", "x"], "outputs": ["y", "z"]}),
        ("load", {"graph": 1, "inputs": ["x"], "outputs": ["y", "y"]}),
        ("run", {"outputs": [{"name": name, "value": 2, "dtype": "float32", "shape": [2]} for name in "yz"]}),
        ("run", {"outputs": [{"name": "y", "value": 2, "dtype": "float32", "shape": [-1]}]}),
        ("run", {"outputs": [{"name": "y", "value": 2, "dtype": "float32", "shape": None}]}),
        ("run", {"outputs": {}}),
        ("read", {"values": [{"dtype": "float32", "shape": [1, 2]}]}),
        ("read", {"values": []}),
        ("run", {"error": "request"}),
        ("run", {"error": None}),
    ],
)
def test_an_answer_that_is_not_as_the_protocol_has_it_breaks_the_runner(monkeypatch, request_, answer):
    process = Scripted(**{request_: answer})
    monkeypatch.setattr(client, "RunnerProcess", lambda _: process)
    with pytest.raises(RunnerError):
        load("numpy").run({"x": X})
    assert not process.alive


def test_a_path_that_is_no_utf_8_is_not_sent(scripted):
    with pytest.raises(RunnerError, match=r"the path '/\\udcff/net.onnx' is no UTF-8: no runner could read it"):
        graph.HandleGraph(client.Runner(["command"], "fake"), Path("/\udcff/net.onnx"), {})
    assert scripted[0].dos == ["hello"]


def test_an_error_without_a_reason_breaks_the_protocol(scripted):
    net = load("numpy")
    scripted[0]._answers["run"] = {"error": "runtime"}
    with pytest.raises(RunnerError, match=r"its refusal of run \(runtime\) gives no reason"):
        net.run({"x": X})


@pytest.mark.parametrize("request_", ["load", "run"])
def test_a_handle_is_given_once_even_if_it_was_released(monkeypatch, request_):
    process = Scripted()
    monkeypatch.setattr(client, "RunnerProcess", lambda _: process)
    net = load("numpy")
    net.run({"x": X})
    process._numbers = itertools.count(1)
    with pytest.raises(RunnerError, match="it gives the handle 1 of graphs twice" if request_ == "load" else "of values twice"):
        _ = net._loaded() if request_ == "load" else [net.run({"x": X}) for _ in range(2)]
    assert not process.alive


@pytest.mark.parametrize(("version", "works"), [("1", True), (None, True), ("1.0", False), ("2", False)])
def test_a_runner_has_the_version_that_is_installed_for_it(scripted, version, works):
    runner = client.Runner(["command"], "fake", version)
    if works:
        assert runner.client().versions == {"fake": "1"}
        return
    with pytest.raises(RunnerError, match=f"it has fake 1, and {version} is installed for it"):
        runner.client()
    assert not scripted[0].alive
