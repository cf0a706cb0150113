"""A page as annotations of a workflow on GitHub, in the summary of its job, and as an output of its step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from harness.foreign_text import visible
from harness.report.formats.interface import Format
from harness.report.formats.markdown import MarkdownFormat
from harness.report.formats.step_output import StepOutput
from harness.report.page import Annotation, Block, Page, Paragraph, Section, plain

_ANNOTATIONS = 10
"""GitHub shows 10 annotations of a kind for a step, and drops further ones without a word."""
_SUMMARY = 1_000_000
"""Bytes of a job summary. GitHub takes 1 MiB from a step, and nothing at all of a longer one."""
_NOTE = 4_000
"""Bytes for the sentence about what a summary leaves out."""
_NAMED = 10
"""Sections that this sentence names."""


class JobSummary(MarkdownFormat):
    """A page in Markdown, within the limit of GitHub."""

    def render(self, page: Page[Any]) -> str:
        """The whole page, or as many of its blocks as there is room for, in their order and each of them whole."""
        if self._size(page) < _SUMMARY:
            return super().render(page)
        kept, left = list[Block](), list[Block]()
        room = _SUMMARY - _NOTE - self._size(replace(page, blocks=()))
        for block in page.blocks:
            size = self._size(replace(page, title="", blocks=[block]))
            (kept if size < room else left).append(block)
            room -= size if size < room else 0
        return super().render(replace(page, blocks=[_left_out(left), *kept]))

    def _size(self, page: Page[Any]) -> int:
        return len(super().render(page).encode())


def _left_out(blocks: Sequence[Block]) -> Paragraph:
    """What a summary leaves out, and where it stands."""
    titles = [plain(block.title)[:100] for block in blocks if isinstance(block, Section)]
    counts = {"section": len(titles[_NAMED:]), "table or list": len(blocks) - len(titles)}
    more = [f"{count} more {noun}{'' if count == 1 else 's'}" for noun, count in counts.items() if count]
    left = f"A job summary has room for 1 MB. Left out here: {'; '.join([*titles[:_NAMED], *more])}. "
    where = "All of it is what the same command prints with `--format markdown`, and of a report also `matrix.md`."
    return Paragraph(text=left + where)


class GithubFormat(Format):
    """Workflow commands: the annotations of a page, or one notice if it has none."""

    joins: ClassVar[bool] = True
    appended: ClassVar[Mapping[str, type[Format]]] = {"GITHUB_STEP_SUMMARY": JobSummary, "GITHUB_OUTPUT": StepOutput}

    def render(self, page: Page[Any]) -> str:
        """One line for each annotation; if there are too many, the last line says how many are left out."""
        answer = "\n".join(filter(None, [plain(page.title), plain(page.summary)]))
        annotations = page.annotations or [Annotation(level="notice", title="export-matrix", text=answer)]
        if (left := len(annotations) - _ANNOTATIONS) > 0:
            text = f"{left + 1} more annotations are left out here; the job summary has all of it"
            annotations = [
                *annotations[: _ANNOTATIONS - 1],
                Annotation(level="notice", title="export-matrix", text=text),
            ]
        return "".join(map(_command, annotations))


def _command(annotation: Annotation) -> str:
    place = {"file": annotation.file, "line": annotation.line, "title": annotation.title}
    properties = ",".join(f"{name}={_property(str(value))}" for name, value in place.items() if value is not None)
    return f"::{annotation.level} {properties}::{_data(visible(annotation.text))}\n"


def _property(text: str) -> str:
    return _data(visible(text)).replace(":", "%3A").replace(",", "%2C")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
