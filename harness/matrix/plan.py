"""Matrix → cells and their variants: pure functions, no network, nothing installed."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.errors import SelectionError, did_you_mean
from harness.matrix.schema import Matrix, Variants
from harness.matrix.selection import Selection, parse
from harness.matrix.values import COMBINATIONS
from harness.model import ABSENT, Cell, Setup, Variant, digest
from harness.stack import ABBREVIATIONS, EXPORTS_WITH_RUNTIME, RUNTIME, helpers


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A cell and the variants wanted of it."""

    cell: Cell
    variants: tuple[Variant, ...]
    bounds: tuple[str, ...] = ()
    """Requirements such as `numpy<2` that hold for whatever the cell needs anyway, and bring in nothing of their own."""
    added: tuple[tuple[str, str], ...] = ()
    """(`export` or `run`, distribution) that the cell is given besides what it needs, for that side."""


def plan(matrix: Matrix, axes: Mapping[str, Sequence[str]], selection: Selection) -> list[Planned]:
    """The cells of `matrix` with their variants, newest stacks last, after exclude, include and selection.

    `axes` gives the exact versions of every axis, selectors resolved.

    Raises:
        SelectionError: a part of the selection holds for nothing, nothing is left, or there are too many cells.
    """
    wanted, every = matrix.variants.product(), cells(matrix, axes)
    selection.require_known(every, wanted)
    planned = []
    for cell in every:
        admitted = tuple(variant for variant in wanted if selection.admits(cell, variant))
        if admitted:
            planned.append(Planned(cell=cell, variants=admitted))
    if not planned:
        expressions = [expression.text for expression in (*selection.select, *selection.exclude)]
        raise SelectionError(
            f"no cell is left after {' and '.join(expressions) or 'the exclude rules'}; "
            + "; ".join(f"{axis}: {', '.join(values)}" for axis, values in axes.items())
        )
    return planned


def only(planned: Sequence[Planned], wanted: str) -> list[Planned]:
    """The one cell whose id is `wanted`, or matches it where it is a pattern.

    Raises:
        SelectionError: there is none, or there are several.
    """
    found = [item for item in planned if fnmatchcase(item.cell.id, wanted)]
    if not found:
        raise SelectionError(f"no cell is called {wanted!r}{did_you_mean(wanted, (item.cell.id for item in planned))}")
    if len(found) > 1:
        names = ", ".join(item.cell.id for item in found[:12]) + (", …" if len(found) > 12 else "")
        raise SelectionError(f"{wanted!r} names {len(found)} cells, and one is needed: {names}")
    return found


def cells(matrix: Matrix, axes: Mapping[str, Sequence[str]]) -> list[Cell]:
    """The product of the axes less what exclude rules match, plus what include adds, each once.

    Raises:
        SelectionError: there are too many.
    """
    names = list(axes)
    count = math.prod(map(len, axes.values())) * len(matrix.environment)
    if count > COMBINATIONS:
        sizes = ", ".join(f"{axis} {len(versions)}" for axis, versions in axes.items())
        raise SelectionError(f"the matrix has {count:,} combinations ({sizes}), and {COMBINATIONS:,} at most can be planned")
    rules = [{axis: SpecifierSet(bound) for axis, bound in rule.bounds.items()} for rule in matrix.exclude]
    combinations: dict[tuple[str, ...], None] = {}
    for versions in itertools.product(*axes.values()):
        pins = dict(zip(names, versions, strict=True))
        if not any(all(_within(pins[axis], bound) for axis, bound in rule.items()) for rule in rules):
            combinations[versions] = None
    for extra in matrix.include:
        combinations[tuple(extra.versions[name] for name in names)] = None
    short = {name: _short_versions({versions[place] for versions in combinations}) for place, name in enumerate(names)}
    begins = _short_names(names)
    made = []
    for setup, versions in itertools.product(matrix.environment, combinations):
        identifier = "-".join(
            f"{begins[name]}{short[name][version]}" for name, version in zip(names, versions, strict=True) if version != ABSENT
        )
        if setup is Setup.HANDOFF:
            identifier += "-handoff"
        versioned = zip(names, versions, strict=True)
        pins_of_cell = tuple((name, version) for name, version in versioned if name != "python" and version != ABSENT)
        python = versions[names.index("python")]
        made.append(Cell(id=identifier, python=python, pins=pins_of_cell, setup=setup))
    unique = unique_ids([(cell.id, [cell.python, cell.pins, cell.setup]) for cell in made])
    return [cell if cell.id == name else replace(cell, id=name) for cell, name in zip(made, unique, strict=True)]


def short_name(axis: str) -> str:
    """How an axis begins in an id."""
    return ABBREVIATIONS.get(axis) or re.sub("[^a-z0-9]", "", axis)


def _short_names(axes: Sequence[str]) -> dict[str, str]:
    """Axis → how it begins in an id of this matrix: `short_name`, or its whole name where two axes would begin alike."""
    count = Counter(map(short_name, axes))
    return {axis: short_name(axis) if count[short_name(axis)] == 1 else re.sub("[^a-z0-9]", "_", axis) for axis in axes}


def unique_ids(named: Sequence[tuple[str, object]]) -> list[str]:
    """The id of each cell; where different cells have one id, a digest of what each of them is follows it.

    `named` has (id, what the cell is, JSON-able). Ids that differ in case alone count as one: they name folders too.
    """
    meant: dict[str, set[str]] = {}
    for name, content in named:
        meant.setdefault(name.lower(), set()).add(digest(content))
    return [name if len(meant[name.lower()]) == 1 else f"{name}-{digest(content)[:8]}" for name, content in named]


def _within(version: str, bound: SpecifierSet) -> bool:
    """An axis that is absent has no version that could lie within any bound."""
    return version != ABSENT and bound.contains(version, prereleases=True)


def by_version(version: str) -> Version:
    """The order in which versions are listed; what is absent comes first."""
    return Version("0.dev0" if version == ABSENT else version)


def _short_versions(versions: set[str]) -> dict[str, str]:
    """Version → its digits run together (`2.13.1` → `2131`), or joined by `_` where two versions would be the same."""
    digits = {version: re.sub(r"[^A-Za-z0-9]", "", version) for version in versions}
    taken = list(digits.values())
    return {
        version: short if taken.count(short) == 1 else re.sub(r"[^A-Za-z0-9]", "_", version)
        for version, short in digits.items()
    }


def deciding(wanted: Variants, cell: Cell, offered: Sequence[Variant]) -> list[Variant]:
    """The variants that decide the cell: those `require` names; `feed-all` is a diagnostic and never does.

    Where none of those is selected, all that are decide.
    """
    chosen = [variant for variant in offered if variant.feedback != "feed-all"]
    if wanted.require in {"any", "all"}:
        return chosen
    expression = parse(wanted.require)
    return [variant for variant in chosen if expression.admits(cell, variant)] or chosen


def exports_with_runtime(cell: Cell, matrix: Matrix) -> bool:
    """Whether an export of `cell` can import onnxruntime."""
    named = {canonicalize_name(Requirement(text).name) for text in matrix.probe.requires}
    return not EXPORTS_WITH_RUNTIME.isdisjoint(dict(cell.pins)) or RUNTIME in named


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirements:
    """What uv is asked for at once."""

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    """Left out where no solution has room for them; what depends on them then fails at `resolve`."""
    bounds: tuple[str, ...] = ()
    """They limit the versions of what is needed, and add nothing to it (uv's constraints)."""

    @property
    def parts(self) -> list[tuple[str, ...]]:
        """What tells one set from another; JSON-able."""
        return [self.needed, self.optional, *([self.bounds] if self.bounds else [])]


def requirements(planned: Planned, matrix: Matrix, exporters: frozenset[str]) -> list[Requirements]:
    """One set for a `together` cell; for a `handoff` cell the export side's and the run side's."""
    sides = _sides(planned.cell, matrix, exporters)
    added = [[name for side, name in planned.added if side == which] for which in ("export", "run")]
    if not planned.added and not planned.bounds:
        return sides
    further = added if len(sides) > 1 else [[*added[0], *added[1]]]
    return [replace(one, needed=(*one.needed, *more), bounds=planned.bounds) for one, more in zip(sides, further, strict=True)]


def _sides(cell: Cell, matrix: Matrix, exporters: frozenset[str]) -> list[Requirements]:
    if cell.setup is Setup.TOGETHER:
        return [_requirements(cell, matrix, exporters, frozenset(dict(cell.pins)))]
    run_side = frozenset({RUNTIME})
    return [
        _requirements(cell, matrix, exporters, frozenset(dict(cell.pins)) - run_side),
        _requirements(cell, matrix, frozenset(), run_side),
    ]


def _requirements(cell: Cell, matrix: Matrix, exporters: frozenset[str], side: frozenset[str]) -> Requirements:
    needed = [f"{name}=={version}" for name, version in cell.pins if name in side]
    needed += [] if "numpy" in side else ["numpy"]
    if "torch" in side:
        needed += matrix.probe.requires
    if RUNTIME not in side and exports_with_runtime(cell, matrix):
        needed += [RUNTIME]
    for rule in matrix.constraint:
        when = parse(rule.when)
        # A trap between onnxruntime and numpy is none for the side that has no onnxruntime.
        if when.axes - {"python"} <= side and when.admits(cell):
            needed += rule.add
    optional = [name for name in helpers(exporters, cell.version("torch")) if name not in side]
    return Requirements(needed=tuple(dict.fromkeys(needed)), optional=tuple(optional))
