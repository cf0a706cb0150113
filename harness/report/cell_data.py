"""What the script of the page needs: the values that it filters by, and the blocks that explain each cell.

    nodes     texts, and lists of places in this very list: equal texts and blocks stand once
    filters   [name, values, kind]; kind is cell, variant or end
    variants  unique combinations of what the filters of variants and ends know: a place in each list of values, or -1; at
              the end 1 if the variant was not run, and a run would give a result
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
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from pydantic_core import to_json

from harness.execution.work import OPEN_REASONS
from harness.foreign_text import visible
from harness.matrix.plan import by_version
from harness.matrix.selection import VARIANT_FIELDS, value_of
from harness.model import Stage, Status
from harness.report.heat_map import LOOKS, Shade, look, panels, shade
from harness.report.page import Block, Item, Items, Look, Paragraph, Quote, Section, Table, Text, marked
from harness.report.pages.explain_published import ReportExplained, versions
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant

CELL, VARIANT, END = "cell", "variant", "end"
_ENDS = ("status", "stage", "cause")
_NAMES = frozenset({*VARIANT_FIELDS, *_ENDS, "verdict", "setup", "cell"})
"""What an address has besides axes; all its names are different."""
_AXIS = "axis "
_filtered = attrgetter(*VARIANT_FIELDS, *_ENDS)


def packed(report: Report, options: str = "") -> str:
    """The data as JSON, compressed, in base64; `options` are those with which another command means the same matrix."""
    # Level 6 takes half of the time of 9, and makes two percent more.
    return base64.b64encode(gzip.compress(to_json(_data(report, options)), 6, mtime=0)).decode()


def _data(report: Report, options: str) -> dict[str, Any]:
    nodes, explained = _Nodes(), ReportExplained(report, options)
    variants, sets = _Rows(), _Rows()
    shown = [cell for panel in panels(report) for cell in panel.cells]
    of_cell, of_variant = _cell_filters(report), _variant_filters(report)
    ended = {
        key: variants[*(_index(values, _of(held, name)) for name, values in of_variant), int(_open(held))]
        for key, held in _ended(shown).items()
    }
    cells = [
        [
            nodes.texts[cell.id],
            nodes.texts[versions(cell)],
            [_index(values, _of_cell(cell, name)) for name, values in of_cell],
            sets[tuple(ended[_end(held)] for held in cell.variants)],
            nodes.blocks(explained.blocks(cell)),
        ]
        for cell in shown
    ]
    filters = [(name, values, CELL) for name, values in of_cell]
    filters += [(name, values, END if name in _ENDS else VARIANT) for name, values in of_variant]
    return {
        "filters": [[name, list(map(visible, values)), kind] for name, values, kind in filters],
        "variants": variants.rows,
        "sets": sets.rows,
        "cells": cells,
        "nodes": nodes.places.rows,
        "looks": {status: look(status).name for status in Status},
        "letters": {mark.name: mark.letter for mark in LOOKS.values()},
    }


_Filters = list[tuple[str, list[str]]]
"""(name, values in the order in which they are offered)."""


def _cell_filters(report: Report) -> _Filters:
    """The filters of cells. An axis that has the name of something else in an address is `axis NAME`, as in a CSV file."""
    names = [f"{_AXIS}{axis}" if axis.replace("-", "_") in _NAMES else axis for axis in report.axes]
    found = [(name, {_of_cell(cell, name) for cell in report.cells}) for name in names]
    made = [(name, sorted(values, key=by_version)) for name, values in found]
    made.append(("setup", sorted({_of_cell(cell, "setup") for cell in report.cells})))
    shades = [kind.value for kind in Shade if kind in set(map(shade, report.cells))]
    return [("verdict", shades), *((name, values) for name, values in made if len(values) > 1)]


def _of_cell(cell: ReportedCell, name: str) -> str:
    match name:
        case "verdict":
            return shade(cell).value
        case "setup":
            return cell.setup.value
    return cell.version(name.removeprefix(_AXIS))


def _variant_filters(report: Report) -> _Filters:
    variants = _ended(report.cells).values()
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


def _ended(cells: Iterable[ReportedCell]) -> dict[tuple[Any, ...], ReportedVariant]:
    """What the filters know of a variant → one of which it is true; reports have a few hundred of them at most."""
    return {_end(variant): variant for cell in cells for variant in cell.variants}


def _end(variant: ReportedVariant) -> tuple[Any, ...]:
    return (*_filtered(variant), _open(variant))


def _open(variant: ReportedVariant) -> bool:
    """Whether it was not run, and does not let its cell fail (judge.py)."""
    return variant.status is Status.NOT_RUN and (variant.stage is Stage.RESOLVE or variant.reason in OPEN_REASONS)


def _of(variant: ReportedVariant, name: str) -> str | None:
    return getattr(variant, name) if name in _ENDS else value_of(variant, name)


def _index(values: Sequence[str], value: str | None) -> int:
    return values.index(value) if value in values else -1


class _Rows(dict[Any, int]):
    """Row → its place in `rows`, where each stands once."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Any] = []

    def __missing__(self, row: Any) -> int:
        place = self[row] = len(self.rows)
        self.rows.append(row)
        return place


class _Known(dict[Any, int]):
    """Value → the place that `find` has found for it."""

    def __init__(self, find: Callable[[Any], int]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, value: Any) -> int:
        place = self[value] = self._find(value)
        return place


class _Nodes:
    """Texts and blocks. Most of what a cell consists of has a place already, which a look-up finds without a call."""

    def __init__(self) -> None:
        self.places = _Rows()
        self.texts = _Known(lambda text: self.places[visible(text)])
        self._lines = _Known(self._line)
        self._quotes = _Known(lambda text: self.places[tuple(map(self.texts.__getitem__, text.split("\n")))])

    def blocks(self, blocks: Iterable[Block]) -> int:
        """A list of blocks."""
        return self.places[tuple(map(self._block, blocks))]

    def _text(self, text: Text) -> int:
        return self._lines[tuple(text) if isinstance(text, list) else text]

    def _line(self, text: Text) -> int:
        texts, pieces = self.texts, []
        for span in marked(text):
            plain = span.look is Look.PLAIN and span.status is None
            look = (texts[span.look], texts[span.status or ""], texts[span.text])
            pieces.append(texts[span.text] if plain else self.places[look])
        return self.places[tuple(pieces)]

    def _row(self, row: Iterable[Text]) -> int:
        return self.places[tuple(map(self._text, row))]

    def _block(self, block: Block) -> int:
        texts = self.texts
        match block:
            case Section():
                kind = "details" if block.detail else "section"
                return self.places[texts[kind], self._text(block.title), self.blocks(block.blocks)]
            case Paragraph():
                return self.places[texts["p"], self._text(block.text)]
            case Quote():
                quote = self._quotes[block.text]
                return self.places[texts["pre"], quote]
            case Items():
                return self.places[(texts["ul"], *map(self._item, block.items))]
            case Table():
                header = self._row(block.header)
                return self.places[(texts["table"], header, *map(self._row, block.rows))]
        raise TypeError(f"no explanation of a cell has {block!r}")

    def _item(self, item: Item) -> int:
        return self.places[self._text(item.text), self.blocks(item.blocks)]
