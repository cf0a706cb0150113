"""A runner as a test sees it: raw frames of docs/runtimes.md, right ones and wrong ones. Not the probe's own client."""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

PATIENCE = 120.0
"""Seconds without a byte after which a test gives up."""


class RefusedRequestError(Exception):
    """An answer that is an error; `kind` is its kind, and the text its message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class RawRunner:
    """A runner's process."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream
            stream.close()

    def send(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def answer(self) -> tuple[dict[str, Any], bytes]:
        magic, length, body = struct.unpack("<4sIQ", self._read(16))
        assert magic == b"RUN1"
        header = json.loads(self._read(length).decode("utf-8"))
        content = self._read(body)
        if "error" in header:
            raise RefusedRequestError(header["error"], content.decode("utf-8"))
        return header, content

    def ask(self, request: Mapping[str, Any], body: bytes = b"") -> tuple[dict[str, Any], bytes]:
        self.send(frame(request, body))
        return self.answer()

    def hello(self) -> dict[str, Any]:
        return self.ask({"do": "hello"})[0]

    def load(self, path: object, **options: str) -> int:
        return self.ask({"do": "load", "path": str(path), "options": options})[0]["graph"]

    def run(self, graph: int, **values: Any) -> dict[str, int]:
        """Output → its handle; a value is an array or a handle."""
        header, _ = self.ask(*run_request(graph, values))
        return {output["name"]: output["value"] for output in header["outputs"]}

    def read(self, *values: int) -> list[Any]:
        header, body = self.ask({"do": "read", "values": list(values)})
        arrays, start = [], 0
        for form in header["values"]:
            dtype = np.dtype(form["dtype"])
            count = int(np.prod(form["shape"], dtype=np.int64))
            arrays.append(np.frombuffer(body, dtype, count, start).reshape(form["shape"]))
            start += count * dtype.itemsize
        assert start == len(body)
        return arrays

    def release(self, *values: int) -> None:
        assert self.ask({"do": "release", "values": list(values)}) == ({}, b"")

    def end(self) -> int:
        """Close its input, and return its exit code; it has nothing more to say."""
        assert self.process.stdin
        self.process.stdin.close()
        assert self._read(1, at_least=0) == b""
        return self.process.wait(PATIENCE)

    def _read(self, length: int, at_least: int | None = None) -> bytes:
        assert self.process.stdout
        data = b""
        while len(data) < length:
            readable, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            assert readable, "the runner does not answer"
            chunk = os.read(self.process.stdout.fileno(), length - len(data))
            if not chunk:
                assert len(data) >= (length if at_least is None else at_least), "the runner has ended"
                break
            data += chunk
        return data


def frame(request: object, body: bytes = b"", *, escaped: bool = True) -> bytes:
    """A frame as the probe sends it, in ASCII with escapes, or in UTF-8 as others may."""
    header = json.dumps(request, ensure_ascii=escaped).encode("utf-8")
    return struct.pack("<4sIQ", b"RUN1", len(header), len(body)) + header + body


def run_request(graph: int, values: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """A request to run, and its body."""
    inputs, body = [], b""
    for name, value in values.items():
        if isinstance(value, int):
            inputs.append({"name": name, "value": value})
        else:
            inputs.append({"name": name, "dtype": str(value.dtype), "shape": list(value.shape)})
            body += value.tobytes()
    return {"do": "run", "graph": graph, "inputs": inputs}, body
