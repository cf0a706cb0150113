"""The page model: the answer of a command, made once, whatever the format in which it is shown.

A builder in `pages/` makes a `Page` out of a typed result; a format in `formats/` renders it. Pure data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from harness.model import Status
from harness.verdicts.report_schema import ReportedCell


class Look(StrEnum):
    """What a piece of text is; a format chooses how that looks."""

    PLAIN = "plain"
    """Text of the harness. What stands between backticks is code."""
    STRONG = "strong"
    """The same, but it stands out."""
    EMPHASIS = "emphasis"
    CODE = "code"
    """Something to copy: an id, a path, a command."""
    QUOTED = "quoted"
    """Words of somebody else inside a sentence: a backtick in them means nothing."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line."""

    text: str
    look: Look = Look.PLAIN
    status: Status | None = None
    """The status whose colour it has, where there are colours."""


Text = str | Span | Sequence[str | Span]
"""One line."""


def strong(text: str, status: Status | None = None) -> Span:
    """`text` that stands out."""
    return Span(text, Look.STRONG, status)


def code(text: str, status: Status | None = None) -> Span:
    """`text` to copy."""
    return Span(text, Look.CODE, status)


def joined(*pieces: str | Span) -> Sequence[str | Span]:
    """A line of several pieces."""
    return pieces


def spans(text: Text) -> list[Span]:
    """The pieces of a line."""
    pieces = [text] if isinstance(text, str | Span) else text
    return [Span(piece) if isinstance(piece, str) else piece for piece in pieces]


def marked(text: Text) -> list[Span]:
    """The pieces of a line, with code between backticks as pieces of their own; backticks that do not pair stay."""
    made: list[Span] = []
    for span in spans(text):
        parts = span.text.split("`")
        if span.look in {Look.PLAIN, Look.STRONG} and len(parts) > 1 and len(parts) % 2:
            made += [replace(span, text=part, look=Look.CODE if n % 2 else span.look) for n, part in enumerate(parts) if part]
        else:
            made.append(span)
    return made


def plain(text: Text) -> str:
    """The words of a line alone."""
    return "".join(span.text for span in spans(text))


@dataclass(frozen=True, kw_only=True, slots=True)
class Paragraph:
    """A sentence or several."""

    text: Text
    pictured: bool = False
    """As of a section."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """A message of somebody else, word for word; it may have several lines."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """Where to read on: a cell, and the log of its failure."""

    cell: str
    log: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows below a header. A row may be short: then its last entry is about the whole row."""

    header: Sequence[str]
    rows: Sequence[Sequence[Text]]
    records: bool = False
    """Each row makes sense alone, so that a narrow medium may show it as a line with details below."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """An entry of a list, and what belongs to it."""

    text: Text
    blocks: Sequence[Block] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Items:
    """A list."""

    items: Sequence[Item]


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Blocks below a heading."""

    title: Text
    blocks: Sequence[Block]
    detail: bool = False
    """A narrow medium may leave it out: everything that follows from it also stands elsewhere."""
    pictured: bool = False
    """A format that draws the cells, what to pin and the rules from `source` leaves it out."""


Block = Paragraph | Quote | Example | Table | Items | Section


def items(*lines: Text | Item) -> Items:
    """A list of lines, or of entries that have more than a line."""
    return Items(items=[line if isinstance(line, Item) else Item(text=line) for line in lines])


def lines(listing: Items, indent: str = "") -> Iterator[str]:
    """The lines of a list, with those of the lists inside its entries, indented."""
    for item in listing.items:
        yield indent + plain(item.text)
        for block in item.blocks:
            if isinstance(block, Items):
                yield from lines(block, f"{indent}    ")


UNKNOWN = "unknown"
"""The rule of an annotation about what could not be found out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotation:
    """A remark that a code host shows beside a change, or an answer that a program counts."""

    level: Literal["notice", "warning", "error"]
    title: str
    text: str
    file: str | None = None
    """Where it belongs, relative to the current folder, with slashes (see `Place`)."""
    line: int | None = None
    subject: str = ""
    """What it is about, in a few words: `transformers 4.46.3 → 5.23.0`."""
    status: Status | None = None
    """How that came out; None for a remark about the page as a whole."""
    rule: str = ""
    """The kind of problem: the stage that failed, or `UNKNOWN`; empty where there is none."""
    fingerprint: str = ""
    """Equal for the same problem in another run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCount:
    """What a run of the matrix came to, in numbers."""

    time: str
    """When it ended, ISO 8601."""
    works: int
    """The cells that work by themselves."""
    cells: int


Source = TypeVar("Source")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[Source]):
    """The answer of a command."""

    title: Text
    """The answer in a line, or what the page is about."""
    blocks: Sequence[Block] = ()
    summary: Text = ""
    """What a reader should see last, if the title is not the answer."""
    data: Any
    """The answer for programs: JSON values, dataclasses, enumerations and dates."""
    annotations: Sequence[Annotation] = ()
    cells: Sequence[ReportedCell] = ()
    """The cells that it is about, as matrix.json has them, for a format that lists them."""
    source: Source
    """The typed result that the page was made of, for a format that shows something else of it."""
    answer: str = ""
    """The answer in a word or so, where the title says more or something else."""
    options: str = ""
    """The options with which another command means the same matrix and store, as text: ` --config my.toml`."""
    trend: Sequence[RunCount] = ()
    """The runs up to this report, the oldest first, for a format that draws how they went; empty if no earlier one is known."""
