"""A page as GitHub reads Markdown; of the report this is matrix.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import Any, ClassVar

from tabulate import tabulate

from harness.foreign_text import line, visible
from harness.report.formats.interface import Format
from harness.report.page import (
    Block,
    Example,
    Item,
    Items,
    Look,
    Page,
    Paragraph,
    Quote,
    Section,
    Span,
    Table,
    Text,
    joined,
    spans,
)


class MarkdownFormat(Format):
    """All blocks, one after the other."""

    suffix: ClassVar[str | None] = "md"

    def render(self, page: Page[Any]) -> str:
        """The whole page."""
        return "\n".join([f"# {inline(page.title)}", "", *_lines(page.blocks)])


def _lines(blocks: Sequence[Block]) -> list[str]:
    return list(chain.from_iterable(map(_block, blocks)))


def _block(block: Block) -> list[str]:
    """The lines of a block, and an empty one."""
    match block:
        case Section():
            return [f"## {inline(block.title)}", "", *_lines(block.blocks)]
        case Paragraph():
            return [inline(block.text), ""]
        case Table():
            return [table(block.header, block.rows), ""]
        case Items():
            return [*chain.from_iterable(_item(item, tight=_is_tight(block)) for item in block.items), ""]
        case Example():
            log = joined("; in full in ", Span(block.log, Look.CODE)) if block.log else ()
            return [inline(joined("for example ", Span(block.cell, Look.CODE), *log)), ""]
        case Quote():
            return _quote(block.text)


def _is_tight(block: Items) -> bool:
    """Whether nothing but further lists stands below the entries of a list."""
    return all(isinstance(inner, Items) for item in block.items for inner in item.blocks)


def _item(item: Item, *, tight: bool) -> list[str]:
    inner = [line for line in _lines(item.blocks) if line or not tight]
    return [f"- {inline(item.text)}", *([] if tight else [""]), *(f"  {line}" if line else "" for line in inner)]


def _quote(text: str) -> list[str]:
    """A line is a quotation, several lines are preformatted."""
    shown = visible(text.strip("\n"))
    if "\n" not in shown:
        return [f"> {code(shown)}", ""]
    fence = "`" * max(3, *(len(ticks) + 1 for ticks in re.findall("`+", shown)), 0)
    return [f"{fence}text", *shown.split("\n"), fence, ""]


def inline(text: Text) -> str:
    """A line, its pieces with their marks."""
    return escape("".join(map(_marked, spans(text))))


def _marked(span: Span) -> str:
    match span.look:
        case Look.CODE:
            return code(span.text)
        case Look.STRONG:
            return f"**{span.text}**"
        case Look.EMPHASIS:
            return f"*{span.text}*"
        case Look.QUOTED:
            return span.text.replace("`", "'")
        case Look.PLAIN:
            return span.text


def table(header: Sequence[str], rows: Sequence[Sequence[Text]]) -> str:
    """A GitHub table; versions stay text (2.10 is not 2.1)."""
    escaped = [[inline(entry) for entry in row] for row in rows]
    return tabulate(escaped, headers=[escape(name) for name in header], tablefmt="github", disable_numparse=True)


def escape(text: str) -> str:
    """`text` as it may stand inside a table cell, a list or a line: all that it does is to show.

    Code between single backticks stays code. Backticks that do not pair, or stand together, become quotes.
    """
    parts = _BACKTICKS.sub("'", line(text)).split("`")
    if len(parts) % 2 == 0:
        parts = ["'".join(parts)]
    return "`".join(part.replace("|", "\\|") if place % 2 else _MARKUP.sub(_inert, part) for place, part in enumerate(parts))


def code(text: str) -> str:
    """`text` as code on one line."""
    return f"`{line(text).replace('`', chr(39))}`"


_BACKTICKS = re.compile("`{2,}")
_MARKUP = re.compile(
    r"\\(?=[!-/:-@\[-`{-~]|$)|<(?=[A-Za-z/!?])|[\[|]|&(?=#?[A-Za-z0-9]+;)|~(?=~)|"
    r"^(?:>|#{1,6}(?=\s)|[-+*](?=\s)|[0-9]+(?=[.)]\s))"
)
"""What Markdown, or HTML in it, gives a meaning to: escapes, tags, links and images, entities, and how a block begins."""


def _inert(found: re.Match[str]) -> str:
    match found[0]:
        case "<":
            return "&lt;"
        case "&":
            return "&amp;"
        case number if number.isdigit():
            return f"&#{ord(number[0])};{number[1:]}"
        case mark:
            return f"\\{mark}"
