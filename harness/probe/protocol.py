"""What a probe module offers, the built-in one (decoders/probe.py) or one's own (docs/probe.md).

The module is loaded on both sides: in the environment of an export, and in that of a run, which holds only the runtime and
numpy. So at its top it imports only the standard library, numpy and harness_probe. Functions with * are required:

    IMPORTS = ("torch", "onnx")       what the stage `import` of an export imports, in this order
    TOLERANCE = {"absolute", "relative"}
  on the export side
    load(options)                     the model, or any argument for the functions below; called once in a process
    cases(model)                    * yields a Case each: inputs, and the outputs that PyTorch gives for them
    about(model)                      what else to record of the model
    graphs(model)                   * yields a GraphRequest each, for the exporters of the harness; or, instead,
    export(model, variant, folder)  * writes <role>.onnx for each graph
  on the run side
    starts(variant)                   names of the ways to begin; every case is run from each
    run(graphs, case, variant, start)   yields the outputs of each step, by name, or a Step
    measure(pairs)                    what else to record of (actual, expected) outputs

An exception decides the verdict: NotRun (the variant cannot exist here) and ProbeFailure (a finding of the module) are in this
module; an exception from within a package is a fact about versions; any other exception is an error.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Iterable, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from . import outcome
from .artifact import Case
from .compare import TOLERANCE
from .graph_request import GraphRequest
from .outcome import NotRun, ProbeFailure, ProbeModuleError
from .runtime import Graph
from .variant import RequestedVariant

__all__ = ["Case", "GraphRequest", "Graphs", "NotRun", "Probe", "ProbeFailure", "RequestedVariant", "Step", "Variant", "load"]

_BUILT_IN = ".decoders.probe"
_OWN = "own_probe"

Variant = RequestedVariant
"""The name for probe modules."""
Graphs = Mapping[str, Graph]
"""Role → graph."""
Outputs = Mapping[str, Any]


class Step(NamedTuple):
    """One step of a run: the outputs to compare, and in words what else is wrong."""

    outputs: Outputs
    wrong: str | None = None


Pairs = List[Tuple[Outputs, Outputs]]
"""(actual, expected) outputs of every step of every case, shapes equal."""


class Probe:
    """A probe module, with defaults for what it leaves out."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        imports = getattr(module, "IMPORTS", ("torch", "onnx"))
        self.imports: Sequence[str] = (imports,) if isinstance(imports, str) else imports
        self.tolerance: Mapping[str, float] = getattr(module, "TOLERANCE", TOLERANCE)

    def load(self, options: Mapping[str, Any]) -> Any:
        """Return the model."""
        return self._call("load", options, default=None)

    def cases(self, model: Any) -> list[Case]:
        """Return the cases, one at least."""
        cases = list(self._require("cases")(model))
        if not cases:
            message = f"{self._name}: cases() yields nothing: there is nothing to compare"
            raise ValueError(message)
        return cases

    def about(self, model: Any) -> Mapping[str, Any]:
        """Return what is recorded of the model."""
        return dict(self._call("about", model, default={}))

    def export(self, model: Any, variant: RequestedVariant, folder: Path) -> None:
        """Write the graphs of `variant` into `folder`."""
        if hasattr(self._module, "export"):
            self._module.export(model, variant, folder)
            return
        # Not at the top: a run has no onnx, which this imports.
        exporters = importlib.import_module(".export.exporters", __package__)
        for request in self._require("graphs", "or export()")(model):
            variant.declare(request.role, request.inputs, request.outputs)
            exporters.export_graph(request, variant, folder / f"{request.role}.onnx", variant.findings)

    def starts(self, variant: RequestedVariant) -> Sequence[str]:
        """Return the ways to begin; one empty name if there is only one way."""
        return list(self._call("starts", variant, default=[""]))

    def run(self, graphs: Graphs, case: Case, variant: RequestedVariant, start: str) -> Iterator[Step]:
        """Yield the steps of `case`."""
        run = getattr(self._module, "run", _run_the_only_graph)
        for step in run(graphs, case, variant, start):
            yield step if isinstance(step, Step) else Step(step)

    def measure(self, pairs: Pairs) -> dict[str, Any]:
        """Return what is recorded of a comparison."""
        return dict(self._call("measure", pairs, default={}))

    @property
    def _name(self) -> str:
        return Path(str(self._module.__file__)).name

    def _call(self, name: str, *arguments: Any, default: Any) -> Any:
        return getattr(self._module, name)(*arguments) if hasattr(self._module, name) else default

    def _require(self, name: str, instead: str = "") -> Any:
        if not hasattr(self._module, name):
            message = " ".join(filter(None, [f"{self._name} has no function {name}()", instead]))
            raise ProbeModuleError(message + "; docs/probe.md says what a probe module offers")
        return getattr(self._module, name)


@functools.lru_cache(maxsize=None)
def load(path: str | None) -> Probe:
    """Return the probe at `path`; None: the built-in one.

    The folder of one's own probe comes first in the search for modules, as that of a script does: it can import files beside
    it.
    """
    if path is None:
        return Probe(importlib.import_module(_BUILT_IN, __package__))
    file = Path(path).resolve()
    sys.path.insert(0, str(file.parent))
    outcome.add_probe_folder(file.parent)
    spec = importlib.util.spec_from_file_location(_OWN, file)
    if spec is None or spec.loader is None:
        message = f"{file.name} cannot be loaded as a Python module"
        raise ProbeModuleError(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[_OWN] = module
    spec.loader.exec_module(module)
    return Probe(module)


def _run_the_only_graph(graphs: Graphs, case: Case, variant: RequestedVariant, _start: str) -> Iterable[Outputs]:
    if len(graphs) != 1:
        message = f"there are {len(graphs)} graphs ({', '.join(graphs)}): the probe module needs a run() for them"
        raise ProbeModuleError(message)
    ((role, graph),) = graphs.items()
    for name in case.inputs:
        if name not in graph.inputs:
            variant.note("pruned-input", f"the cases offer {name}, which is no input of the graph", f"{role}: {name}")
    yield {name: value for name, value in graph.run(case.inputs).items() if name in case.expected[0]}
