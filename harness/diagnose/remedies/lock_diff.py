"""The differences of a failing cell's lock from that of the nearest cell that works, and the suspects. Pure.

A suspect is a distribution that no axis pins. A trial with it alone held at another version proves it if the cell works
then, and dismisses it if not (kinds/secondary_pin.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from harness.environments.resolver import Resolved
from harness.model import Failure, Status, Variant
from harness.verdicts.judge import Verdict

_NAMED_ONLY = 2
"""Largest number of suspects that only the error names: a traceback passes through many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Differing:
    """One axis or distribution in two cells; None in the cell without it."""

    name: str
    here: str | None
    there: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.here or 'absent'} instead of {self.there or 'absent'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class LockDifference:
    """The differences of a cell from another one."""

    axes: tuple[Differing, ...]
    """Python and the environment included."""
    others: tuple[Differing, ...]
    """Distributions that no axis pins; empty if one of the two cells has no lock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LockSuspect:
    """A distribution that no axis pins, and versions of it under which the cell may work."""

    name: str
    here: str
    there: str | None
    """The version in the cell that works; None if only the error names it."""

    @property
    def exactly(self) -> str | None:
        """The requirement that holds it at the version there."""
        return f"{self.name}=={self.there}" if self.there else None

    @property
    def wider(self) -> list[str]:
        """Requirements that exclude the version here and admit the one there, the widest first: `numpy<2`."""
        here = Version(self.here)
        there = Version(self.there) if self.there else None
        bounds = []
        for parts in (1, 2):
            mine = _release(here, parts)
            if there is None or _release(there, parts) < mine:
                bounds.append(f"{self.name}<{_dotted(mine)}")
            elif _release(there, parts) > mine:
                bounds.append(f"{self.name}>={_dotted(_release(there, parts))}")
        return bounds


def difference(here: Resolved, there: Resolved) -> LockDifference:
    """The differences of `here` from `there`."""
    mine, theirs = {"python": here.cell.python, **dict(here.cell.pins)}, {"python": there.cell.python, **dict(there.cell.pins)}
    axes = _differing(mine, theirs)
    if here.cell.setup is not there.cell.setup:
        axes = (*axes, Differing(name="environment", here=here.cell.setup.value, there=there.cell.setup.value))
    if here.lock is None or there.lock is None:
        return LockDifference(axes=axes, others=())
    pinned = {*mine, *theirs}
    others = _differing(*({k: v for k, v in lock.versions.items() if k not in pinned} for lock in (here.lock, there.lock)))
    return LockDifference(axes=axes, others=others)


def nearest(here: Resolved, variant: Variant, near: Iterable[Verdict]) -> Verdict | None:
    """The cell in which this variant works that differs on the fewest axes, and of these in the fewest distributions.

    If it works nowhere, a cell in which any variant does; None if there is none.
    """

    def distance(other: Verdict) -> tuple[int, int]:
        found = difference(here, other.resolved)
        return len(found.axes), len(found.others)

    others = [other for other in near if _identity(other.resolved) != _identity(here)]
    same = [
        other for other in others if any(known.variant == variant and known.status is Status.WORKS for known in other.variants)
    ]
    return min(same or [other for other in others if other.status is Status.WORKS], key=distance, default=None)


def suspects(here: Resolved, there: Resolved | None, failure: Failure | None) -> list[LockSuspect]:
    """Distributions that no axis pins and that differ where it works, or that the error names; those with both first.

    A distribution that the other cell does not have at all cannot be held at its version.
    """
    if here.lock is None:
        return []
    others = difference(here, there).others if there else ()
    differing = {other.name: other.there for other in others if other.here and other.there}
    axes = {"python", *dict(here.cell.pins)}
    in_error = [name for name in named(failure, here.lock.versions) if name not in axes]
    names = [*(name for name in in_error if name in differing), *(name for name in differing if name not in in_error)]
    names += [name for name in in_error if name not in differing][:_NAMED_ONLY]
    return [LockSuspect(name=name, here=here.lock.versions[name], there=differing.get(name)) for name in names]


def named(failure: Failure | None, names: Iterable[str]) -> list[str]:
    """The `names` in the error, the last one first: the point of a message comes at its end."""
    if failure is None:
        return []
    text = f"{failure.traceback}\n{failure.message}".lower()
    places = {
        name: max((m.end() for m in re.finditer(rf"(?<![a-z0-9]){_spelled(name)}(?![a-z])", text)), default=-1)
        for name in names
    }
    return sorted((name for name, place in places.items() if place >= 0), key=lambda name: -places[name])


def _spelled(name: str) -> str:
    """A distribution's name as messages and module paths write it."""
    return "[-_.]".join(map(re.escape, name.lower().split("-")))


def _differing(mine: dict[str, str], theirs: dict[str, str]) -> tuple[Differing, ...]:
    names = dict.fromkeys((*mine, *theirs))
    return tuple(
        Differing(name=name, here=mine.get(name), there=theirs.get(name))
        for name in names
        if mine.get(name) != theirs.get(name)
    )


def _identity(resolved: Resolved) -> tuple[object, ...]:
    """The cell, with the bounds and additions of a trial."""
    return resolved.cell, resolved.planned.bounds, resolved.planned.added


def _release(version: Version, parts: int) -> tuple[int, ...]:
    return (*version.release, 0)[:parts]


def _dotted(release: Sequence[int]) -> str:
    return ".".join(map(str, release))
