"""The names at a graph's border: what it asks for and returns, against what the probe declared and offers.

A difference is a fact about the versions (`fails`) where the exporter made it up, and an `error` where the probe did:

A graph asks for an input that a call does not offer. Some case or call has it, or the exporter was asked for it: the probe
forgot it, an error. Nobody knows it: the exporter invented it, fails.

A graph does not return an output that run() takes. The exporter was asked for it, or a case expects it and no graph returns
it: it is missing, fails. Nobody has spoken of it: the probe's mistake, an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, Mapping

from ..failures import ProbeFailure, ProbeModuleError

if TYPE_CHECKING:
    from ..artifact import Case


class InventedInput(ProbeFailure):
    """A graph asks for an input that nobody offers; no runtime can run it."""


class MissingOutput(ProbeFailure):
    """A graph does not return what the exporter was asked for, or what a case expects."""


class Roles(Dict[str, Any]):
    """Graphs by role; a role that the artifact does not have is the probe's mistake, in words."""

    def __missing__(self, role: str) -> Any:
        """Raise ProbeModuleError."""
        raise ProbeModuleError(f"run() asks for the graph {role!r}; the export left {_listed(self)}")


class Interface:
    """The border of one graph of an artifact."""

    def __init__(self, role: str, manifest: Mapping[str, Any], cases: Iterable[Case]) -> None:
        declared = manifest.get("declared", {}).get(role, {})
        self._role = role
        self._asked = frozenset(declared.get("inputs") or ())
        """Inputs that the exporter was asked for; empty where the probe exports by itself."""
        self._promised = frozenset(declared.get("outputs") or ())
        self._offered = {name for case in cases for name in case.inputs}
        """Inputs that a case has, or that a call has offered."""
        returned = {value["name"] for graph in manifest["graphs"].values() for value in graph["outputs"]}
        self._expected = {name for case in cases for step in case.expected for name in step} - returned

    def offer(self, inputs: Iterable[str], values: Mapping[str, Any]) -> None:
        """Take note of a call; InventedInput or ProbeModuleError where `values` lack some of the graph's `inputs`."""
        missing = [name for name in inputs if name not in values]
        known = self._asked | self._offered
        self._offered.update(values)
        if not missing:
            return
        invented = [name for name in missing if name not in known]
        if invented:
            message = f"{self._role}: the graph asks for inputs that nobody offers: {', '.join(invented)}"
            raise InventedInput(f"{message} (offered: {_listed(values)})")
        message = f"the probe forgot inputs of the graph {self._role!r}: {', '.join(missing)}"
        raise ProbeModuleError(f"{message}; the call offers {_listed(values)}, and {self._source(missing)}")

    def _source(self, missing: Iterable[str]) -> str:
        if self._asked.issuperset(missing):
            return "the exporter was asked for them"
        return "other cases or calls have them"

    def outputs(self, values: Mapping[str, Any]) -> Outputs:
        """Return `values`, the outputs of a call, as a mapping that says in words what it lacks."""
        return Outputs(values, self)

    def without(self, name: str, values: Iterable[str]) -> Exception:
        """Return the exception for an output `name` that is not among `values`."""
        lack = f"{self._role}: the graph returns no {name}; it returns {_listed(values)}"
        if name in self._promised or name in self._expected:
            return MissingOutput(lack)
        return ProbeModuleError(f"{lack}, and neither graphs() nor a case speaks of it")


class Outputs(Dict[str, Any]):
    """The outputs of one call by name."""

    def __init__(self, values: Mapping[str, Any], interface: Interface) -> None:
        super().__init__(values)
        self._interface = interface

    def __missing__(self, name: str) -> Any:
        """Raise MissingOutput or ProbeModuleError."""
        raise self._interface.without(name, self)


def _listed(names: Iterable[str], limit: int = 8) -> str:
    known = list(names)
    return ", ".join(_some(known, limit)) or "nothing"


def _some(names: list[str], limit: int) -> Iterator[str]:
    yield from names[:limit]
    if len(names) > limit:
        yield f"… ({len(names)} in all)"
