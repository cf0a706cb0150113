"""A page for programs: its data alone."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from pydantic_core import to_json, to_jsonable_python

from harness.foreign_text import escaped_json
from harness.report.formats.interface import Format
from harness.report.page import Page
from harness.verdicts.report_schema import ADAPTER, Report


class JsonFormat(Format):
    """The data of a page as JSON; of the report this is matrix.json."""

    suffix: ClassVar[str | None] = "json"

    def render(self, page: Page[Any]) -> str:
        """JSON text, indented by one; NaN and infinity are null."""
        try:
            text = _json(page.data).decode()
        except ValueError:  # halves of surrogate pairs, which no UTF-8 has: messages name files that cannot be decoded
            text = json.dumps(to_jsonable_python(page.data, inf_nan_mode="null"), indent=1)
        return escaped_json(text) + "\n"


def _json(data: Any) -> bytes:
    """`data`; the types of a report are known, so that nothing has to find out how to write each of its values."""
    return ADAPTER.dump_json(data, indent=1) if isinstance(data, Report) else to_json(data, indent=1, inf_nan_mode="null")
