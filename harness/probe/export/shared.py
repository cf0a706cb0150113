"""What variants share: a model for each attention, and each of its graphs exported once for an exporter and opset."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from ..artifact import Reference
from ..findings import Findings
from . import dynamo, torchscript
from .graphs import GraphRequest
from .inspection import require_inputs
from .lint import lint_export
from .models import build
from .reference import check_cached

EXPORTERS: dict[str, Callable[[GraphRequest, Path, int], None]] = {
    "torchscript": torchscript.export,
    "dynamo": dynamo.export,
}


class Models:
    """The model under test, built once for each attention; None is the one that transformers chooses."""

    def __init__(self, description: Mapping[str, Any], subject: Any, reference: Reference) -> None:
        """`subject` is the model with the attention that transformers chooses, which made `reference`."""
        self._description = dict(description)
        self._reference = reference
        self._made: dict[str | None, Any] = {None: subject}
        self._requests: dict[str | None, Any] = {}

    def get(self, attention: str | None) -> Any:
        """Return the model, checked against the reference; raises again what the first attempt raised."""
        return _remembered(self._made, attention, lambda: self._build(attention))

    def requests(self, attention: str | None) -> Mapping[str, GraphRequest]:
        """Return role → what is asked of an exporter."""
        subject = self.get(attention)
        requests: Mapping[str, GraphRequest] = _remembered(
            self._requests, attention, lambda: {one.role: one for one in subject.requests()}
        )
        return requests

    def _build(self, attention: str | None) -> Any:
        subject = build(self._description, attention=attention)
        check_cached(subject, self._reference)
        return subject


class Exported(NamedTuple):
    """One graph, or why there is none; the findings hold either way."""

    path: Path
    findings: Findings
    problem: Exception | None


class SharedGraphs:
    """The graphs of the models, whichever variants share them."""

    def __init__(self, models: Models, folder: Path) -> None:
        self._models = models
        self._folder = folder
        # An attempt that crashed may have left graphs here which finished variants link to: they may not be written to.
        self.remove()
        self._exported: dict[Any, Exported] = {}

    def get(self, variant: Mapping[str, Any], roles: Sequence[str], findings: Findings) -> dict[str, Path]:
        """Return role → path of those graphs of `roles` that the model has, and add to `findings`.

        Raises again what the first attempt at a graph raised: another variant shares the failure as well.
        """
        exporter, opset, attention = variant["exporter"], variant["opset"], variant.get("attention")
        paths = {}
        for role, request in self._models.requests(attention).items():
            if role not in roles:
                continue
            key = (exporter, opset, attention, role)
            if key not in self._exported:
                folder = self._folder / f"{exporter}-{opset}-{attention}"
                folder.mkdir(parents=True, exist_ok=True)
                self._exported[key] = _export(EXPORTERS[exporter], request, folder / f"{role}.onnx", opset)
            exported = self._exported[key]
            findings += exported.findings
            if exported.problem is not None:
                raise exported.problem
            paths[role] = exported.path
        return paths

    def remove(self) -> None:
        """Delete the shared folder; the variants hold hard links."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _export(exporter: Callable[[GraphRequest, Path, int], None], request: GraphRequest, path: Path, opset: int) -> Exported:
    findings: Findings = []
    try:
        exporter(request, path, opset)
        findings += lint_export(request, path)
        require_inputs(request, path)
    except Exception as exc:  # noqa: BLE001 - raised by `SharedGraphs.get`, for every variant that needs the graph
        return Exported(path, findings, exc)
    return Exported(path, findings, None)


def _remembered(known: dict[Any, Any], key: Any, make: Callable[[], Any]) -> Any:
    """Return `known[key]`, made at the first time; an exception is remembered and raised like a value is returned."""
    if key not in known:
        try:
            known[key] = make()
        except Exception as exc:  # noqa: BLE001 - raised below, now and each further time
            known[key] = exc
    if isinstance(known[key], Exception):
        raise known[key]
    return known[key]
