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
    joins: ClassVar[bool] = True

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


def inline(text: Text, *, in_table: bool = False) -> str:
    """A line, its pieces with their marks; all that anything else in it does is to show. Code between backticks stays code.

    Backticks that do not pair, or stand together, become quotes.
    """
    # Two pieces of code that touch are one.
    shown = " ".join("".join(map(_marked, spans(text))).replace("``", "").split())
    shown = _BEGINNING.sub(_inert, shown)
    return shown.replace("|", "\\|") if in_table else shown


def _marked(span: Span) -> str:
    match span.look:
        case Look.CODE:
            return code(span.text)
        case Look.STRONG:
            return f"**{_shown(span.text)}**"
        case Look.EMPHASIS:
            return f"*{_shown(span.text)}*"
        case Look.QUOTED:
            return _shown(span.text.replace("`", "'"))
        case Look.PLAIN:
            return _shown(span.text)


def _shown(text: str) -> str:
    parts = _BACKTICKS.sub("'", visible(text)).split("`")
    if len(parts) % 2 == 0:
        parts = ["'".join(parts)]
    return "".join(code(part) if place % 2 else _escaped(part) for place, part in enumerate(parts))


def _escaped(text: str) -> str:
    """`text` without backticks. A word that GitHub would make something else of is code, since nothing else stops that."""
    if not _LINKED.search(text):
        return _MARKUP.sub(_inert, text)
    return _WORD.sub(lambda word: f"`{word[0]}`" if _LINKED.search(word[0]) else _MARKUP.sub(_inert, word[0]), text)


def table(header: Sequence[str], rows: Sequence[Sequence[Text]]) -> str:
    """A GitHub table; versions stay text (2.10 is not 2.1)."""
    escaped = [[inline(entry, in_table=True) for entry in row] for row in rows]
    names = [inline(name, in_table=True) for name in header]
    return tabulate(escaped, headers=names, tablefmt="github", disable_numparse=True)


def code(text: str) -> str:
    """`text` as code on one line."""
    return f"`{line(text).replace('`', chr(39))}`"


_BACKTICKS = re.compile("`{2,}")
_WORD = re.compile(r"\S+")
_MARKUP = re.compile(r"\\(?=[!-/:-@\[-`{-~]|$)|<(?=[A-Za-z/!?])|[\[*]|(?<![^\W_])_|_(?![^\W_])|&(?=#?[A-Za-z0-9]+;)|~(?!=)")
"""What Markdown, or HTML in it, gives a meaning to: escapes, tags, links and images, emphasis, entities."""
_BEGINNING = re.compile(r"^(?:>|#{1,6}(?=\s|$)|[-+](?=[\s-]|$)|=+$|[0-9]+(?=[.)](?:\s|$)))")
"""How a block begins."""
_LINKED = re.compile(r"://|\bwww\.|\b(?:mailto|xmpp):|@\w|#[0-9]|\bGH-[0-9]|\$|:(?![0-9]{1,2}(?:[+-][0-9]{2})?:)[\w+-]+:")
"""What GitHub makes links, mentions, formulas and pictures of (`:100:`), also behind a backslash."""


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
