"""A page as rows for a spreadsheet or a data frame: of cells, a row for each variant."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from harness.foreign_text import line
from harness.report.formats.interface import Format
from harness.report.page import Annotation, Block, Page, Section, Table, plain
from harness.verdicts.flat_table import columns, rows_of

_ANNOTATION = ("status", "level", "subject", "rule", "text", "file", "line", "fingerprint")
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""How a formula begins, in a spreadsheet of any language."""

Row = Sequence[object]


class CsvFormat(Format):
    """RFC 4180 with line feeds. Texts are in quotes and numbers are not; what is unknown is empty."""

    def render(self, page: Page[Any]) -> str:
        """The variants of the cells; else the answers of a check; else the first table; else the answer alone."""
        out = io.StringIO()
        csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(
            [_entry(value) for value in row] for row in _rows(page)
        )
        return out.getvalue()


def _rows(page: Page[Any]) -> Iterator[Row]:
    if page.cells:
        yield list(columns(page.cells))
        yield from (list(row.values()) for row in rows_of(page.cells))
    elif page.annotations:
        yield from _annotations(page.annotations)
    elif table := next(_tables(page.blocks), None):
        yield table.header
        # A short row ends with an entry about all of it.
        yield from ([*map(plain, row), *[None] * (len(table.header) - len(row))] for row in table.rows)
    else:
        yield from (["answer"], [plain(page.title)])


def _annotations(annotations: Sequence[Annotation]) -> Iterator[Row]:
    yield _ANNOTATION
    yield from ([getattr(annotation, name) for name in _ANNOTATION] for annotation in annotations)


def _tables(blocks: Sequence[Block]) -> Iterator[Table]:
    for block in blocks:
        if isinstance(block, Table):
            yield block
        elif isinstance(block, Section):
            yield from _tables(block.blocks)


def _entry(value: object) -> object:
    """A value that only shows: text on one line, with an apostrophe before what would be a formula."""
    if not isinstance(value, str):
        return value
    text = line(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
