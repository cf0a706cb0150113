"""What is different where it works: a failing cell's lock against its nearest working neighbour's, and what to suspect. Pure.

A suspect is a distribution that no axis pins. It is proven where the cell works with nothing else held at another
version, and dismissed where it does not (trials.py runs that); until then it is a suspect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from harness.environments.resolver import Resolved
from harness.model import Failure, Status, Variant
from harness.verdicts.judge import Verdict

_SPOKEN_OF = 2
"""How many of those that only an error speaks of are suspects: a traceback passes through many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Differing:
    """One axis or distribution in two cells; None where one of them does without it."""

    name: str
    here: str | None
    there: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.here or 'absent'} instead of {self.there or 'absent'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class LockDifference:
    """What tells a cell from another one."""

    axes: tuple[Differing, ...]
    """Python and the environment included."""
    others: tuple[Differing, ...]
    """Distributions that no axis pins; empty where one of the two has no lock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LockSuspect:
    """A distribution that no axis pins, and versions of it under which the cell may work."""

    name: str
    here: str
    there: str | None
    """The version where it works; None where only the error speaks of it."""

    @property
    def exactly(self) -> str | None:
        """The requirement that holds it at the neighbour's version."""
        return f"{self.name}=={self.there}" if self.there else None

    @property
    def wider(self) -> list[str]:
        """Requirements that shut out the version here and let the neighbour's in, the widest first: `numpy<2`."""
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
    """What of `here` is not as it is `there`."""
    mine, theirs = {"python": here.cell.python, **dict(here.cell.pins)}, {"python": there.cell.python, **dict(there.cell.pins)}
    axes = _differing(mine, theirs)
    if here.cell.setup is not there.cell.setup:
        axes = (*axes, Differing(name="environment", here=here.cell.setup.value, there=there.cell.setup.value))
    if here.lock is None or there.lock is None:
        return LockDifference(axes=axes, others=())
    pinned = {*mine, *theirs}
    others = _differing(*({k: v for k, v in one.versions.items() if k not in pinned} for one in (here.lock, there.lock)))
    return LockDifference(axes=axes, others=others)


def nearest(here: Resolved, variant: Variant, near: Iterable[Verdict]) -> Verdict | None:
    """The cell in which this variant works that differs on the fewest axes, and of these in the fewest distributions.

    Where it works nowhere, a cell in which any variant does; None where there is none.
    """
    others = [one for one in near if one.resolved.cell != here.cell or _set(one.resolved) != _set(here)]
    same = [one for one in others if any(other.variant == variant and other.status is Status.WORKS for other in one.variants)]
    found = same or [one for one in others if one.status is Status.WORKS]
    return min(found, key=lambda one: _distance(difference(here, one.resolved)), default=None)


def suspects(here: Resolved, there: Resolved | None, failure: Failure | None) -> list[LockSuspect]:
    """What no axis pins and is another version where it works, or is spoken of by the error; first what is both.

    A distribution that the other cell does not have at all cannot be held at its version.
    """
    if here.lock is None:
        return []
    differing = {one.name: one.there for one in (difference(here, there).others if there else ()) if one.here and one.there}
    axes = {"python", *dict(here.cell.pins)}
    spoken = [name for name in named(failure, here.lock.versions) if name not in axes]
    names = [*(name for name in spoken if name in differing), *(name for name in differing if name not in spoken)]
    names += [name for name in spoken if name not in differing][:_SPOKEN_OF]
    return [LockSuspect(name=name, here=here.lock.versions[name], there=differing.get(name)) for name in names]


def named(failure: Failure | None, names: Iterable[str]) -> list[str]:
    """Those of `names` that the error speaks of, the one it speaks of last first: the point comes at the end."""
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


def _set(one: Resolved) -> tuple[object, ...]:
    """What makes two cells of the same versions two, besides them."""
    return one.planned.bounds, one.planned.added


def _distance(one: LockDifference) -> tuple[int, int]:
    return len(one.axes), len(one.others)


def _release(version: Version, parts: int) -> tuple[int, ...]:
    return (*version.release, 0)[:parts]


def _dotted(release: Sequence[int]) -> str:
    return ".".join(map(str, release))
