"""What a runtime offers: it loads graphs, and calls them.

A *value* is whatever a runtime passes from graph to graph: an array, or a handle of its own, such as an OrtValue. Arrays
come in, and `numpy()` of a handle gives an array (or raises CallFailure), so a handle's content need not be read in between.

A runtime that is no Python package (Node.js, a Rust crate) is a program that speaks the protocol of docs/runtimes.md, a runner.
runtimes/runner/ is the client of all of them. The environment of such a run holds Python with numpy, and the job names the
runner's command. Another one needs a line in runtimes/__init__.py; and on the host an axis for its versions, and how a version
becomes an environment: resolve, lock, install, verify.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple

from .findings import Findings
from .outcome import ProbeFailure
from .wire import RunJob

Values = Dict[str, Any]


class Form(NamedTuple):
    """What is known of a value without reading it: numpy's name of its dtype, and its shape."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"


class CallFailure(ProbeFailure):
    """A graph failed while it ran. `node` describes the first failing node, as far as the runtime reports it."""

    def __init__(self, message: str, original: BaseException, node: dict[str, Any] | None) -> None:
        super().__init__(message, original)
        self.node = node


class RunnerError(Exception):
    """A runner broke the protocol, or was ended from outside: an `error`, no fact about versions."""


class Graph(ABC):
    """A loaded graph with its actual inputs."""

    inputs: tuple[str, ...]

    @abstractmethod
    def run(self, values: Mapping[str, Any]) -> Values:
        """Return name → value of every output, given values or arrays for at least the graph's inputs.

        CallFailure, with the runtime's text unchanged, if the runtime fails. Missing inputs are found before
        (runtimes/graph_names.py).
        """

    @abstractmethod
    def form(self, value: Any) -> Form:
        """Return dtype and shape of a value or an array."""


class Runtime(ABC):
    """Loads graphs."""

    @abstractmethod
    def load(self, path: Path, binding: str, options: Mapping[str, str]) -> Graph:
        """Load the graph at `path`. NotRun if this runtime does not implement what the graph uses."""

    def start(self, job: RunJob) -> None:  # noqa: B027 - most have nothing to start
        """Begin, in the process of `job`, before anything else is called."""

    def stop(self) -> None:  # noqa: B027
        """End what `start` has started, as far as it came."""

    def release(self) -> None:  # noqa: B027
        """Give up all graphs and values: the work of a variant is over. ProbeFailure if the runtime fails in that."""

    def measure(self) -> dict[str, Any]:
        """Return what the stage `import` records of this runtime."""
        return {}

    def lint(self, manifest: Mapping[str, Any]) -> Findings:
        """Return what is noticed of an artifact before it is loaded."""
        del manifest
        return []


def array_of(value: Any) -> Any:
    """Return the content of a value as an array; a handle is read by its `numpy`."""
    return value.numpy() if hasattr(value, "numpy") else value


def array_form(array: Any) -> Form:
    """Return the form of a numpy array."""
    return Form(str(array.dtype), tuple(int(size) for size in array.shape))
