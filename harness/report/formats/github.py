"""A page as annotations of a workflow on GitHub, in the summary of its job, and as an output of its step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.foreign_text import visible
from harness.report.formats.interface import Format
from harness.report.formats.markdown import MarkdownFormat
from harness.report.formats.step_output import StepOutput
from harness.report.page import Annotation, Page, plain


class GithubFormat(Format):
    """Workflow commands: the annotations of a page, or one notice if it has none."""

    appended: ClassVar[Mapping[str, type[Format]]] = {"GITHUB_STEP_SUMMARY": MarkdownFormat, "GITHUB_OUTPUT": StepOutput}

    def render(self, page: Page[Any]) -> str:
        """One line for each annotation."""
        answer = "\n".join(filter(None, [plain(page.title), plain(page.summary)]))
        annotations = page.annotations or [Annotation(level="notice", title="export-matrix", text=answer)]
        return "".join(map(_command, annotations))


def _command(annotation: Annotation) -> str:
    title, text = visible(annotation.title), visible(annotation.text)
    return f"::{annotation.level} title={_data(title).replace(':', '%3A').replace(',', '%2C')}::{_data(text)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
