"""What a runtime offers to the loop. A value is whatever the runtime passes between graphs: an array, a handle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple

from .failures import ProbeFailure
from .findings import Findings

Values = Dict[str, Any]


class Form(NamedTuple):
    """What can be told of a value without reading it: numpy's name of its dtype, and its shape."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"


class CallFailure(ProbeFailure):
    """A graph that failed while it ran. `node` tells of the first failing node, as far as the runtime does."""

    def __init__(self, message: str, original: BaseException, node: dict[str, Any] | None) -> None:
        super().__init__(message, original)
        self.node = node


class Graph(ABC):
    """A loaded graph with its actual inputs."""

    inputs: tuple[str, ...]

    @abstractmethod
    def run(self, values: Mapping[str, Any]) -> Values:
        """Return name → value of every output, given values or arrays for at least the graph's inputs.

        CallFailure, with the runtime's text to the letter, where the runtime gives up. Whether all inputs are offered is
        looked at before (see interface.py).
        """

    @abstractmethod
    def form(self, value: Any) -> Form:
        """Return dtype and shape of a value or an array."""


class Runtime(ABC):
    """What executes graphs."""

    @abstractmethod
    def load(self, path: Path, binding: str) -> Graph:
        """Load the graph at `path`; NotRun where this runtime does not implement what it asks for."""

    def lint(self, manifest: Mapping[str, Any]) -> Findings:
        """Return what is noticed of an artifact before any of it is loaded."""
        del manifest
        return []


def array_of(value: Any) -> Any:
    """Return the content of a value as an array; a handle, such as an OrtValue, is read by its `numpy`."""
    return value.numpy() if hasattr(value, "numpy") else value


def array_form(array: Any) -> Form:
    """Return the form of a numpy array."""
    return Form(str(array.dtype), tuple(int(size) for size in array.shape))
