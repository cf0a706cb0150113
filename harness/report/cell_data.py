"""What the script of the page needs: the values that it filters by, and the blocks that explain each cell.

    nodes     texts, and lists of places in this very list: equal texts and blocks stand once
    filters   [name, values, kind]; kind is cell, variant or end
    variants  unique combinations of what the filters of variants and ends know: a place in each list of values, or -1
    sets      unique lists of variants
    cells     [id, title, places in the values of the filters of cells, set, blocks], in the order of the heat map
    looks     status → class of the style sheet
    letters   class → letter

A text is a list of pieces: a text, or [look, class, text]. A block is a list that begins with its kind (`_block`). Foreign
text is made visible here, and the script writes text only.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Sequence
from typing import Any

from harness.foreign_text import visible
from harness.matrix.plan import by_version
from harness.matrix.selection import VARIANT_FIELDS, value_of
from harness.model import Stage, Status
from harness.report.heat_map import LOOKS, Shade, look, panels, shade
from harness.report.page import Block, Item, Items, Look, Paragraph, Quote, Section, Span, Table, Text, marked
from harness.report.pages.explain_published import ReportExplained, versions
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant

CELL, VARIANT, END = "cell", "variant", "end"
_ENDS = ("status", "stage", "cause")


def packed(report: Report, options: str = "") -> str:
    """The data as JSON, compressed, in base64; `options` are those with which another command means the same matrix."""
    text = json.dumps(_data(report, options), separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _data(report: Report, options: str) -> dict[str, Any]:
    nodes, explained = _Nodes(), ReportExplained(report, options)
    variants, sets = _Texts(), _Texts()
    of_cell, of_variant = _cell_filters(report), _variant_filters(report)
    cells = []
    for cell in (cell for panel in panels(report) for cell in panel.cells):
        keys = [variants.place(tuple(_index(values, _of(held, name)) for name, values in of_variant)) for held in cell.variants]
        cells.append(
            [
                nodes.text(cell.id),
                nodes.text(versions(cell)),
                [_index(values, _of_cell(cell, name)) for name, values in of_cell],
                sets.place(tuple(keys)),
                nodes.blocks(explained.blocks(cell)),
            ]
        )
    filters = [(name, values, CELL) for name, values in of_cell]
    filters += [(name, values, END if name in _ENDS else VARIANT) for name, values in of_variant]
    return {
        "filters": [[name, list(map(visible, values)), kind] for name, values, kind in filters],
        "variants": variants.rows,
        "sets": sets.rows,
        "cells": cells,
        "nodes": nodes.rows,
        "looks": {status: look(status).name for status in Status},
        "letters": {mark.name: mark.letter for mark in LOOKS.values()},
    }


_Filters = list[tuple[str, list[str]]]
"""(name, values in the order in which they are offered)."""


def _cell_filters(report: Report) -> _Filters:
    names = [*report.axes, "setup"]
    found = [(name, {_of_cell(cell, name) for cell in report.cells}) for name in names]
    made = [(name, sorted(values, key=by_version) if name in report.axes else sorted(values)) for name, values in found]
    shades = [kind.value for kind in Shade if kind in set(map(shade, report.cells))]
    return [("verdict", shades), *((name, values) for name, values in made if len(values) > 1)]


def _of_cell(cell: ReportedCell, name: str) -> str:
    match name:
        case "verdict":
            return shade(cell).value
        case "setup":
            return cell.setup.value
    return cell.version(name)


def _variant_filters(report: Report) -> _Filters:
    variants = [variant for cell in report.cells for variant in cell.variants]
    made: _Filters = []
    for name in VARIANT_FIELDS:
        values = {value_of(variant, name) for variant in variants}
        if len(values) > 1:
            made.append(
                (name, sorted(values, key=lambda value: (not value.isdigit(), int(value) if value.isdigit() else 0, value)))
            )
    ends: dict[str, Iterable[str]] = {"status": Status, "stage": Stage}
    ends["cause"] = sorted({variant.cause for variant in variants if variant.cause})
    for name, known in ends.items():
        present = {_of(variant, name) for variant in variants}
        made.append((name, [str(value) for value in known if value in present]))
    return made


def _of(variant: ReportedVariant, name: str) -> str | None:
    return getattr(variant, name) if name in _ENDS else value_of(variant, name)


def _index(values: Sequence[str], value: str | None) -> int:
    return values.index(value) if value in values else -1


class _Texts:
    """Unique rows."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._places: dict[Any, int] = {}

    def place(self, row: Any) -> int:
        """Where `row` stands."""
        if (place := self._places.get(row)) is None:
            place = self._places[row] = len(self.rows)
            self.rows.append(row)
        return place


class _Nodes(_Texts):
    """Texts and blocks."""

    def __init__(self) -> None:
        super().__init__()
        self._texts: dict[str, int] = {}
        self._lines: dict[str | Span, int] = {}
        self._quotes: dict[str, int] = {}

    def text(self, text: str) -> int:
        """A text, which is made visible."""
        if text not in self._texts:
            self._texts[text] = self.place(visible(text))
        return self._texts[text]

    def blocks(self, blocks: Iterable[Block]) -> int:
        """A list of blocks."""
        return self.place(tuple(map(self._block, blocks)))

    def _line(self, text: Text) -> int:
        if not isinstance(text, str | Span):
            return self._pieces(text)
        if text not in self._lines:
            self._lines[text] = self._pieces(text)
        return self._lines[text]

    def _pieces(self, text: Text) -> int:
        pieces = []
        for span in marked(text):
            plain = span.look is Look.PLAIN and span.status is None
            look = (self.text(span.look), self.text(span.status or ""), self.text(span.text))
            pieces.append(self.text(span.text) if plain else self.place(look))
        return self.place(tuple(pieces))

    def _block(self, block: Block) -> int:
        match block:
            case Section():
                kind = "details" if block.detail else "section"
                return self.place((self.text(kind), self._line(block.title), self.blocks(block.blocks)))
            case Paragraph():
                return self.place((self.text("p"), self._line(block.text)))
            case Quote():
                if block.text not in self._quotes:
                    self._quotes[block.text] = self.place(tuple(map(self.text, block.text.split("\n"))))
                return self.place((self.text("pre"), self._quotes[block.text]))
            case Items():
                return self.place((self.text("ul"), *map(self._item, block.items)))
            case Table():
                header = self.place(tuple(map(self._line, block.header)))
                return self.place(
                    (self.text("table"), header, *(self.place(tuple(map(self._line, row))) for row in block.rows))
                )
        raise TypeError(f"no explanation of a cell has {block!r}")

    def _item(self, item: Item) -> int:
        return self.place((self._line(item.text), self.blocks(item.blocks)))
