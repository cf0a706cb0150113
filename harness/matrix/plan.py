"""Matrix → cells, each with the variants to run in it (variants.py). Pure: no network, nothing installed."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.errors import SelectionError, did_you_mean
from harness.hashing import digest
from harness.matrix.schema import Matrix
from harness.matrix.selection import Selection, parse
from harness.matrix.values import COMBINATIONS, version_key
from harness.matrix.variants import product
from harness.model import ABSENT, Cell, Setup, Variant
from harness.packaging_values import required_name, within
from harness.stack import ABBREVIATIONS, ECOSYSTEMS, EXPORTS_WITH_RUNTIME, RUNTIME, RUNTIMES, helpers, of_python, runtime_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A cell with the variants that are to be run in it."""

    cell: Cell
    variants: tuple[Variant, ...]
    bounds: tuple[str, ...] = ()
    """Requirements such as `numpy<2`, which limit the versions of what the cell needs, and add nothing to it."""
    overrides: tuple[str, ...] = ()
    """Requirements such as `numpy==2.1.0`, which hold in place of whatever other distributions require of these."""
    added: tuple[tuple[str, str], ...] = ()
    """(`export` or `run`, distribution or requirement): what is added to that side, besides what the cell needs."""
    is_environment: bool = False
    """Whether this is all that is installed: what only an exporter needs is not added."""

    def with_version(self, axis: str, version: str) -> Planned:
        """The same with another version on `axis`, and an id that shows it."""
        python = version if axis == "python" else self.cell.python
        pins = tuple((name, version if name == axis else own) for name, own in self.cell.pins)
        return replace(self, cell=replace(self.cell, id=f"{self.cell.id}+{axis}-{version}", python=python, pins=pins))


def plan(matrix: Matrix, axes: Mapping[str, Sequence[str]], selection: Selection) -> list[Planned]:
    """The cells of `matrix` with their variants, newest stacks last, after exclude, include and selection.

    `axes` gives the exact versions of every axis, selectors resolved.

    Raises:
        SelectionError: a part of the selection holds for nothing, nothing is left, or there are too many cells.
    """
    variants, all_cells = product(matrix.variants), cells(matrix, axes)
    selection.require_known(all_cells, variants)
    planned = []
    for cell in all_cells:
        admitted = tuple(variant for variant in variants if selection.admits(cell, variant))
        if admitted:
            planned.append(Planned(cell=cell, variants=admitted))
    if not planned:
        expressions = [expression.text for expression in (*selection.select, *selection.exclude)]
        raise SelectionError(
            f"no cell is left after {' and '.join(expressions) or 'the exclude rules'}; "
            + "; ".join(f"{axis}: {', '.join(values)}" for axis, values in axes.items())
        )
    return planned


def only(planned: Sequence[Planned], pattern: str) -> list[Planned]:
    """The single cell whose id matches `pattern`; an id matches itself.

    Raises:
        SelectionError: there is none, or there are several.
    """
    found = [item for item in planned if fnmatchcase(item.cell.id, pattern)]
    if not found:
        raise SelectionError(f"no cell is called {pattern!r}{did_you_mean(pattern, (item.cell.id for item in planned))}")
    if len(found) > 1:
        ids = ", ".join(item.cell.id for item in found[:12]) + (", …" if len(found) > 12 else "")
        raise SelectionError(f"{pattern!r} names {len(found)} cells, and one is needed: {ids}")
    return found


def cells(matrix: Matrix, axes: Mapping[str, Sequence[str]]) -> list[Cell]:
    """The product of the axes and setups, without what exclude rules match, with what include rules add, each once.

    Raises:
        SelectionError: there are too many.
    """
    names = list(axes)
    count = _count(axes, len(matrix.setup))
    if count > COMBINATIONS:
        sizes = ", ".join(f"{axis} {len(versions)}" for axis, versions in axes.items())
        raise SelectionError(f"the matrix has {count:,} combinations ({sizes}), and {COMBINATIONS:,} at most can be planned")
    rules = [{axis: SpecifierSet(bound) for axis, bound in rule.axes.items()} for rule in matrix.exclude]
    combinations: dict[tuple[str, ...], None] = {}
    for versions in _combinations(axes):
        pins = dict(zip(names, versions, strict=True))
        if not any(all(_within(pins[axis], bound) for axis, bound in rule.items()) for rule in rules):
            combinations[versions] = None
    combinations |= dict.fromkeys(_included(matrix, axes))
    short = {name: _short_versions({versions[index] for versions in combinations}) for index, name in enumerate(names)}
    prefixes = _short_names(names)
    result = []
    for setup, versions in itertools.product(matrix.setup, combinations):
        pins = _present(zip(names, versions, strict=True))
        if apart := runs_apart(pins):
            if setup is not matrix.setup[-1]:
                continue
            setup = Setup.HANDOFF  # noqa: PLW2901 -- the only one that there is for it
        identifier = "-".join(
            f"{prefixes[name]}{short[name][version]}"
            for name, version in zip(names, versions, strict=True)
            if version != ABSENT
        )
        if setup is Setup.HANDOFF and not apart:
            identifier += "-handoff"
        python = pins.pop("python")
        result.append(Cell(id=identifier, python=python, pins=tuple(pins.items()), setup=setup))
    ids = unique_ids([(cell.id, [cell.python, cell.pins, cell.setup]) for cell in result])
    return [cell if cell.id == unique else replace(cell, id=unique) for cell, unique in zip(result, ids, strict=True)]


def _present(versions: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: version for name, version in versions if version != ABSENT}


def runs_apart(pins: Mapping[str, str]) -> bool:
    """Whether the runtime is no distribution of Python: then there is nothing together, and the setup is no choice."""
    runtime = runtime_of(pins)
    return runtime is not None and not of_python(runtime.name)


def _combinations(axes: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """The product of the axes; of several runtimes each combination has one."""
    runtimes = [name for name in RUNTIMES if name in axes]
    if len(runtimes) < 2:
        yield from itertools.product(*axes.values())
        return
    places = [place for place, name in enumerate(axes) if name in runtimes]
    first = places[0]
    # The versions of the first runtime come before those of the second.
    choices = [
        values if place not in places else [*values, ABSENT] if place == first else [ABSENT, *values]
        for place, values in enumerate(axes.values())
    ]
    for versions in itertools.product(*choices):
        if sum(versions[place] != ABSENT for place in places) == 1:
            yield versions


def _count(axes: Mapping[str, Sequence[str]], setups: int) -> int:
    """The number of cells before any rule."""
    others = math.prod(len(versions) for name, versions in axes.items() if name not in RUNTIMES)
    return others * sum(len(axes.get(name, ())) * (setups if of_python(name) else 1) for name in RUNTIMES)


def _included(matrix: Matrix, axes: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """The combinations of include rules; a version is spelled as on its axis, or as the first rule does."""
    spelled = {(axis, version_key(axis, version)): version for axis, versions in axes.items() for version in versions}
    for rule in matrix.include:
        # A rule may leave out the runtimes that its cell does not have.
        named = [(axis, rule.axes.get(axis, ABSENT)) for axis in axes]
        yield tuple(spelled.setdefault((axis, version_key(axis, version)), version) for axis, version in named)


def short_name(axis: str) -> str:
    """The prefix of an axis in the id of a cell."""
    return ABBREVIATIONS.get(axis) or re.sub("[^a-z0-9]", "", axis)


def _short_names(axes: Sequence[str]) -> dict[str, str]:
    """Axis → its prefix in the ids of this matrix: `short_name`, or its whole name if two axes have one short name."""
    count = Counter(map(short_name, axes))
    return {axis: short_name(axis) if count[short_name(axis)] == 1 else re.sub("[^a-z0-9]", "_", axis) for axis in axes}


def unique_ids(named: Sequence[tuple[str, object]]) -> list[str]:
    """The id of each cell, with a digest of its content if different cells have that id.

    `named` has (id, content of the cell, JSON-able). Ids that differ in case alone count as equal: they name folders too.
    """
    count = Counter(name.lower() for name, _ in named)
    contents: dict[str, set[str]] = {}
    for name, content in named:
        if count[name.lower()] > 1:
            contents.setdefault(name.lower(), set()).add(digest(content))
    several = {name for name, digests in contents.items() if len(digests) > 1}
    return [f"{name}-{digest(content)[:8]}" if name.lower() in several else name for name, content in named]


def _within(version: str, bound: SpecifierSet) -> bool:
    """Whether `version` is within `bound`; `absent` is within no bound."""
    return version != ABSENT and within(version, bound)


def by_version(version: str) -> Version:
    """Sort key for versions as they are listed; `absent` comes first."""
    return Version("0.dev0" if version == ABSENT else version)


def _short_versions(versions: set[str]) -> dict[str, str]:
    """Version → its digits without separators (`2.13.1` → `2131`), or joined by `_` if two versions would be the same."""
    digits = {version: re.sub(r"[^A-Za-z0-9]", "", version) for version in versions}
    count = Counter(digits.values())
    return {version: short if count[short] == 1 else re.sub(r"[^A-Za-z0-9]", "_", version) for version, short in digits.items()}


def exports_with_runtime(cell: Cell, matrix: Matrix) -> bool:
    """Whether an export of `cell` can import the runtime of Python."""
    required = set(map(required_name, matrix.probe.requires))
    return not EXPORTS_WITH_RUNTIME.isdisjoint(dict(cell.pins)) or RUNTIME in required


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirements:
    """The input of one solve."""

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    """Left out if no solution has room for them; the exporters that need them then fail at `resolve`."""
    bounds: tuple[str, ...] = ()
    """Limits for the versions of what is needed; they add nothing to it (uv's constraints)."""
    overrides: tuple[str, ...] = ()
    """They hold in place of what distributions require of these (uv's overrides)."""
    ecosystem: str | None = None
    """The kind of packages; None for distributions of Python."""

    @property
    def parts(self) -> list[tuple[str, ...]]:
        """The content, JSON-able; part of the key of a lock."""
        named = [(self.ecosystem,)] if self.ecosystem else []
        if self.overrides:
            return [*named, self.needed, self.optional, self.bounds, self.overrides]
        return [*named, self.needed, self.optional, *([self.bounds] if self.bounds else [])]


def requirements(planned: Planned, matrix: Matrix, exporters: frozenset[str]) -> list[Requirements]:
    """The requirements of a `together` cell, or those of the export side and of the run side of a `handoff` cell.

    A runtime that is no distribution of Python has its own after these.
    """
    sides = _sides(planned.cell, matrix, frozenset() if planned.is_environment else exporters)
    export, run = ([name for side, name in planned.added if side == which] for which in ("export", "run"))
    added = [export, run] if len(sides) > 1 else [[*export, *run]]
    of_sides = [
        replace(side, needed=(*side.needed, *names), bounds=planned.bounds, overrides=planned.overrides)
        for side, names in zip(sides, added, strict=True)
    ]
    return [*of_sides, *packages(planned.cell)]


def packages(cell: Cell) -> list[Requirements]:
    """The requirements of a runtime that is no distribution of Python; none for another one."""
    runtime = cell.runtime
    if runtime is None or of_python(runtime.name):
        return []
    return [Requirements(needed=(f"{runtime.name}=={runtime.version}",), ecosystem=ECOSYSTEMS[runtime.name])]


def _sides(cell: Cell, matrix: Matrix, exporters: frozenset[str]) -> list[Requirements]:
    if cell.setup is Setup.TOGETHER:
        return [_requirements(cell, matrix, exporters, frozenset(dict(cell.pins)))]
    run_side = frozenset({cell.runtime.name if cell.runtime else RUNTIME})
    return [
        _requirements(cell, matrix, exporters, frozenset(dict(cell.pins)) - run_side),
        _requirements(cell, matrix, frozenset(), run_side),
    ]


def _requirements(cell: Cell, matrix: Matrix, exporters: frozenset[str], side: frozenset[str]) -> Requirements:
    needed = [f"{name}=={version}" for name, version in cell.pins if name in side and of_python(name)]
    needed += [] if "numpy" in side else ["numpy"]
    if "torch" in side:
        needed += matrix.probe.requires
        needed += [RUNTIME] if RUNTIME not in side and exports_with_runtime(cell, matrix) else []
    for rule in matrix.constraint:
        when = parse(rule.when)
        # A conflict between onnxruntime and numpy does not concern a side without onnxruntime.
        if when.present - {"python"} <= side and when.admits(cell):
            needed += rule.add
    optional = [name for name in helpers(exporters, cell.version("torch")) if name not in side]
    return Requirements(needed=tuple(dict.fromkeys(needed)), optional=tuple(optional))
