"""The consoles that commands print to: no text is taken for markup, and what is foreign is made visible (foreign_text.py)."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from harness.foreign_text import visible


def console(*, color: str, stderr: bool) -> Console:
    """A console for stdout or stderr; `color` is auto, always or never."""
    forced = {"auto": None, "always": True, "never": False}[color]
    # Tables and messages in a file or a pipe keep the width they need.
    width = None if (sys.stderr if stderr else sys.stdout).isatty() else 100_000
    made = Console(
        stderr=stderr,
        force_terminal=forced,
        no_color=forced is False or None,
        width=width,
        soft_wrap=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    made.push_render_hook(_Visible())
    return made


class _Visible(RenderHook):
    """Stands before everything that a console prints, so that nobody who prints has to think of it."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Shown(_whole(one)) for one in renderables]


def _whole(one: Any) -> Any:
    """A text, and each of a table, is looked at before it is wrapped: a URL in two pieces is none."""
    match one:
        case str():
            return visible(one)
        case Text():
            return _text(one)
        case Table():
            table = copy.copy(one)
            table.title, table.caption = _whole(one.title), _whole(one.caption)
            table.columns = [
                replace(
                    column, header=_whole(column.header), footer=_whole(column.footer), _cells=list(map(_whole, column.cells))
                )
                for column in one.columns
            ]
            return table
        case _:
            return one


def _text(text: Text) -> Text:
    shown = visible(text.plain)
    if shown == text.plain:
        return text
    return Text(shown, style=text.style, justify=text.justify, overflow=text.overflow, no_wrap=text.no_wrap, end=text.end)


class _Shown:
    """A table, or whatever else is printed, each piece of it visible."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._pieces(console, options)

    def _pieces(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for piece in console.render(self._inner, options):
            yield piece if piece.control else Segment(visible(piece.text), piece.style)
