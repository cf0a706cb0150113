"""Where commands print: pages in a format, on consoles that take no text for markup and make foreign text visible."""

from __future__ import annotations

import copy
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from harness.foreign_text import visible
from harness.report.formats import format_named
from harness.report.page import Page


def show(page: Page[Any], format_name: str, out: Console) -> None:
    """Write `page` to stdout in a format, and to the files that the environment names for it (a job summary)."""
    chosen = format_named(format_name)
    chosen.show(page, out)
    for variable, other in chosen.appended.items():
        if path := os.environ.get(variable):
            content = other().render(page)
            try:
                with Path(path).open("ab") as file:
                    file.write(content if isinstance(content, bytes) else content.encode())
            except OSError as error:  # the answer has been given: nothing but the copy is missing
                text = f"{variable} cannot be written: {error}"
                console(color="auto", stderr=True).print(text, soft_wrap=True, style="dim")


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
    """Makes everything that a console prints visible."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Shown(_whole(renderable)) for renderable in renderables]


def _whole(renderable: Any) -> Any:
    """Texts, and the texts of a table, are made visible before they are wrapped: a URL in two pieces is not recognized."""
    match renderable:
        case str():
            return visible(renderable)
        case Text():
            return _text(renderable)
        case Table():
            table = copy.copy(renderable)
            table.title, table.caption = _whole(renderable.title), _whole(renderable.caption)
            table.columns = [
                replace(
                    column, header=_whole(column.header), footer=_whole(column.footer), _cells=list(map(_whole, column.cells))
                )
                for column in renderable.columns
            ]
            return table
        case _:
            return renderable


def _text(text: Text) -> Text:
    shown = visible(text.plain)
    if shown == text.plain:
        return text
    return Text(shown, style=text.style, justify=text.justify, overflow=text.overflow, no_wrap=text.no_wrap, end=text.end)


class _Shown:
    """A renderable whose pieces are made visible."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for piece in console.render(self._inner, options):
            yield piece if piece.control else Segment(visible(piece.text), piece.style)
