"""What must hold between the tables of a matrix.toml: what the shape of each table by itself cannot say. Pure.

Each check yields problems, (place in the file, sentence). Only the first is sure to mean something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.errors import SelectionError, did_you_mean
from harness.matrix.schema import BUILT_IN, Matrix, Variants
from harness.matrix.selection import Expression, parse
from harness.matrix.spelling import spelled
from harness.matrix.values import COMBINATIONS, version_key
from harness.matrix.variants import product
from harness.model import ABSENT
from harness.packaging_values import python_version
from harness.stack import RUNTIMES, required_axes

Problems = Iterator[tuple[str, str]]


def problems(matrix: Matrix, tables: Mapping[str, Any]) -> Problems:
    """Yield the problems of `matrix`, which was read from `tables`."""
    if matrix.probe.module is None:
        yield from _unknown_values(matrix.variants, tables["variants"])
    if matrix.variants.count > COMBINATIONS:
        yield "variants", f"expected at most {COMBINATIONS:,} variants, not {matrix.variants.count:,}"
    for exporter in matrix.variants.exporters:
        if not matrix.variants.opsets.get(exporter):
            yield f"variants.opsets.{exporter}", "expected a list of opsets for every exporter in use"
    yield from _axes(matrix)
    yield from _constraints(matrix)
    yield from _require(matrix)
    yield from _excludes(matrix)
    yield from _includes(matrix)
    for key in ("files", "options", "requires") if matrix.probe.module is None else ():
        if tables.get("probe", {}).get(key):
            yield f"probe.{key}", "only a probe of your own has a use for it; set probe.module"


def _unknown_values(variants: Variants, table: Mapping[str, Any]) -> Problems:
    for key, known in BUILT_IN.items():
        for index, name in enumerate(getattr(variants, key)):
            if name not in known:
                yield f"variants.{spelled(key, table)}[{index}]", f"unknown: {name!r}{did_you_mean(name, known)}"
    for name in variants.opsets:
        if name not in BUILT_IN["exporters"]:
            yield f"variants.opsets.{name}", f"no such exporter{did_you_mean(name, BUILT_IN['exporters'])}"


def _axes(matrix: Matrix) -> Problems:
    for axis in dict.fromkeys((*_required(matrix), *RUNTIMES)):
        if ABSENT in matrix.axes.get(axis, ()):
            yield f"axes.{axis}", _NEVER_ABSENT.format(axis)
    for axis in _required(matrix):
        if axis not in matrix.axes:
            yield "axes", f"the axis {axis!r} is missing; expected at least one version of it"
    if matrix.axes.keys().isdisjoint(RUNTIMES):
        yield "axes", f"a runtime is missing; expected at least one version of {' or '.join(map(repr, RUNTIMES))}"
    for python in matrix.axes["python"]:
        yield from _invalid(python_version, python, "axes.python")
    for axis, values in matrix.axes.items():
        spellings: dict[object, str] = {}
        for index, value in enumerate(values):
            first = spellings.setdefault(version_key(axis, value), value)
            if len(spellings) <= index:
                yield f"axes.{axis}[{index}]", f"expected each version once; {value!r} is there as {first!r}"


def _required(matrix: Matrix) -> list[str]:
    """The axes that no cell can be without."""
    return [axis for axis in required_axes(matrix.axes) if axis != "transformers" or matrix.probe.module is None]


_NEVER_ABSENT = "{} cannot be absent; only an axis that you added can"


def _invalid(read: Callable[[str], object], text: str, place: str) -> Problems:
    try:
        read(text)
    except ValueError as error:
        yield place, str(error)


def _constraints(matrix: Matrix) -> Problems:
    for index, constraint in enumerate(matrix.constraint):
        place = f"constraint[{index}].when"
        yield from _expression(place, constraint.when, matrix)
        for name, _ in parse(constraint.when).patterns:
            yield (
                place,
                f"{name!r} is no axis; expected conditions on versions such as 'torch>=2.1,<2.4': one lock serves all variants",
            )


def _require(matrix: Matrix) -> Problems:
    text = matrix.variants.require
    if text not in {"any", "all"}:
        yield from _expression("variants.require", text, matrix)
        if not any(parse(text).admits(None, variant) for variant in product(matrix.variants)):
            yield "variants.require", f"{text!r} names no variant of this matrix"


def _expression(place: str, text: str, matrix: Matrix) -> Problems:
    try:
        expression: Expression = parse(text)
    except SelectionError as error:
        yield place, str(error)
        return
    for axis in sorted(expression.axes - matrix.axes.keys()):
        yield place, f"no such axis: {axis!r}{did_you_mean(axis, matrix.axes)}"


def _excludes(matrix: Matrix) -> Problems:
    for index, rule in enumerate(matrix.exclude):
        yield from _unknown_axes(f"exclude[{index}]", rule.axes, matrix)
        if not rule.axes:
            yield f"exclude[{index}]", "expected at least one axis; an empty rule would match every cell"


def _includes(matrix: Matrix) -> Problems:
    for index, extra in enumerate(matrix.include):
        place, versions = f"include[{index}]", extra.axes
        yield from _unknown_axes(place, versions, matrix)
        runtimes = [axis for axis in RUNTIMES if axis in matrix.axes]
        for axis in sorted(matrix.axes.keys() - versions.keys() - (set(runtimes) if len(runtimes) > 1 else set())):
            yield place, f"expected a version for every axis; {axis!r} is missing"
        if len(runtimes) > 1 and sum(versions.get(axis, ABSENT) != ABSENT for axis in runtimes) != 1:
            yield place, f"expected a version of one runtime, {' or '.join(runtimes)}"
        for axis, version in versions.items():
            if version == ABSENT and axis in _required(matrix):
                yield f"{place}.{axis}", _NEVER_ABSENT.format(axis)
        yield from _invalid(python_version, versions["python"], f"{place}.python")


def _unknown_axes(place: str, named: Mapping[str, str], matrix: Matrix) -> Problems:
    for axis in sorted(named.keys() - matrix.axes.keys()):
        yield f"{place}.{axis}", f"no such axis{did_you_mean(axis, matrix.axes)}"
