"""Whether a version set has what every cell needs. Pure."""

from __future__ import annotations

from collections.abc import Collection

from harness.decide.version_sets import Versions
from harness.errors import VersionsError
from harness.matrix.schema import Matrix
from harness.stack import RUNTIMES, required_axes

_SHOWN = 3
"""Reasons why entries of a set are not used that an error names."""


def require_complete(versions: Versions, open_: Collection[str], axes: Collection[str], matrix: Matrix) -> None:
    """Require a version, or an `open_` requirement, for what a cell with `axes` needs, and of several runtimes one.

    Raises:
        VersionsError: something is missing, or there are two runtimes.
    """
    if versions.python is None:
        known = ", ".join(matrix.axes["python"])
        raise VersionsError(f"{versions.source} does not name a Python version: give --python (the matrix has {known})")
    given = {*versions.exact, *open_}
    runtimes = [axis for axis in RUNTIMES if axis in axes]
    if len(there := given.intersection(runtimes)) > 1:
        names = " and ".join(sorted(there))
        raise VersionsError(
            f"{versions.source} has {names}, and a cell has one runtime: name a matrix with the axis of one of them (--config)"
        )
    needed = [axis for axis in required_axes(axes) if axis in axes]
    needed += runtimes[:1] if len(runtimes) > 1 and not there else []
    missing = [axis for axis in needed if axis not in given]
    if missing:
        present = ", ".join(axis for axis in needed if axis not in missing) or "none of what is needed"
        options = " ".join(f"--with {axis}==…" for axis in missing)
        unused = "".join(f"; not used: {reason}" for reason in (*versions.ignored, *versions.missing)[:_SHOWN])
        raise VersionsError(f"{versions.source} has {present}; {', '.join(missing)} missing: name them with {options}{unused}")
