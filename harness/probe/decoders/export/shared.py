"""What variants share: a model for each attention, and each graph exported once for an exporter and opset."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from ...artifact import Case
from ...export.exporters import export_graph, model_exporter
from ...export.interface import ModelExporter
from ...findings import Findings
from ...graph_request import GraphRequest
from ...outcome import ProbeFailure
from ...variant import RequestedVariant
from .layouts import LAYOUTS, place_graphs
from .merge import SWITCH
from .models.build import build
from .reference import build_cases, check_cached


class Exported(NamedTuple):
    """One exported graph, with its findings; or `problem`, why there is none."""

    path: Path
    findings: Findings
    problem: Exception | None


class Models:
    """The model under test, built once for each attention (None: the default of transformers), and its graphs."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        self._cases: list[Case] = []
        self._difference = 0.0
        self._models: dict[str | None, Any] = {None: build(self._options)}
        self._requests: dict[str | None, Any] = {}
        self._graphs: dict[Any, Exported] = {}
        self._files: dict[Any, Any] = {}

    def cases(self) -> list[Case]:
        """Make the reference with the default attention; ProbeFailure if its cache is wrong."""
        self._cases = build_cases(self.get(None), self._options["seed"])
        self._difference = check_cached(self.get(None), self._cases)
        return self._cases

    def about(self) -> dict[str, Any]:
        """Return what to record of the model."""
        return {"cache": type(self.get(None).decoder.cache).__name__, "max_abs_diff": self._difference}

    def export(self, variant: RequestedVariant, folder: Path) -> None:
        """Leave the graphs of the variant in `folder`."""
        shared = folder.parent / ".graphs"
        exporter = model_exporter(variant.exporter)
        if exporter is not None:
            place_graphs(self._files_of(exporter, variant, shared), folder)
            return
        layout = LAYOUTS[variant.layout]
        layout.build(self._graphs_of(variant, layout.roles, shared), folder)
        if variant.layout.startswith("merged"):
            first, later = (self.requests(variant.attention)[role] for role in ("decoder", "decoder_with_past"))
            variant.declare("decoder_merged", {*first.inputs, *later.inputs, SWITCH}, first.outputs)

    def get(self, attention: str | None) -> Any:
        """Return the model, checked against the reference; raises again what the first attempt raised."""
        return _remembered(self._models, attention, lambda: self._build(attention))

    def requests(self, attention: str | None) -> Mapping[str, GraphRequest]:
        """Return role → what an exporter receives."""
        model = self.get(attention)
        requests: Mapping[str, GraphRequest] = _remembered(
            self._requests, attention, lambda: {request.role: request for request in model.requests()}
        )
        return requests

    def _build(self, attention: str | None) -> Any:
        model = build(self._options, attention=attention)
        check_cached(model, self._cases)
        return model

    def _files_of(self, exporter: ModelExporter, variant: RequestedVariant, folder: Path) -> dict[str, Path]:
        """Return role → path of the variant's graphs, written by a model exporter; ProbeFailure if it did not write one."""
        exporter.require(variant.layout, variant.attention)
        name, opset = variant.exporter, variant.opset
        written: dict[str, Path] = _remembered(
            self._files, (name, opset), lambda: exporter.export(self.get(None).model, folder / f"{name}-{opset}", opset)
        )
        roles = exporter.roles[variant.layout]
        missing = [exporter.files[role] for role in roles if role not in written]
        if missing:
            names = ", ".join(path.name for path in written.values())
            raise ProbeFailure(f"{name} wrote no {', '.join(missing)}; it wrote {names}")
        for role in roles:
            variant.declare(role, None, ["last_hidden_state" if role == "encoder" else "logits"])
        return {role: written[role] for role in roles}

    def _graphs_of(self, variant: RequestedVariant, roles: Sequence[str], folder: Path) -> dict[str, Path]:
        """Return role → path of those graphs of `roles` that the model has, and add their findings to `variant`.

        Raises again what the first attempt at a graph raised: the variants share the failure too.
        """
        paths = {}
        for role, request in self.requests(variant.attention).items():
            if role not in roles:
                continue
            key = (variant.exporter, variant.opset, variant.attention, role)
            if key not in self._graphs:
                self._graphs[key] = _export(request, variant, folder / "-".join(map(str, key[:3])) / f"{role}.onnx")
            exported = self._graphs[key]
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
        export_graph(request, variant, path, findings)
    except Exception as exc:  # noqa: BLE001 - raised for every variant that needs the graph
        return Exported(path, findings, exc)
    return Exported(path, findings, None)


def _remembered(known: dict[Any, Any], key: Any, make: Callable[[], Any]) -> Any:
    """Return `known[key]`, made on first use. An exception is remembered too, and raised each time."""
    if key not in known:
        try:
            known[key] = make()
        except Exception as exc:  # noqa: BLE001 - raised below, now and each further time
            known[key] = exc
    if isinstance(known[key], Exception):
        raise known[key]
    return known[key]
