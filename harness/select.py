"""Selection expressions: `onnxruntime==1.16.3`, `torch>=2.4,transformers<5`, `exporter=torchscript`.

Comma is *and*; a list of expressions is *or*. A part that starts with an operator goes on with the name before it
(`torch>=2.4,<2.6`). Names are axes with PEP 440 bounds, or fields of a variant, `environment` or `id` with a value in
which `*` stands for anything. The same reader serves `--select`, `--exclude`, constraints and `[variants] require`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from harness.errors import SelectionError
from harness.model import Cell, Variant

VARIANT_FIELDS = ("exporter", "opset", "layout", "feedback", "binding", "strategy", "attention", "ir_version")
"""What tells variants apart, in the order in which they are named."""

_FIELDS = (*VARIANT_FIELDS, "environment", "id")
_PART = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*?)\s*(?P<bounds>(===|[=!<>~]=|[<>=]).+)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Expression:
    """A conjunction: bounds per axis and patterns per field."""

    text: str
    bounds: tuple[tuple[str, SpecifierSet], ...]
    patterns: tuple[tuple[str, str], ...]

    @property
    def axes(self) -> frozenset[str]:
        """The axes it names."""
        return frozenset(name for name, _ in self.bounds)

    def admits(self, cell: Cell | None, variant: Variant | None = None) -> bool:
        """Whether `cell` and `variant` satisfy every part; parts about what is not given pass."""
        if cell is not None:
            for axis, bounds in self.bounds:
                version = cell.version(axis)
                if version is None or not bounds.contains(version, prereleases=True):
                    return False
        return all(self._matches(name, pattern, cell, variant) for name, pattern in self.patterns)

    @staticmethod
    def _matches(name: str, pattern: str, cell: Cell | None, variant: Variant | None) -> bool:
        match name:
            case "id":
                return cell is None or fnmatchcase(cell.id, pattern)
            case "environment":
                return cell is None or fnmatchcase(cell.setup, pattern)
            case _:
                return variant is None or fnmatchcase(str(getattr(variant, name)), pattern)


def parse(text: str) -> Expression:
    """Read one expression.

    Raises:
        SelectionError: it does not follow the grammar above.
    """
    bounds: dict[str, str] = {}
    patterns: list[tuple[str, str]] = []
    last = ""
    for raw in text.split(","):
        part = raw.strip()
        if last and re.match(r"^[=!<>~]", part):
            bounds[last] += f",{part}"
            continue
        match = _PART.match(part)
        if not match:
            raise SelectionError(
                f"cannot read {part!r} in the selection {text!r}; expected parts such as 'torch>=2.4' or 'exporter=torchscript'"
            )
        name, rest = match["name"], match["bounds"]
        if name in _FIELDS:
            patterns.append((name, rest.lstrip("=").strip()))
            last = ""
            continue
        last = canonicalize_name(name)
        rest = f"={rest}" if re.match(r"^=[^=]", rest) else rest
        bounds[last] = f"{bounds[last]},{rest}" if last in bounds else rest
    try:
        read = tuple((axis, SpecifierSet(spec)) for axis, spec in bounds.items())
    except InvalidSpecifier as error:
        raise SelectionError(f"cannot read the selection {text!r}: {error}") from None
    return Expression(text=text, bounds=read, patterns=tuple(patterns))


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What `--select` and `--exclude` leave."""

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

    def admits(self, cell: Cell, variant: Variant) -> bool:
        """Whether this variant of this cell is wanted."""
        if any(expression.admits(cell, variant) for expression in self.exclude):
            return False
        return not self.select or any(expression.admits(cell, variant) for expression in self.select)
