"""reports/matrix.json, and the JSON Schema that goes with it."""

from __future__ import annotations

import functools
import json
from typing import Any

from pydantic import TypeAdapter

from harness.foreign_text import escaped_json
from harness.verdicts.report_model import ADAPTER, Report


def dumps(report: Report) -> str:
    """The report as JSON text."""
    try:
        text = ADAPTER.dump_json(report, indent=1).decode()
    except ValueError:  # halves of surrogate pairs, which no UTF-8 has: messages name files that cannot be decoded
        text = json.dumps(ADAPTER.dump_python(report, mode="json"), indent=1)
    return escaped_json(text) + "\n"


@functools.cache
def schema() -> dict[str, Any]:
    """The JSON Schema of matrix.json."""
    adapter: TypeAdapter[Report] = ADAPTER
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **adapter.json_schema(mode="serialization")}
