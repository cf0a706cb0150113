"""A page as rows for a spreadsheet or a data frame: of cells, a row for each variant."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from harness.foreign_text import line
from harness.matrix.selection import VARIANT_FIELDS
from harness.report.formats.interface import Format
from harness.report.page import Annotation, Block, Page, Section, Table, plain
from harness.verdicts.report_schema import ReportedCell

_CELL = ("cell", "cell_status", "python", "setup")
_RESULT = (
    "status", "stage", "cause", "certainty", "remedy", "error_type", "error", "reason", "signature", "ir", "max_abs_diff",
    "seconds", "peak_memory", "log",
)  # fmt: skip
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
        yield from _variants(page.cells)
    elif page.annotations:
        yield from _annotations(page.annotations)
    elif table := next(_tables(page.blocks), None):
        yield table.header
        # A short row ends with an entry about all of it.
        yield from ([*map(plain, row), *[None] * (len(table.header) - len(row))] for row in table.rows)
    else:
        yield from (["answer"], [plain(page.title)])


def _variants(cells: Sequence[ReportedCell]) -> Iterator[Row]:
    """The header, and a row for each variant."""
    axes = list(dict.fromkeys(name for cell in cells for name in cell.pins))
    taken = {*_CELL, *VARIANT_FIELDS, *_RESULT}
    yield [*_CELL, *(f"axis {axis}" if axis in taken else axis for axis in axes), *VARIANT_FIELDS, *_RESULT]
    for cell in cells:
        held = [cell.id, cell.status, cell.python, cell.setup, *map(cell.version, axes)]
        for variant in cell.variants:
            yield [*held, *(getattr(variant, name) for name in (*VARIANT_FIELDS, *_RESULT))]


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
