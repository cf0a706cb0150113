"""A variant, as the functions of a probe module receive it."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from .findings import Findings, finding


class RequestedVariant:
    """One way to export and to run a model.

    `opset` and `ir_version` are integers, everything else is text. None means the default: `attention` of the model,
    `ir_version` as stamped. An export does not know `feedback`, `binding` and `strategy`: they are None there.
    """

    def __init__(self, request: Mapping[str, Any], findings: Findings) -> None:
        self.findings = findings
        self.id: str = request["id"]
        self.exporter: str = request["exporter"]
        self.opset: int = request["opset"]
        self.layout: str = request["layout"]
        self.attention: str | None = request.get("attention")
        self.ir_version: int | None = request.get("ir_version")
        self.feedback: str | None = request.get("feedback")
        self.binding: str | None = request.get("binding")
        self.strategy: str | None = request.get("strategy")
        self.declared: dict[str, dict[str, list[str] | None]] = {}
        """Role → `inputs` and `outputs` that the exporter was asked for; see runtimes/graph_names.py."""

    def declare(self, role: str, inputs: Iterable[str] | None, outputs: Iterable[str]) -> None:
        """Record what the graph `role` must take and return; inputs None: the exporter chooses them."""
        self.declared[role] = {"inputs": None if inputs is None else sorted(inputs), "outputs": sorted(outputs)}

    def note(self, rule: str, message: str, where: str) -> None:
        """Add a finding, which is reported whatever becomes of the variant: see findings.py."""
        self.add([finding(rule, message, where)])

    def add(self, findings: Findings) -> None:
        """Add findings, each once."""
        self.findings.extend(found for found in findings if found not in self.findings)
