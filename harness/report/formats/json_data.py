"""A page for programs: its data alone."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from pydantic_core import to_json, to_jsonable_python

from harness.foreign_text import escaped_json
from harness.report.formats.interface import Format
from harness.report.page import Page


class JsonFormat(Format):
    """The data of a page as JSON; of the report this is matrix.json."""

    suffix: ClassVar[str | None] = "json"

    def render(self, page: Page[Any]) -> str:
        """JSON text, indented by one; NaN and infinity are null."""
        try:
            text = to_json(page.data, indent=1, inf_nan_mode="null").decode()
        except ValueError:  # halves of surrogate pairs, which no UTF-8 has: messages name files that cannot be decoded
            text = json.dumps(to_jsonable_python(page.data, inf_nan_mode="null"), indent=1)
        return escaped_json(text) + "\n"
