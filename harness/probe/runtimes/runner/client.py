"""The requests of the protocol as functions, with what a runner holds as objects that are released when nobody uses them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence, TypeVar

from ...messages import sentence, text_of
from ...outcome import ProbeFailure, RunnerCrash
from ...runtime import CallFailure, Form, RunnerError
from ..failing_node import failing_node
from .frames import DTYPES, arrays_in, byte_size
from .process import RunnerProcess

PROTOCOL = 1
_HANDLES = 1 << 53
"""Above every handle."""

T = TypeVar("T")


class RuntimeFault(Exception):  # noqa: N818 - a finding about the runtime
    """The runtime has refused something; the message is its own."""


@contextlib.contextmanager
def call_failures() -> Iterator[None]:
    """Have what the runtime does wrong in a call be a CallFailure."""
    try:
        yield
    except (RuntimeFault, RunnerCrash) as exc:
        raise CallFailure(sentence(exc), exc, failing_node(text_of(exc))) from exc


class Held:
    """What the runner holds under a number, until this object is gone."""

    kind: str

    def __init__(self, client: Client, number: int) -> None:
        self.client = client
        self.number = number
        client.held[self.kind].add(number)

    def __del__(self) -> None:
        """Have it released with the next request."""
        if self.number in self.client.held[self.kind]:
            self.client.unused[self.kind].append(self.number)


class HeldValue(Held):
    """An output of a graph, which stays in the runner."""

    kind = "values"

    def __init__(self, client: Client, number: int, form: Form) -> None:
        super().__init__(client, number)
        self.form = form

    def numpy(self) -> Any:
        """Return its content, which is sent for this. CallFailure if the runtime fails."""
        with call_failures():
            return self.client.read([self])[0]


class HeldGraph(Held):
    """A loaded graph, with the names of its inputs and outputs."""

    kind = "graphs"

    def __init__(self, client: Client, number: int, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        super().__init__(client, number)
        self.inputs = inputs
        self.outputs = outputs


class Client:
    """A runner that runs, and has answered `hello`."""

    def __init__(self, process: RunnerProcess, runtime: str, version: str | None) -> None:
        """RunnerError if it has another runtime, or another version than is given; RuntimeFault if it does not load."""
        self.process = process
        self.runtime = runtime
        self.held: dict[str, set[int]] = {"values": set(), "graphs": set()}
        self.unused: dict[str, list[int]] = {"values": [], "graphs": []}
        self._given: dict[str, set[int]] = {"values": set(), "graphs": set()}
        """All numbers, released ones too."""
        self.versions = self._ask({"do": "hello"}, _greeting)
        if runtime not in self.versions:
            raise process.broken(f"it has no version of {runtime}, but of {', '.join(self.versions)}")
        if version not in {None, self.versions[runtime]}:
            raise process.broken(f"it has {runtime} {self.versions[runtime]}, and {version} is installed for it")

    def load(self, path: Path, options: Mapping[str, str]) -> HeldGraph:
        """Load the graph at `path`."""
        try:
            str(path).encode("utf-8")
        except UnicodeEncodeError:
            message = f"the path {str(path)!a} is no UTF-8: no runner could read it"
            raise RunnerError(message) from None
        number, inputs, outputs = self._ask({"do": "load", "path": str(path), "options": dict(options)}, _loaded)
        for side, names in (("inputs", inputs), ("outputs", outputs)):
            if len(set(names)) < len(names):
                raise self.process.broken(f"it names {side} twice: {[*names]}")
        self._require_new("graphs", [number])
        return HeldGraph(self, number, inputs, outputs)

    def run(self, graph: HeldGraph, values: Mapping[str, Any]) -> dict[str, HeldValue]:
        """Run a graph on arrays and held values; return its outputs in the graph's order."""
        inputs, arrays = [], []
        for name, value in values.items():
            if isinstance(value, HeldValue):
                if value.client is not self:
                    raise RunnerError(f"the runner that held {name} has ended")
                inputs.append({"name": name, "value": value.number})
            else:
                inputs.append({"name": name, "dtype": str(value.dtype), "shape": [int(size) for size in value.shape]})
                arrays.append(value)
        outputs = self._ask({"do": "run", "graph": graph.number, "inputs": inputs}, _outputs, arrays)
        if tuple(name for name, _, _ in outputs) != graph.outputs:
            raise self.process.broken(f"it returns {[name for name, _, _ in outputs]} of a graph with {[*graph.outputs]}")
        self._require_new("values", [number for _, number, _ in outputs])
        return {name: HeldValue(self, number, form) for name, number, form in outputs}

    def read(self, values: Sequence[HeldValue]) -> list[Any]:
        """Return the contents of `values`. ProbeFailure if numpy has no such dtype."""
        forms = [value.form for value in values]
        for form in forms:
            if form.dtype not in DTYPES:
                message = f"a value is {form}, which cannot be read"
                raise ProbeFailure(message)
        size = sum(byte_size(*form) for form in forms)
        request = {"do": "read", "values": [value.number for value in values]}
        header, body = self._answer(request, (), size)
        if _checked(self.process, header, _forms) != forms:
            raise self.process.broken(f"it reads {header['values']} where it had {[str(form) for form in forms]}")
        return arrays_in(body, forms)

    def release(self) -> None:
        """Release all graphs and values, also those that somebody still has."""
        self.unused = {kind: sorted(numbers) for kind, numbers in self.held.items()}
        self._release()

    def _require_new(self, kind: str, numbers: Sequence[int]) -> None:
        """RunnerError if one of the handles that it gives was given before."""
        given = self._given[kind]
        for number in numbers:
            if number in given:
                raise self.process.broken(f"it gives the handle {number} of {kind} twice")
            given.add(number)

    def _ask(self, request: Mapping[str, Any], reading: Callable[[Mapping[str, Any]], T], arrays: Sequence[Any] = ()) -> T:
        return _checked(self.process, self._answer(request, arrays, 0)[0], reading)

    def _answer(self, request: Mapping[str, Any], arrays: Sequence[Any], size: int) -> tuple[dict[str, Any], bytearray]:
        self._release()
        header, body = self.process.ask(request, arrays, size)
        if "error" not in header:
            return header, body
        message = body.decode("utf-8", errors="backslashreplace")
        if not message:
            raise self.process.broken(f"its refusal of {request['do']} ({header['error']}) gives no reason")
        if header["error"] == "runtime":
            raise RuntimeFault(message)
        if header["error"] == "machine":
            raise RunnerError(f"the machine has failed the runner in {request['do']}: {message}")
        raise self.process.broken(f"it refuses {request['do']} ({header['error']}): {message}")

    def _release(self) -> None:
        unused = {kind: numbers for kind, numbers in self.unused.items() if numbers}
        if unused:
            self.unused = {"values": [], "graphs": []}
            for kind, numbers in unused.items():
                self.held[kind].difference_update(numbers)
            self._ask({"do": "release", **unused}, lambda _: None)


class Runner:
    """Starts the runner of one runtime, and again after it has ended."""

    def __init__(self, command: Sequence[str], runtime: str, version: str | None = None) -> None:
        self._command = command
        self._runtime = runtime
        self._version = version
        self._client: Client | None = None

    def client(self) -> Client:
        """Return the client of a living runner: one that has ended since its last answer is started again."""
        if self._client is None or not self._client.process.running:
            process = RunnerProcess(self._command)
            try:
                self._client = Client(process, self._runtime, self._version)
            except Exception:
                process.close()
                raise
        return self._client

    def release(self) -> None:
        """Have a runner that lives release all that it holds."""
        if self._client is not None and self._client.process.alive:
            self._client.release()

    def close(self) -> None:
        """End the runner."""
        if self._client is not None and self._client.process.alive:
            self._client.process.close()


def _checked(process: RunnerProcess, header: Mapping[str, Any], reading: Callable[[Mapping[str, Any]], T]) -> T:
    """Return what `reading` makes of an answer."""
    try:
        return reading(header)
    except (KeyError, TypeError, ValueError, AttributeError):
        text = str(header)
        raise process.broken(f"its answer is not as the protocol has it: {text[:200]}") from None


def _greeting(header: Mapping[str, Any]) -> dict[str, str]:
    if header["protocol"] != PROTOCOL:
        raise ValueError
    return {_text(name): _text(version) for name, version in header["versions"].items()}


def _loaded(header: Mapping[str, Any]) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    return _handle(header["graph"]), _texts(header["inputs"]), _texts(header["outputs"])


def _outputs(header: Mapping[str, Any]) -> list[tuple[str, int, Form]]:
    return [(_text(output["name"]), _handle(output["value"]), _form(output)) for output in header["outputs"]]


def _forms(header: Mapping[str, Any]) -> list[Form]:
    return [_form(value) for value in header["values"]]


def _form(described: Mapping[str, Any]) -> Form:
    return Form(_text(described["dtype"]), tuple(_count(size) for size in described["shape"]))


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(_text(value) for value in values)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _handle(value: Any) -> int:
    if _count(value) >= _HANDLES:
        raise ValueError
    return int(value)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError
    return value
