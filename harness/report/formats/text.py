"""A page on a terminal, in colours that every eye can tell apart; in a pipe, as plain text of any width."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, ClassVar

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text as RichText

from harness import invocation
from harness.foreign_text import visible
from harness.model import Status
from harness.report.formats.interface import Format
from harness.report.page import Block, Example, Items, Look, Page, Paragraph, Quote, Section, Table, Text, plain, spans

# Bluish green, sky blue, vermilion, reddish purple, orange: Okabe & Ito, "Color Universal Design" (2008).
STYLES = {
    Status.WORKS: "#009E73",
    Status.WORKS_WITH_REMEDY: "#56B4E9",
    Status.FAILS: "bold #D55E00",
    Status.FLAKY: "#CC79A7",
    Status.ERROR: "reverse #E69F00",
    Status.NOT_RUN: "dim",
}

_LOOKS = {Look.STRONG: "bold", Look.EMPHASIS: "italic"}
_INDENT = 2
_UNLIMITED = 100_000
"""Columns of a line that is never wrapped."""


class TextFormat(Format):
    """Without the sections that are marked as details. The summary is last, where a terminal still shows it."""

    joins: ClassVar[bool] = True

    def render(self, page: Page[Any]) -> str:
        """Plain text, without colours and of any width."""
        file = io.StringIO()
        self.show(page, Console(file=file, width=_UNLIMITED, highlight=False, markup=False, emoji=False))
        return visible(file.getvalue())

    def show(self, page: Page[Any], out: Console) -> None:
        """Print `page`, as wide as `out` is."""
        out.print(styled(page.title, "bold"), soft_wrap=True)
        _Printer(out, page.options).blocks(page.blocks)
        if page.summary:
            out.print()
            out.print(styled(page.summary, "bold"), soft_wrap=True)


def styled(text: Text, style: str = "") -> RichText:
    """A line in its colours."""
    made = RichText(style=style)
    for span in spans(text):
        made.append(span.text, STYLES[span.status] if span.status else _LOOKS.get(span.look, ""))
    return made


class _Printer:
    """Prints blocks on a console."""

    def __init__(self, out: Console, options: str) -> None:
        self._out = out
        self._options = options

    def blocks(self, blocks: Sequence[Block], indent: int = 0) -> None:
        """Print `blocks`, lists and messages further to the right than paragraphs."""
        for block in blocks:
            match block:
                case Section(detail=True):
                    pass
                case Section():
                    self._out.print()
                    self._line(styled(block.title, "bold"), 0)
                    self.blocks(block.blocks)
                case Paragraph() if indent:
                    self._line(styled(block.text), indent + _INDENT)
                case Paragraph():
                    self._out.print(styled(block.text))
                case Table(records=True):
                    self._records(block)
                case Table():
                    self._out.print(_table(block))
                case Quote():
                    for line in block.text.splitlines():
                        self._line(RichText(line.rstrip()), indent + _INDENT)
                case Example():
                    command = invocation.command("explain", f"{block.cell}{self._options}")
                    self._line(RichText(command, "dim"), indent + _INDENT)
                case Items():
                    for item in block.items:
                        self._line(styled(item.text), indent + _INDENT)
                        self.blocks(item.blocks, indent + _INDENT)

    def _line(self, line: RichText, indent: int) -> None:
        """A line that the terminal wraps, so that a command or a path can be copied whole."""
        self._out.print(_indented(line, indent), soft_wrap=True)

    def _records(self, table: Table) -> None:
        """The first entry of each row, and the others below it with the names of their columns."""
        for first, *others in table.rows:
            self._line(styled(first), _INDENT)
            for name, entry in zip(table.header[1:], others, strict=False):
                if plain(entry):
                    self._line(RichText.assemble(f"{name}: ", styled(entry)), 2 * _INDENT)


def _indented(line: RichText, indent: int) -> RichText:
    return RichText.assemble(" " * indent, line) if indent else line


def _table(table: Table) -> RichTable:
    made = RichTable(header_style="bold")
    for number, name in enumerate(table.header):
        entries = [row[number] for row in table.rows if len(row) == len(table.header)]
        # Code is copied, so it is not wrapped; if even that does not fit, nothing is cut.
        copied = bool(entries) and all(span.look is Look.CODE for entry in entries for span in spans(entry))
        made.add_column(name, overflow="fold", no_wrap=copied)
    for row in table.rows:
        # The entry about a whole row stands in the last column, which is the widest.
        missing = ["-"] * (len(table.header) - len(row))
        made.add_row(*(_entry(entry) for entry in [*row[:-1], *missing, row[-1]]))
    return made


def _entry(text: Text) -> RichText:
    entry = styled(text)
    entry.overflow, entry.no_wrap = "fold", False
    return entry
