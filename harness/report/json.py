"""reports/matrix.json, and the JSON Schema that goes with it."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from harness.report.contract import ADAPTER, Report


def dumps(report: Report) -> str:
    """The report as JSON text."""
    return ADAPTER.dump_json(report, indent=1).decode() + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of matrix.json."""
    adapter: TypeAdapter[Report] = ADAPTER
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **adapter.json_schema(mode="serialization")}
