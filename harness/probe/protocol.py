"""What a probe module offers: the built-in one (decoders/) and one's own (docs/probe.md) alike.

The module is loaded on both sides: in an export's environment, and in a run's, which holds onnxruntime and numpy alone.
So at its top it imports nothing but the standard library, numpy and harness_probe. Functions with * it must have:

    IMPORTS = ("torch", "onnx")       what the stage `import` of an export loads, in this order
    TOLERANCE = {"absolute", "relative"}
  on the export side
    load(options)                     the model, or whatever the functions below are to be given; once a process
    cases(model)                    * yields a Case each: inputs, and what PyTorch makes of them
    about(model)                      what else to record of the model
    graphs(model)                   * yields a GraphRequest each, for the exporters of the harness; or, instead,
    export(model, variant, folder)  * writes <role>.onnx for each graph by itself
  on the run side
    starts(variant)                   names of the ways to begin; every case is run from each
    run(graphs, case, variant, start)   yields the outputs of each step, by name, or a Step
    measure(pairs)                    what else to record of (actual, expected) outputs

What they raise decides the verdict: NotRun (the variant cannot exist here) and ProbeFailure (a finding) of
this module; an exception from within a package is a fact about the versions; any other is an error.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Iterable, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from . import failures
from .artifact import Case
from .compare import TOLERANCE
from .failures import NotRun, ProbeFailure, ProbeModuleError
from .findings import Findings, finding
from .graphs import GraphRequest
from .runtime import Graph

__all__ = ["Case", "GraphRequest", "Graphs", "NotRun", "Probe", "ProbeFailure", "RequestedVariant", "Step", "Variant", "load"]

_BUILT_IN = ".decoders.probe"
_OWN = "own_probe"

Graphs = Mapping[str, Graph]
Outputs = Mapping[str, Any]


class RequestedVariant:
    """What is asked for. Strings, but for `opset` and `ir_version` (int; the latter None where nothing is to be set).

    An export knows `id`, `exporter`, `opset`, `layout`, `attention` (None: whatever the model chooses) and
    `ir_version`; a run knows `feedback`, `binding` and `strategy` too.
    """

    def __init__(self, asked: Mapping[str, Any], findings: Findings) -> None:
        self._asked = dict(asked)
        self.id: str = asked["id"]
        self.exporter: str = asked["exporter"]
        self.opset: int = asked["opset"]
        self.layout: str = asked["layout"]
        self.attention: str | None = asked.get("attention")
        self.ir_version: int | None = asked.get("ir_version")
        self.feedback: str | None = asked.get("feedback")
        self.binding: str | None = asked.get("binding")
        self.strategy: str | None = asked.get("strategy")
        self._findings = findings
        self.declared: dict[str, dict[str, list[str] | None]] = {}
        """Role → `inputs` and `outputs` that the exporter was asked for; see running/interface.py."""

    def declare(self, role: str, inputs: Iterable[str] | None, outputs: Iterable[str]) -> None:
        """Note what the graph `role` was asked to take and to return; None where the inputs are the exporter's choice."""
        self.declared[role] = {"inputs": None if inputs is None else sorted(inputs), "outputs": sorted(outputs)}

    def noting(self, findings: Findings) -> RequestedVariant:
        """Return the same variant, with another list for what is noticed of it."""
        return RequestedVariant(self._asked, findings)

    def note(self, rule: str, message: str, where: str) -> None:
        """Add to what is noticed of the variant, whatever becomes of it: see findings.py."""
        self.add([finding(rule, message, where)])

    def add(self, findings: Findings) -> None:
        """Add findings that were made elsewhere, each once."""
        self._findings.extend(one for one in findings if one not in self._findings)


Variant = RequestedVariant
"""How probe modules import it."""


class Step(NamedTuple):
    """What one step of a run gave: the outputs to compare, and in words what else is wrong."""

    outputs: Outputs
    wrong: str | None = None


Pairs = List[Tuple[Outputs, Outputs]]
"""(actual, expected) outputs of every step of every case, shapes equal."""


class Probe:
    """A probe module, with what it leaves out filled in."""

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
        # Not at the top: a run has no torch, which the exporters import.
        exporters = importlib.import_module(".export.exporters", __package__)
        for request in self._require("graphs", "or export()")(model):
            exporters.export_graph(request, variant, folder / f"{request.role}.onnx")

    def starts(self, variant: RequestedVariant) -> Sequence[str]:
        """Return the ways to begin; the empty name where there is but one."""
        return list(self._call("starts", variant, default=[""]))

    def run(self, graphs: Graphs, case: Case, variant: RequestedVariant, start: str) -> Iterator[Step]:
        """Yield the steps of `case`."""
        made: Iterable[Step | Outputs]
        if hasattr(self._module, "run"):
            made = self._module.run(graphs, case, variant, start)
        else:
            made = _run_the_only_graph(graphs, case, variant)
        for step in made:
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
    """Return the probe at `path`, the built-in one for None.

    The folder of one's own comes first in the search for modules, as a script's does, so that a probe can import what
    lies beside it.
    """
    if path is None:
        return Probe(importlib.import_module(_BUILT_IN, __package__))
    file = Path(path).resolve()
    sys.path.insert(0, str(file.parent))
    failures.own(file.parent)
    spec = importlib.util.spec_from_file_location(_OWN, file)
    if spec is None or spec.loader is None:
        message = f"{file.name} cannot be loaded as a Python module"
        raise ProbeModuleError(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[_OWN] = module
    spec.loader.exec_module(module)
    return Probe(module)


def _run_the_only_graph(graphs: Graphs, case: Case, variant: RequestedVariant) -> Iterator[Outputs]:
    if len(graphs) != 1:
        message = f"there are {len(graphs)} graphs ({', '.join(graphs)}): the probe module needs a run() for them"
        raise ProbeModuleError(message)
    ((role, graph),) = graphs.items()
    for name in case.inputs:
        if name not in graph.inputs:
            variant.note("pruned-input", f"the cases offer {name}, which is no input of the graph", f"{role}: {name}")
    yield {name: value for name, value in graph.run(case.inputs).items() if name in case.expected[0]}
