"""The cell that is a version set: one environment with all that stands in it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.decide.version_sets import Versions
from harness.hashing import digest
from harness.matrix.plan import Planned, runs_apart, short_name
from harness.model import Cell, Setup, Variant
from harness.packaging_values import required_name
from harness.stack import RUNTIME


def planned(versions: Versions, axes: Sequence[str], variants: tuple[Variant, ...], setups: Sequence[Setup]) -> Planned:
    """The cell of `versions`: what is on `axes` is its versions, and everything else of the set is installed beside them.

    A set is one environment, so its setup is `together` unless `setups`, those of the matrix, have `handoff` alone, or the
    runtime is no distribution of Python.
    """
    pins = tuple((axis, versions.exact[axis]) for axis in axes if axis in versions.exact)
    bounds = (*_limits(versions, axes), *versions.open)
    apart = runs_apart(dict(pins))
    # Beside a runtime of another kind, that of Python can only be for the export.
    added = tuple(
        ("run" if required_name(text) == RUNTIME and not apart else "export", text) for text in _beside(versions, axes)
    )
    names = "-".join(
        f"{short_name(name)}{version.replace('.', '')}" for name, version in (("python", str(versions.python)), *pins)
    )
    # Two sets may differ only in what is beside the axes.
    rest = [*bounds, *([] if set(bounds).issuperset(text for _, text in added) else map(list, added))]
    identifier = f"{names}-{digest(rest)[:6]}" if rest else names
    setup = Setup.HANDOFF if apart else Setup.TOGETHER if Setup.TOGETHER in setups else setups[0]
    cell = Cell(id=identifier, python=str(versions.python), pins=pins, setup=setup)
    return Planned(
        cell=cell,
        variants=variants,
        bounds=bounds,
        overrides=tuple(f"{name}=={versions.exact[name]}" for name in sorted(versions.held) if name in versions.exact),
        added=added,
        is_environment=versions.is_environment,
    )


def entry_without_wheel(message: str, versions: Versions, axes: Sequence[str]) -> str | None:
    """The distribution beside the axes of which no wheel can be installed, if uv's `message` says that; else None.

    uv builds nothing here, by a choice of the matrix: that a distribution has to be built is no conflict of versions.
    """
    text = " ".join(message.split())
    found = (required_name(match["name"]) for match in _NO_WHEEL.finditer(text))
    return next((name for name in found if name in versions.requirements and name not in axes), None)


_NO_WHEEL = re.compile(r"\b(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?(?:==\S+)? has no usable wheels")


def _limits(versions: Versions, axes: Sequence[str]) -> tuple[str, ...]:
    pins = (f"{name}=={version}" for name, version in sorted(versions.exact.items()) if name not in axes)
    return (*pins, *versions.bounds)


def _beside(versions: Versions, axes: Sequence[str]) -> list[str]:
    """What the set requires besides the versions on `axes`: other distributions, open axes and extras."""
    pinned = {axis for axis in axes if axis in versions.exact}
    exact = [f"{name}=={version}" for name, version in sorted(versions.exact.items()) if name not in pinned | versions.limited]
    open_ = [text for text in versions.open if required_name(text) not in pinned | versions.limited]
    there = versions.exact.keys() | set(map(required_name, versions.open))
    extras = [f"{name}[{','.join(sorted(versions.extras[name]))}]" for name in sorted(versions.extras) if name in there]
    return [*exact, *open_, *extras]
