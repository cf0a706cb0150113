"""What every runner must do (docs/runtimes.md), asked with raw frames.

Of a runner of your own: HARNESS_RUNNER="command and its arguments" pytest tests/conformance
"""

from __future__ import annotations

import os
import shlex
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import runner_models
from node_environment import NEEDS_NODE, runner_of
from packaging.version import Version
from runner_wire import PATIENCE, RawRunner, RefusedRequestError, frame, run_request

FAKE = Path(__file__).resolve().parents[1] / "fake_runner.py"
GIVEN = os.environ.get("HARNESS_RUNNER")
OF_NODE = [
    pytest.param(version, marks=[pytest.mark.real, NEEDS_NODE], id=f"node-{version}") for version in ("1.16.3", "latest")
]
RUNNERS = ["fake", *OF_NODE]
FLOATS = ("float16", "float32", "float64")
FLOAT16_SINCE = Version("1.20")
"""onnxruntime-node 1.18 refuses it, and 1.20.1 takes it."""
FLOAT16_BEFORE = Version("24")
"""Node.js 24 has a Float16Array, which no binding up to 1.30.0 takes."""
SHAPES = [(), (0,), (1,), (5,), (2, 0, 3), (1, 1), (2, 3, 4)]


@pytest.fixture(scope="module", params=["given"] if GIVEN else RUNNERS)
def command(request, tmp_path_factory) -> list[str]:
    if request.param == "given":
        return shlex.split(GIVEN)
    if request.param == "fake":
        return [sys.executable, "-I", str(FAKE)]
    return runner_of(request.param, tmp_path_factory.mktemp("npm"))


@pytest.fixture
def stranger(command) -> Iterator[RawRunner]:
    """A runner that nobody has greeted."""
    with RawRunner(command) as found:
        yield found


@pytest.fixture(scope="module")
def runner(command) -> Iterator[RawRunner]:
    """A runner that many tests ask, one after another."""
    with RawRunner(command) as found:
        found.hello()
        yield found


def refused(runner: RawRunner, request: object, body: bytes = b"") -> str:
    """The kind of error that a request meets; the runner goes on."""
    with pytest.raises(RefusedRequestError) as caught:
        runner.ask(request, body)
    assert str(caught.value)
    assert runner.hello()["protocol"] == 1
    return caught.value.kind


def refused_dtypes(runner: RawRunner) -> set[str]:
    """What the runtime itself does not take, whatever its runner does."""
    versions = runner.hello()["versions"]
    if "onnxruntime-node" not in versions or "node" not in versions:
        return set()
    takes = Version(versions["onnxruntime-node"]) >= FLOAT16_SINCE and Version(versions["node"]) < FLOAT16_BEFORE
    return set() if takes else {"float16"}


def extremes(dtype: str) -> np.ndarray:
    """Values whose bits an unfaithful copy would change."""
    if dtype == "bool":
        return np.array([True, False, True])
    if dtype in FLOATS:
        bits = np.dtype(f"uint{np.dtype(dtype).itemsize * 8}")
        limits = np.finfo(dtype)
        values = np.array([0.0, -0.0, limits.max, limits.tiny / 2, np.inf, -np.inf], dtype)
        odd_nan = np.array([np.nan], dtype).view(bits) | bits.type(1)
        return np.concatenate([values, odd_nan.view(dtype)])
    limits = np.iinfo(dtype)
    return np.array([limits.min, limits.max, limits.max // 3, 1], dtype)


# --- hello --------------------------------------------------------------------------------------------------------------


def test_hello_says_the_protocol_and_versions_and_always_the_same(stranger):
    first = stranger.hello()
    assert first["protocol"] == 1
    assert first["versions"]
    assert all(isinstance(text, str) and text for item in first["versions"].items() for text in item)
    assert stranger.hello() == first


def test_hello_comes_first(stranger, tmp_path):
    assert refused(stranger, {"do": "load", "path": str(runner_models.identity(tmp_path)), "options": {}}) == "request"


# --- frames -------------------------------------------------------------------------------------------------------------


def test_the_end_of_the_input_ends_it(stranger):
    stranger.hello()
    assert stranger.end() == 0


def test_an_end_in_the_middle_of_a_frame_ends_it_without_an_answer(stranger):
    stranger.send(frame({"do": "hello"})[:20])
    assert stranger.end() == 0


LONG_HEADER = struct.pack("<4sIQ", b"RUN1", 16 * 2**20 + 1, 0)


@pytest.mark.parametrize(
    "data",
    [b"this is no frame of a protocol", frame([1]), frame({"do": "hello"}).replace(b'"', b"'"), LONG_HEADER],
    ids=["text", "a list", "no JSON", "a long header"],
)
def test_after_what_is_no_frame_it_gives_up(stranger, data):
    stranger.send(data)
    assert stranger.process.wait(PATIENCE) == 113


def test_a_body_that_nobody_has_memory_for_is_no_end_of_the_runtime(stranger):
    header = b'{"do": "hello"}'
    stranger.send(struct.pack("<4sIQ", b"RUN1", len(header), 2**60) + header)
    assert stranger.end() in {0, 113}


def test_frames_may_come_in_pieces_and_many_at_once(runner):
    hello = frame({"do": "hello"})
    for byte in hello:
        runner.send(bytes([byte]))
    assert runner.answer()[0]["protocol"] == 1
    runner.send(hello * 3)
    assert [runner.answer()[0]["protocol"] for _ in range(3)] == [1, 1, 1]


def test_fields_that_it_does_not_know_change_nothing(runner):
    assert runner.ask({"do": "hello", "later": [1]})[0]["protocol"] == 1


# --- wrong requests -----------------------------------------------------------------------------------------------------


def test_a_wrong_request_is_refused_and_costs_nothing_else(runner, tmp_path):
    graph = runner.load(runner_models.identity(tmp_path))
    value = runner.run(graph, x=np.ones(2, np.float32))["y"]
    given = {"name": "x", "dtype": "float32", "shape": [2]}
    running = {"do": "run", "graph": graph, "inputs": [given]}
    wrong = [
        ({}, b""),
        ({"do": "dance"}, b""),
        ({"do": "toString"}, b""),
        ({"do": "hello"}, b"x"),
        ({"do": "load", "path": "x", "options": {"optimization": "much"}}, b""),
        ({"do": "load", "path": "x", "options": {"nonesuch": "disabled"}}, b""),
        ({**running, "graph": graph + 1000}, bytes(8)),
        ({**running, "inputs": [{"name": "x", "value": value + 1000}]}, b""),
        ({**running, "inputs": [{**given, "dtype": "nonesuch"}]}, bytes(8)),
        ({**running, "inputs": [{**given, "dtype": "string"}]}, bytes(8)),
        ({**running, "inputs": [{**given, "shape": [-2]}]}, bytes(8)),
        ({**running, "inputs": []}, b""),
        ({**running, "inputs": [given, {**given, "name": "other"}]}, bytes(16)),
        ({**running, "inputs": [given, given]}, bytes(16)),
        (running, bytes(7)),
        (running, bytes(9)),
        ({"do": "read", "values": [value, value + 1000]}, b""),
        ({"do": "release", "values": [value + 1000]}, b""),
        ({"do": "release", "values": [value, value]}, b""),
        ({"do": "release", "values": [value], "graphs": [graph, graph]}, b""),
        ({"do": "release", "graphs": [graph + 1000]}, b""),
    ]
    assert [refused(runner, *one) for one in wrong] == ["request"] * len(wrong)
    assert runner.read(value)[0].tolist() == [1, 1]


# --- load ---------------------------------------------------------------------------------------------------------------


def test_names_are_in_the_order_of_the_graph(runner, tmp_path):
    header, _ = runner.ask({"do": "load", "path": str(runner_models.two_outputs(tmp_path)), "options": {}})
    assert (header["inputs"], header["outputs"]) == (["second", "first"], ["z", "a"])


@pytest.mark.parametrize("escaped", [True, False], ids=["as the probe escapes them", "in UTF-8"])
def test_a_path_has_any_characters(runner, tmp_path, escaped):
    folder = tmp_path / "größe и 尺寸 🙂"
    folder.mkdir()
    runner.send(frame({"do": "load", "path": str(runner_models.identity(folder)), "options": {}}, escaped=escaped))
    assert runner.answer()[0]["inputs"] == ["x"]


def test_options_may_be_absent(runner, tmp_path):
    assert runner.ask({"do": "load", "path": str(runner_models.identity(tmp_path))})[0]["outputs"] == ["y"]


def test_weights_that_are_inputs_in_the_file_are_none(runner, tmp_path):
    header, _ = runner.ask({"do": "load", "path": str(runner_models.reshaping_by_a_weight(tmp_path))})
    assert header["inputs"] == ["x"]
    (read,) = runner.read(runner.run(header["graph"], x=np.arange(6, dtype=np.float32))["y"])
    assert read.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_what_the_runtime_does_not_load_is_its_refusal(runner, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x08no model\xff\xfe")
    for path in (tmp_path / "missing.onnx", tmp_path / "broken.onnx", runner_models.unknown_operator(tmp_path)):
        assert refused(runner, {"do": "load", "path": str(path), "options": {}}) == "runtime"


@pytest.mark.parametrize(
    "options",
    [*({"optimization": level} for level in ("disabled", "basic", "extended")), {"memory_pattern": "disabled"}],
    ids=str,
)
def test_every_option_can_be_set(runner, tmp_path, options):
    graph = runner.load(runner_models.two_outputs(tmp_path), **options)
    outputs = runner.run(graph, first=np.full(2, 3, np.float32), second=np.ones(2, np.float32))
    assert [array.tolist() for array in runner.read(*outputs.values())] == [[3, 3], [4, 4]]


# --- tensors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", runner_models.ELEMENTS)
def test_every_dtype_goes_through_bit_by_bit(runner, tmp_path, dtype):
    given = extremes(dtype)
    graph = runner.load(runner_models.identity(tmp_path, dtype))
    if dtype in refused_dtypes(runner):
        assert refused(runner, *run_request(graph, {"x": given})) == "runtime"
        return
    value = runner.run(graph, x=given)["y"]
    (read,) = runner.read(value)
    assert (read.dtype, read.shape, read.tobytes()) == (given.dtype, given.shape, given.tobytes())


@pytest.mark.parametrize("dtype", ["float32", "int16", "int64", "bool"])
def test_every_shape_goes_through(runner, tmp_path, dtype):
    for shape in SHAPES:
        given = np.arange(np.prod(shape, dtype=np.int64)).reshape(shape).astype(dtype)
        graph = runner.load(runner_models.identity(tmp_path, dtype, len(shape)))
        (read,) = runner.read(runner.run(graph, x=runner.run(graph, x=given)["y"])["y"])
        assert (read.shape, read.tobytes()) == (shape, given.tobytes())


def test_contents_stand_one_after_another_at_any_offset(runner, tmp_path):
    given = {
        "x_bool": np.array([True, False, True]),
        "x_int64": np.array([2**62, -5]),
        "x_int16": np.array([-7], np.int16),
    }
    outputs = runner.run(runner.load(runner_models.mixed(tmp_path)), **given)
    read = runner.read(*outputs.values())
    assert [array.tolist() for array in read] == [array.tolist() for array in given.values()]


# --- run ----------------------------------------------------------------------------------------------------------------


def test_outputs_are_named_in_the_order_of_the_graph(runner, tmp_path):
    graph = runner.load(runner_models.two_outputs(tmp_path))
    request = run_request(graph, {"first": np.ones(3, np.float32), "second": np.ones(3, np.float32)})
    outputs = runner.ask(*request)[0]["outputs"]
    assert [(output["name"], output["dtype"], output["shape"]) for output in outputs] == [
        ("z", "float32", [3]),
        ("a", "float32", [3]),
    ]


def test_onnxruntime_names_a_node_that_fails_and_the_graph_can_run_again(runner, tmp_path):
    graph = runner.load(runner_models.reshaping(tmp_path))
    x = np.arange(6, dtype=np.float32)
    with pytest.raises(RefusedRequestError, match=r"while running Reshape node\. Name:'cut'") as caught:
        runner.run(graph, x=x, shape=np.array([4, 2]))
    assert caught.value.kind == "runtime"
    (read,) = runner.read(runner.run(graph, x=x, shape=np.array([2, 3]))["y"])
    assert read.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_an_input_of_another_type_is_refused_by_onnxruntime(runner, tmp_path):
    graph = runner.load(runner_models.identity(tmp_path))
    assert refused(runner, *run_request(graph, {"x": np.ones(1)})) == "runtime"


def test_what_has_no_dtype_of_the_protocol_is_fed_back_and_not_read(runner, tmp_path):
    text = runner.run(runner.load(runner_models.words(tmp_path)), x=np.ones(2, np.float32))["y"]
    request = run_request(runner.load(runner_models.copied_words(tmp_path)), {"x": text})
    (copied,) = runner.ask(*request)[0]["outputs"]
    assert (copied["dtype"], copied["shape"]) == ("string", [2])
    assert refused(runner, {"do": "read", "values": [copied["value"]]}) == "request"


def test_outputs_are_fed_back_by_handle_and_read_at_the_end(runner, tmp_path):
    graph = runner.load(runner_models.growing(tmp_path))
    past = np.zeros((1, 0), np.float32)
    for step in range(20):
        past = runner.run(graph, past=past, token=np.full((1, 1), step, np.float32))["present"]
    assert runner.read(past)[0].tolist() == [list(range(20))]


def test_a_value_is_fed_as_often_as_one_likes_and_stays_what_it_is(runner, tmp_path):
    both, copy = runner.load(runner_models.two_outputs(tmp_path)), runner.load(runner_models.identity(tmp_path))
    one = runner.run(copy, x=np.array([1, 2], np.float32))["y"]
    double = runner.run(both, first=one, second=one)["a"]
    four = runner.run(both, first=double, second=double)["a"]
    runner.run(copy, x=np.array([9, 9], np.float32))
    runner.ask({"do": "release", "graphs": [both, copy]})
    assert [array.tolist() for array in runner.read(one, double, four, one)] == [[1, 2], [2, 4], [4, 8], [1, 2]]


def test_the_same_requests_have_the_same_answers(command, tmp_path):
    said = []
    for _ in range(2):
        with RawRunner(command) as runner:
            runner.hello()
            graph = runner.load(runner_models.two_outputs(tmp_path))
            request = run_request(graph, {"first": np.ones(3, np.float32), "second": np.ones(3, np.float32)})
            said.append([runner.ask(*request), runner.ask(*request)])
    assert said[0] == said[1]


# --- release ------------------------------------------------------------------------------------------------------------


def test_what_is_released_is_gone_and_its_number_is_not_given_again(runner, tmp_path):
    graph = runner.load(runner_models.identity(tmp_path))
    seen = set()
    for _ in range(3):
        value = runner.run(graph, x=np.ones(1, np.float32))["y"]
        assert value not in seen
        seen.add(value)
        runner.release(value)
        assert refused(runner, {"do": "read", "values": [value]}) == "request"
    runner.ask({"do": "release", "graphs": [graph]})
    assert refused(runner, *run_request(graph, {"x": np.ones(1, np.float32)})) == "request"
    assert runner.load(runner_models.identity(tmp_path)) != graph


def test_a_release_with_one_unknown_number_releases_nothing(runner, tmp_path):
    value = runner.run(runner.load(runner_models.identity(tmp_path)), x=np.ones(1, np.float32))["y"]
    assert refused(runner, {"do": "release", "values": [value, value + 1000]}) == "request"
    assert runner.read(value)[0].tolist() == [1]


def test_the_memory_of_released_values_is_freed(runner, tmp_path):
    graph = runner.load(runner_models.identity(tmp_path))
    given, rounds = np.ones(2**20, np.float32), 150
    process = psutil.Process(runner.process.pid)
    runner.release(runner.run(graph, x=given)["y"])
    before = process.memory_info().rss
    for _ in range(rounds):
        runner.release(runner.run(graph, x=given)["y"])
    # Garbage collectors may be late, not absent.
    assert process.memory_info().rss - before < rounds * given.nbytes / 2
