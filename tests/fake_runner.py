"""A runner in Python: `fake_runner.py [FAULT REQUEST [ONCE]]`. It runs the graphs of runner_models.py with numpy.

With a fault it does that instead of answering the first request of that kind; with ONCE, a path, only if there is no file yet.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from harness.errors import ModelFileError
from harness.onnx_files.onnx_model import ELEMENT_TYPES, OnnxModel
from harness.onnx_files.reader import read_model

MAX_IR, MAX_OPSET = 9, 19
HEADER_LIMIT = 16 * 2**20
OPTIONS = {"optimization": {"disabled", "basic", "extended"}, "memory_pattern": {"disabled"}}
DTYPES = {kind.name for number, kind in ELEMENT_TYPES.items() if number <= 13 and number != 8}
VERSIONS = {"onnxruntime-node": "9.9.9", "python": sys.version.split()[0]}

OPERATORS = {
    "Identity": lambda node, x: x,
    "Add": lambda node, x, y: x + y,
    "Concat": lambda node, *parts: np.concatenate(parts, axis=node.integer("axis")),
    "Reshape": lambda node, x, shape: x.reshape(shape),
    "Cast": lambda node, x: x.astype(str),
}


class RefusalError(Exception):
    def __init__(self, kind: str, message: bytes | str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message if isinstance(message, bytes) else message.encode()


class FakeRunner:
    def __init__(self) -> None:
        self.greeted = False
        self.number = 0
        self.graphs: dict[int, OnnxModel] = {}
        self.values: dict[int, Any] = {}

    def answer(self, request: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        known = {name: getattr(self, name) for name in ("hello", "load", "run", "read", "release")}
        demand(request.get("do") in known, f"there is no request {request.get('do')!r}")
        demand(self.greeted or request["do"] == "hello", "the first request must be hello")
        demand(request["do"] == "run" or not body, "only run has a body")
        return known[request["do"]](request, body)

    def hello(self, request: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        self.greeted = True
        return {"protocol": 1, "versions": VERSIONS}, b""

    def load(self, request: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        options = request.get("options", {})
        demand(isinstance(options, dict), "options are no object")
        for name, value in options.items():
            demand(value in OPTIONS.get(name, ()), f"there is no option {name!r} with the value {value!r}")
        try:
            model = read_model(Path(request["path"]))
        except ModelFileError as error:
            raise RefusalError("runtime", f"Load model failed: {error}") from None
        if model.ir > MAX_IR or (model.opset or 0) > MAX_OPSET:
            raise RefusalError("runtime", f"Unsupported model: IR {model.ir}, opset {model.opset}")
        for node in model.graph.nodes:
            if node.op_type not in OPERATORS:
                raise RefusalError("runtime", f"No Op registered for {node.op_type}")
        names = {"inputs": inputs_of(model), "outputs": [value.name for value in model.graph.outputs]}
        return {"graph": self.add(self.graphs, model), **names}, b""

    def run(self, request: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        model = self.get(self.graphs, request.get("graph"))
        values, start = {}, 0
        names = [given["name"] for given in request["inputs"]]
        demand(sorted(names) == sorted(inputs_of(model)), "not the inputs of the graph")
        for given in request["inputs"]:
            if "value" in given:
                values[given["name"]] = self.get(self.values, given["value"])
                continue
            demand(given.get("dtype") in DTYPES, "an unknown dtype")
            shape = given.get("shape")
            demand(isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape), "no shape")
            count = int(np.prod(shape, dtype=np.int64))
            end = start + count * np.dtype(given["dtype"]).itemsize
            demand(end <= len(body), "the body is too short")
            values[given["name"]] = np.frombuffer(body[start:end], given["dtype"]).reshape(shape)
            start = end
        demand(start == len(body), "the body is too long")
        return {"outputs": self.computed(model, values)}, b""

    def computed(self, model: OnnxModel, values: dict[str, Any]) -> list[dict[str, Any]]:
        values |= {weight.name: np.array(weight.numbers) for weight in model.graph.initializers}
        for declared in model.graph.inputs:
            wanted = ELEMENT_TYPES[declared.element].name
            if form(values[declared.name])["dtype"] != wanted:
                raise RefusalError("runtime", f"Unexpected input data type for {declared.name}: not tensor({wanted})")
        for node in model.graph.nodes:
            try:
                values[node.outputs[0]] = OPERATORS[node.op_type](node, *(values[name] for name in node.inputs))
            except ValueError as error:
                words = f"Non-zero status code returned while running {node.op_type} node. Name:'{node.name}'"
                raise RefusalError("runtime", f"{words} Status Message: {error}") from None
        return [
            {"name": output.name, "value": self.add(self.values, values[output.name]), **form(values[output.name])}
            for output in model.graph.outputs
        ]

    def read(self, request: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        arrays = [self.get(self.values, number) for number in request["values"]]
        demand(all(form(array)["dtype"] in DTYPES for array in arrays), "it cannot be read")
        return {"values": [form(array) for array in arrays]}, b"".join(array.tobytes() for array in arrays)

    def release(self, request: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        found = [(held, number) for kind, held in self.held().items() for number in request.get(kind, [])]
        for kind in self.held():
            demand(len({*request.get(kind, [])}) == len(request.get(kind, [])), "named twice")
        for held, number in found:
            self.get(held, number)
        for held, number in found:
            del held[number]
        return {}, b""

    def held(self) -> dict[str, dict[int, Any]]:
        return {"values": self.values, "graphs": self.graphs}

    def add(self, held: dict[int, Any], thing: object) -> int:
        self.number += 1
        held[self.number] = thing
        return self.number

    @staticmethod
    def get(held: dict[int, Any], number: object) -> Any:
        demand(type(number) is int and number in held, f"there is no {number!r}")
        return held[number]


def form(array: Any) -> dict[str, Any]:
    return {"dtype": "string" if array.dtype.kind == "U" else str(array.dtype), "shape": list(array.shape)}


def inputs_of(model: OnnxModel) -> list[str]:
    weights = {weight.name for weight in model.graph.initializers}
    return [value.name for value in model.graph.inputs if value.name not in weights]


def demand(holds: object, message: str) -> None:
    if not holds:
        raise RefusalError("request", message)


def flood(stream: Any) -> None:
    while True:
        stream.buffer.write(b"the flood \xff\xfe\n" * 1000)


def complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def write_head(body: int) -> None:
    write(struct.pack("<4sIQ", b"RUN1", 2, body) + b"{}")


FAULTS = {
    "garbage": lambda: write(b"Welcome to a runner!\n"),
    "flood": lambda: flood(sys.stdout),
    "no-json": lambda: write(struct.pack("<4sIQ", b"RUN1", 3, 0) + b"[1]"),
    "deep": lambda: write(struct.pack("<4sIQ", b"RUN1", 200_000, 0) + b"[" * 200_000),
    "long-header": lambda: write(struct.pack("<4sIQ", b"RUN1", 2**31, 0)),
    "long-body": lambda: write_head(2**60),
    "empty": lambda: write_head(0),
    "any-bytes": lambda: write(reply({"error": "runtime"}, b"\xff\x00 no text \xc3\x28 \xe2\x82\xac")),
    "memory": lambda: write(reply({"error": "machine"}, b"Array buffer allocation failed")),
    "stderr": lambda: [sys.stderr.buffer.write(b"x" * 2**20) for _ in range(5)] and sys.stderr.flush(),
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "abort": os.abort,
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: os._exit(3),
    "full-disk": lambda: (complain("fatal: No space left on device"), os._exit(3)),
    "refused": lambda: (complain("Error: EACCES: permission denied, open '/x'"), os.abort()),
    "own-failure": lambda: os._exit(113),
    "closed": lambda: (os.close(1), time.sleep(3600)),
    "hang": lambda: time.sleep(3600),
}
"""`stderr` answers all the same."""


def reply(header: dict[str, Any], body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<4sIQ", b"RUN1", len(text), len(body)) + text + body


def write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def main(fault: str = "", at: str = "", once: str = "") -> None:
    runner = FakeRunner()
    stdin = sys.stdin.buffer
    while len(head := stdin.read(16)) == 16:
        magic, length, size = struct.unpack("<4sIQ", head)
        if magic != b"RUN1" or length > HEADER_LIMIT:
            sys.exit(113)
        try:
            text, body = stdin.read(length), stdin.read(size)
        except (MemoryError, OverflowError):
            sys.exit(113)
        if len(text) < length or len(body) < size:
            break
        try:
            request = json.loads(text)
        except ValueError:
            sys.exit(113)
        if not isinstance(request, dict):
            sys.exit(113)
        if request.get("do") == at and not (once and Path(once).exists()):
            if once:
                Path(once).touch()
            FAULTS[fault]()
            if fault != "stderr":
                continue
        try:
            answer = reply(*runner.answer(request, body))
        except RefusalError as refusal:
            answer = reply({"error": refusal.kind}, refusal.message)
        write(answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
