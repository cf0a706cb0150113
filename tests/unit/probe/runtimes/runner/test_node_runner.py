"""The runner of Node.js with an onnxruntime-node of a few lines, which does what a real one does rarely."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

np = pytest.importorskip("numpy")

from node_environment import RUNNER  # noqa: E402
from runner_wire import RawRunner, RefusedRequestError, run_request  # noqa: E402

pytestmark = pytest.mark.programs("node")

FAKE = """
class Tensor {
  constructor(type, data, dims) { Object.assign(this, { type, data, dims }); }
}

const hostile = () => {
  const error = new Error();
  Object.defineProperty(error, 'message', { get() { throw new Error('no message for you'); } });
  return error;
};

const fault = (code, message) => Object.assign(new Error(message), { code });

const TENSOR = () => new Tensor('float32', Float32Array.of(1), [1]);

// By the name of the file of a graph: what happens at `load`, `run` and `release`, and to the data of its output.
const ODD = {
  hostile: { load() { throw hostile(); } },
  silent: { load() { throw new Error(''); } },
  long: { load() { throw new Error('ä'.repeat(2 ** 20)); } },
  none: { load() { throw null; } },
  talking: { load() { console.log('Welcome!'); process.stdout.write('to onnxruntime'); } },
  full: { load() { throw fault('ENOSPC', 'ENOSPC: a sentence of tomorrow'); } },
  sequence: { run: () => ({ y: [TENSOR()] }) },
  map: { run: () => ({ y: new Map() }) },
  absent: { run: () => ({}) },
  unreadable: { run: () => ({ y: Object.defineProperty(TENSOR(), 'data', { get() { throw new Error('it is gone'); } }) }) },
  stuck: { release() { throw new Error('it is in use'); } },
};

class InferenceSession {
  static async create(path) {
    const session = new InferenceSession();
    session.odd = ODD[require('path').basename(path, '.onnx')] || {};
    if (session.odd.load) session.odd.load();
    return session;
  }

  get inputNames() { return ['x']; }

  get outputNames() { return ['y']; }

  async run(feeds) { return this.odd.run ? this.odd.run(feeds) : { y: feeds.x }; }

  async release() { if (this.odd.release) this.odd.release(); }
}

module.exports = { Tensor, InferenceSession, env: {} };
"""


@pytest.fixture
def command(tmp_path) -> list[str]:
    """The command of a runner with that onnxruntime-node."""
    for name, content in (("onnxruntime-node", FAKE), ("onnxruntime-common", "")):
        package = tmp_path / "node_modules" / name
        package.mkdir(parents=True)
        (package / "package.json").write_text(json.dumps({"name": name, "version": "9.9.9", "main": "main.js"}))
        (package / "main.js").write_text(content)
    return [str(shutil.which("node")), str(RUNNER), str(tmp_path)]


@pytest.fixture
def runner(command) -> Iterator[RawRunner]:
    """A runner that was greeted."""
    with RawRunner(command) as started:
        started.hello()
        yield started


def refusal(runner: RawRunner, request: dict, body: bytes = b"") -> tuple[str, str]:
    """Kind and message of an error; the runner goes on."""
    with pytest.raises(RefusedRequestError) as caught:
        runner.ask(request, body)
    assert runner.hello()["protocol"] == 1
    return caught.value.kind, str(caught.value)


def loading(name: str) -> dict:
    return {"do": "load", "path": f"/{name}.onnx"}


def test_an_error_with_a_code_of_the_machine_is_the_machines(runner):
    assert refusal(runner, loading("full")) == ("machine", "ENOSPC: a sentence of tomorrow")


def running(runner: RawRunner, name: str) -> tuple[dict, bytes]:
    """The request to run a graph."""
    return run_request(runner.load(f"/{name}.onnx"), {"x": np.ones(1, np.float32)})


@pytest.mark.parametrize("name", ["sequence", "map", "absent"])
def test_an_output_that_is_no_tensor_is_refused_as_the_runtimes(runner, name):
    assert refusal(runner, *running(runner, name)) == ("runtime", "the output y is no tensor")


def test_a_message_is_cut_and_never_empty(runner):
    with pytest.raises(RefusedRequestError) as caught:
        runner.ask(loading("long"))
    assert len(str(caught.value).encode()) == 2**20
    assert refusal(runner, loading("silent")) == ("runtime", "the runtime gives no reason")
    assert refusal(runner, loading("none")) == ("runtime", "null")


@pytest.mark.parametrize("options", [None, [], "basic", 1])
def test_options_that_are_no_object_are_refused(runner, options):
    assert refusal(runner, {**loading("x"), "options": options})[0] == "request"


def test_a_release_that_the_runtime_refuses_is_one_of_all_that_was_named(runner):
    stuck, other = (runner.load(f"/{name}.onnx") for name in ("stuck", "other"))
    value = runner.run(other, x=np.ones(1, np.float32))["y"]
    request = {"do": "release", "values": [value], "graphs": [stuck, other]}
    assert refusal(runner, {**request, "graphs": [stuck, stuck]})[0] == "request"
    assert runner.read(value)[0].tolist() == [1]
    assert refusal(runner, request) == ("runtime", "it is in use")
    for gone in ({"values": [value]}, {"graphs": [stuck]}, {"graphs": [other]}):
        assert refusal(runner, {"do": "release", **gone})[0] == "request"


def test_an_error_that_throws_when_it_is_read_is_the_runtimes(runner):
    assert refusal(runner, loading("hostile")) == ("runtime", "the runtime throws what has no words")


def test_contents_that_the_runtime_does_not_give_are_refused_as_its_own(runner):
    value = runner.ask(*running(runner, "unreadable"))[0]["outputs"][0]["value"]
    assert refusal(runner, {"do": "read", "values": [value]}) == ("runtime", "it is gone")


def test_a_runner_that_cannot_say_what_is_wrong_with_it_has_failed_itself(command):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command, input=b"this is no frame of a protocol", stdout=subprocess.PIPE, stderr=writing, check=False
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stdout) == (113, b"")


def test_what_a_package_prints_stays_out_of_the_answers(runner):
    assert runner.ask(loading("talking"))[0]["inputs"] == ["x"]
    assert runner.hello()["protocol"] == 1
