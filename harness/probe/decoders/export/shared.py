"""What variants share: a model for each attention, and each of its graphs exported once for an exporter and opset."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from ...artifact import Case
from ...export.exporters import export_graph
from ...findings import Findings
from ...graphs import GraphRequest
from ...protocol import RequestedVariant
from . import optimum
from .layouts import LAYOUTS, place_graphs
from .merge import SWITCH
from .models import build
from .reference import build_cases, check_cached


class Models:
    """The model under test, built once for each attention; None is the one that transformers chooses."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        self._cases: list[Case] = []
        self._difference = 0.0
        self._made: dict[str | None, Any] = {None: build(self._options)}
        self._requests: dict[str | None, Any] = {}
        self._graphs = SharedGraphs(self)

    def cases(self) -> list[Case]:
        """Make the reference with the attention that transformers chooses; ProbeFailure where its cache is wrong."""
        self._cases = build_cases(self.get(None), self._options["seed"])
        self._difference = check_cached(self.get(None), self._cases)
        return self._cases

    def about(self) -> dict[str, Any]:
        """Return what to record of the model."""
        return {"cache": type(self.get(None).decoder.cache).__name__, "max_abs_diff": self._difference}

    def export(self, variant: RequestedVariant, folder: Path) -> None:
        """Leave the graphs of the variant in `folder`."""
        shared = folder.parent / ".graphs"
        if variant.exporter == "optimum":
            optimum.require(variant.layout, variant.attention)
            roles = optimum.ROLES[variant.layout]
            place_graphs(optimum.chosen(self._graphs.get_all(variant.opset, shared), roles), folder)
            for role in roles:
                variant.declare(role, None, ["last_hidden_state" if role == "encoder" else "logits"])
            return
        layout = LAYOUTS[variant.layout]
        layout.build(self._graphs.get(variant, layout.roles, shared), folder)
        if variant.layout.startswith("merged"):
            first, later = (self.requests(variant.attention)[role] for role in ("decoder", "decoder_with_past"))
            variant.declare("decoder_merged", {*first.inputs, *later.inputs, SWITCH}, first.outputs)

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
        subject = build(self._options, attention=attention)
        check_cached(subject, self._cases)
        return subject


class Exported(NamedTuple):
    """One graph, or why there is none; the findings hold either way."""

    path: Path
    findings: Findings
    problem: Exception | None


class SharedGraphs:
    """The graphs of the models, whichever variants share them."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._exported: dict[Any, Exported] = {}
        self._written: dict[int, Any] = {}

    def get_all(self, opset: int, folder: Path) -> dict[str, Path]:
        """Return role → path of what optimum writes at `opset`; raises again what the first attempt raised."""
        model = self._models.get(None).model
        written: dict[str, Path] = _remembered(
            self._written, opset, lambda: optimum.export_all(model, folder / f"optimum-{opset}", opset)
        )
        return written

    def get(self, variant: RequestedVariant, roles: Sequence[str], folder: Path) -> dict[str, Path]:
        """Return role → path, within `folder`, of those graphs of `roles` that the model has; noted is what is found.

        Raises again what the first attempt at a graph raised: another variant shares the failure as well.
        """
        paths = {}
        for role, request in self._models.requests(variant.attention).items():
            if role not in roles:
                continue
            key = (variant.exporter, variant.opset, variant.attention, role)
            if key not in self._exported:
                path = folder / "-".join(map(str, key[:3])) / f"{role}.onnx"
                self._exported[key] = _export(request, variant, path)
            exported = self._exported[key]
            variant.declare(role, request.inputs, request.outputs)
            variant.add(exported.findings)
            if exported.problem is not None:
                raise exported.problem
            paths[role] = exported.path
        return paths


def _export(request: GraphRequest, variant: RequestedVariant, path: Path) -> Exported:
    path.parent.mkdir(parents=True, exist_ok=True)
    findings: Findings = []
    try:
        export_graph(request, variant.noting(findings), path)
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
