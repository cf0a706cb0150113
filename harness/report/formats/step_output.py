"""The answer of a page as an output of a step on GitHub, `steps.check.outputs.answer`. It is no choice of `--format`."""

from __future__ import annotations

from typing import Any

from harness.foreign_text import line
from harness.report.formats.interface import Format
from harness.report.page import Page, plain


class StepOutput(Format):
    """One line, `answer=…`, as GITHUB_OUTPUT takes it."""

    def render(self, page: Page[Any]) -> str:
        """The short answer of the page, or its title."""
        return f"answer={line(page.answer or plain(page.title))}\n"
