"""The names of a graph's inputs and outputs, against those that the exporter received and those that cases and calls use.

A mismatch is a fact about versions (`fails`) if the exporter caused it, and an `error` if the probe module did:

- A graph has an input that a call does not offer. Some case or call has it, or the exporter was asked for it: the probe module
  forgot it, an error. Nothing else knows it: the exporter invented it, fails.
- A graph lacks an output that run() takes. The exporter was asked for it, or a case expects it and no graph returns it: it is
  missing, fails. Nothing else knows it: a mistake of the probe module, an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Mapping

from ..outcome import ProbeFailure, ProbeModuleError

if TYPE_CHECKING:
    from ..artifact import Case

_LISTED = 8


class InventedInput(ProbeFailure):
    """A graph has an input that nothing offers; no runtime can run it."""


class MissingOutput(ProbeFailure):
    """A graph lacks an output that the exporter was asked for, or that a case expects."""


class Explained(Dict[str, Any]):
    """A mapping that raises `explain(name)` for a name that it lacks."""

    def __init__(self, values: Mapping[str, Any], explain: Callable[[str], Exception]) -> None:
        super().__init__(values)
        self._explain = explain

    def __missing__(self, name: str) -> Any:
        """Raise the explanation."""
        raise self._explain(name)


def by_role(graphs: Mapping[str, Any]) -> Explained:
    """Return graphs by role; a role that the artifact does not have is a mistake of the probe module."""
    return Explained(
        graphs, lambda role: ProbeModuleError(f"run() asks for the graph {role!r}; the export left {_listed(graphs)}")
    )


class GraphNames:
    """The names of one graph of an artifact."""

    def __init__(self, role: str, manifest: Mapping[str, Any], cases: Iterable[Case]) -> None:
        declared = manifest.get("declared", {}).get(role, {})
        self.role = role
        self._requested = frozenset(declared.get("inputs") or ())
        """Inputs that the exporter was asked for; empty if the probe module exports by itself."""
        self._offered = {name for case in cases for name in case.inputs}
        """Inputs that a case has, or that a call has offered."""
        self._promised = {*(declared.get("outputs") or ()), *_expected_of_no_graph(manifest, cases)}
        """Outputs that the graph must return."""

    def offer(self, inputs: Iterable[str], values: Mapping[str, Any]) -> None:
        """Record a call. InventedInput or ProbeModuleError if `values` lack some of the graph's `inputs`."""
        missing = [name for name in inputs if name not in values]
        known = self._requested | self._offered
        self._offered.update(values)
        if not missing:
            return
        invented = [name for name in missing if name not in known]
        if invented:
            message = f"{self.role}: the graph asks for inputs that nobody offers: {', '.join(invented)}"
            raise InventedInput(f"{message} (offered: {_listed(values)})")
        source = "the exporter was asked for them" if self._requested.issuperset(missing) else "other cases or calls have them"
        message = f"the probe forgot inputs of the graph {self.role!r}: {', '.join(missing)}"
        raise ProbeModuleError(f"{message}; the call offers {_listed(values)}, and {source}")

    def outputs(self, values: Mapping[str, Any]) -> Explained:
        """Return the outputs of a call; taking another one raises MissingOutput or ProbeModuleError."""

        def missing(name: str) -> Exception:
            lack = f"{self.role}: the graph returns no {name}; it returns {_listed(values)}"
            if name in self._promised:
                return MissingOutput(lack)
            return ProbeModuleError(f"{lack}, and neither graphs() nor a case speaks of it")

        return Explained(values, missing)


def returned_names(manifest: Mapping[str, Any]) -> set[str]:
    """Return the names of all outputs of an artifact's graphs."""
    return {value["name"] for graph in manifest["graphs"].values() for value in graph["outputs"]}


def _expected_of_no_graph(manifest: Mapping[str, Any], cases: Iterable[Case]) -> set[str]:
    return {name for case in cases for step in case.expected for name in step} - returned_names(manifest)


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    more = [f"… ({len(known)} in all)"] if len(known) > _LISTED else []
    return ", ".join(known[:_LISTED] + more) or "nothing"
