"""Selection expressions: `onnxruntime==1.16.3`, `torch>=2.4,transformers<5`, `exporter=torchscript`.

Comma is *and*; a list of expressions is *or*. A part that starts with an operator goes on with the name before it
(`torch>=2.4,<2.6`). Names are axes with PEP 440 bounds or `=absent` or `!=absent`, or fields of a variant, `setup` (also:
`environment`) or `id` with `=` and a value in which `*` stands for anything. The same reader serves `--select`, `--exclude`,
constraints and `[variants] require`.

An axis may have the name of a field, except of one with numbers: then bounds, and `==` with a version, mean the axis.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.errors import SelectionError, did_you_mean
from harness.model import ABSENT, Cell, Variant
from harness.packaging_values import distribution_name, quoted, specifier_set, within

VARIANT_FIELDS = tuple(field.name for field in fields(Variant))
"""The fields of a variant, in their order."""

NUMBERED = frozenset({"opset", "ir_version"})
"""The fields of a variant that are numbers."""

_CELL_FIELDS = ("setup", "environment", "id")
_FIELDS = (*VARIANT_FIELDS, *_CELL_FIELDS)
_PART = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*?)\s*(?P<bounds>(===|[=!<>~]=|[<>=]).+)$")


_PRESENCE = re.compile(rf"(?P<operator>==?|!=)\s*{ABSENT}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Expression:
    """A conjunction: bounds per axis and patterns per field."""

    text: str
    bounds: tuple[tuple[str, SpecifierSet], ...]
    patterns: tuple[tuple[str, str], ...]
    absent: tuple[tuple[str, bool], ...] = ()
    """(axis, whether it must be absent, or else present)"""

    @property
    def axes(self) -> frozenset[str]:
        """The axes it names."""
        return self.present | {name for name, absent in self.absent if absent}

    @property
    def present(self) -> frozenset[str]:
        """The axes that a cell must have."""
        return frozenset([*(name for name, _ in self.bounds), *(name for name, absent in self.absent if not absent)])

    def admits(self, cell: Cell | None, variant: Variant | None = None) -> bool:
        """Whether `cell` and `variant` satisfy every part; a part about a cell or variant that is not given passes."""
        if cell is not None:
            for axis, bounds in self.bounds:
                version = cell.version(axis)
                if version is None or not within(version, bounds):
                    return False
            if any((cell.version(axis) is None) is not absent for axis, absent in self.absent):
                return False
        return all(self._matches(name, pattern, cell, variant) for name, pattern in self.patterns)

    @staticmethod
    def _matches(name: str, pattern: str, cell: Cell | None, variant: Variant | None) -> bool:
        if name in _CELL_FIELDS:
            return cell is None or fnmatchcase(_of_cell(cell, name), pattern)
        return variant is None or fnmatchcase(value_of(variant, name), pattern)

    def require_known(self, cells: Sequence[Cell], variants: Sequence[Variant]) -> None:
        """Raise SelectionError if a part holds for no cell and no variant: it is a typing error."""
        for axis, bounds in self.bounds:
            versions = {version for cell in cells if (version := cell.version(axis))}
            if not any(within(version, bounds) for version in versions):
                listed = ", ".join(sorted(versions, key=Version))
                raise SelectionError(f"the selection {self.text!r}: no {axis} satisfies {bounds}; there are {listed}")
        for axis, absent in self.absent:
            if all((cell.version(axis) is None) is not absent for cell in cells):
                raise SelectionError(
                    f"the selection {self.text!r}: {axis} is {'absent in no' if absent else 'absent in every'} cell"
                )
        for name, pattern in self.patterns:
            if name in _CELL_FIELDS:
                values = {_of_cell(cell, name) for cell in cells}
            else:
                values = {value_of(variant, name) for variant in variants}
            if not any(fnmatchcase(value, pattern) for value in values):
                raise SelectionError(f"the selection {self.text!r}: no {name} is {pattern!r}{did_you_mean(pattern, values)}")


def _of_cell(cell: Cell, field: str) -> str:
    return cell.id if field == "id" else cell.setup.value


def value_of(variant: object, field: str) -> str:
    """The value of a field of a variant, planned or reported, as matrix.toml writes it."""
    value = getattr(variant, field)
    return "stamped" if value is None else str(value)


def parse(text: str) -> Expression:
    """Read one expression.

    Raises:
        SelectionError: it does not follow the grammar above.
    """
    bounds: dict[str, str] = {}
    patterns: list[tuple[str, str]] = []
    absent: list[tuple[str, bool]] = []
    last = ""
    for raw in text.split(","):
        part = raw.strip()
        if last and re.match(r"^[=!<>~]", part):
            rest = part
        else:
            match = _PART.match(part)
            if not match:
                raise SelectionError(
                    f"cannot read {quoted(part)} in the selection {quoted(text)}; "
                    "expected parts such as 'torch>=2.4' or 'exporter=torchscript'"
                )
            name, rest = match["name"], match["bounds"]
            if (field := name.replace("-", "_")) in _FIELDS and not _means_axis(field, rest):
                value = re.match(r"^==?\s*([^=\s].*)$", rest)
                if not value:
                    raise SelectionError(f"cannot read {part!r} in the selection {text!r}; {name} takes '=' and a value")
                patterns.append((field, value[1]))
                last = ""
                continue
            last = _axis(name, text)
        if presence := _PRESENCE.fullmatch(rest):
            absent.append((last, presence["operator"] != "!="))
            continue
        rest = f"={rest}" if re.match(r"^=[^=]", rest) else rest
        bounds[last] = f"{bounds[last]},{rest}" if last in bounds else rest
    try:
        read = tuple((axis, specifier_set(spec)) for axis, spec in bounds.items())
    except ValueError as error:
        raise SelectionError(f"cannot read the selection {quoted(text)}: {error}") from None
    return Expression(text=text, bounds=read, patterns=tuple(patterns), absent=tuple(absent))


def _means_axis(field: str, rest: str) -> bool:
    """Whether a part that has the name of a field is about an axis of that name: `binding==1.0`, `binding=absent`."""
    if _PRESENCE.fullmatch(rest):
        return True
    try:
        return field not in NUMBERED and not re.match(r"^=[^=]", rest) and bool(specifier_set(rest))
    except ValueError:
        return False


def _axis(name: str, text: str) -> str:
    try:
        return distribution_name(name)
    except ValueError as error:
        raise SelectionError(f"cannot read the selection {quoted(text)}: {error}") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The expressions of `--select` and `--exclude`."""

    select: tuple[Expression, ...] = ()
    exclude: tuple[Expression, ...] = ()

    @classmethod
    def of(cls, select: Sequence[str] = (), exclude: Sequence[str] = (), *, axes: Sequence[str]) -> Selection:
        """Read the expressions; every axis they name must be one of `axes`."""
        selection = cls(select=tuple(map(parse, select)), exclude=tuple(map(parse, exclude)))
        for expression in (*selection.select, *selection.exclude):
            for axis in sorted(expression.axes - set(axes)):
                raise SelectionError(
                    f"the selection {expression.text!r} names {axis!r}, which is no axis; expected one of {', '.join(axes)}"
                )
        return selection

    def require_known(self, cells: Sequence[Cell], variants: Sequence[Variant]) -> None:
        """Raise SelectionError if a part of an expression holds for no cell and no variant."""
        for expression in (*self.select, *self.exclude):
            expression.require_known(cells, variants)

    def may_admit(self, axis: str, version: str) -> bool:
        """Whether a cell with `version` on `axis` may be selected, as far as bounds on that axis say."""
        selects = [[bounds for name, bounds in expression.bounds if name == axis] for expression in self.select]
        return not selects or any(all(within(version, bounds) for bounds in each) for each in selects)

    def admits(self, cell: Cell, variant: Variant) -> bool:
        """Whether this variant of this cell is selected."""
        if any(expression.admits(cell, variant) for expression in self.exclude):
            return False
        return not self.select or any(expression.admits(cell, variant) for expression in self.select)
