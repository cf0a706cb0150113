"""A format that somebody has added: this file, and a line in FORMATS."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.report.formats.interface import Format
from harness.report.page import Page, plain


class ToyFormat(Format):
    suffix: ClassVar[str | None] = "toy"

    def render(self, page: Page[Any]) -> str:
        return f"{type(page.source).__name__}: {plain(page.title)}\n"


class BytesFormat(Format):
    def render(self, page: Page[Any]) -> bytes:
        return b"\xff" + plain(page.title).encode()
