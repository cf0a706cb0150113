"""Another version of a distribution that no axis pins.

A suspect is such a distribution. A trial with it alone held at another version proves it if the cell works then, and
dismisses it if not.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.version import Version

from harness.diagnose.nearest_cell import difference, nearest_working
from harness.diagnose.remedies.interface import Attempt, Change, RemedyKind, Trials, since
from harness.environments.lockfile import PublishedVersion
from harness.environments.published_versions import NotAnswered
from harness.environments.resolved import Resolved
from harness.model import Failure, Stage
from harness.packaging_values import release_text
from harness.verdicts.judge import Verdict

_NAMED_ONLY = 2
"""Largest number of suspects that only the error names: a traceback passes through many."""


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
            mine = _line(here, parts)
            theirs = _line(there, parts) if there else None
            if theirs is None or Version(theirs) < Version(mine):
                bounds.append(f"{self.name}<{mine}")
            elif Version(theirs) > Version(mine):
                bounds.append(f"{self.name}>={theirs}")
        return bounds


class SecondaryPin(RemedyKind):
    """Suspects are the differences from the nearest cell that works, then from the same cell on the day of its newest pin."""

    name = "secondary pin"
    # A further bound leaves a resolver no more solutions than it had.
    reach = since(Stage.INSTALL)

    def search(self, attempt: Attempt, trials: Trials) -> Attempt | None:
        """Hold the suspects at the versions of a cell that works."""
        # No version of another distribution is why a module is missing.
        if attempt.verdict.missing_module is not None:
            return None
        resolved, error = attempt.cell.resolved, attempt.verdict.error
        working = nearest_working(resolved, attempt.verdict.variant, trials.near)
        found = self._hold(attempt, suspects(resolved, working.resolved if working else None, error), trials)
        if found is None and (dated := _on_day_of_newest_pin(attempt, trials)):
            found = self._hold(attempt, suspects(resolved, dated.resolved, error), trials)
        return found

    def _hold(self, attempt: Attempt, suspects: Sequence[LockSuspect], trials: Trials) -> Attempt | None:
        """One suspect at a time, then all together; what is proven is held as loosely as it may be."""
        held = {Requirement(bound).name for change in attempt.changes for bound in change.bounds}
        suspects = [suspect for suspect in suspects if suspect.name not in held]
        exact = [bound for suspect in suspects if (bound := suspect.exactly)]
        for suspect in suspects:
            proven = self._bounded(attempt, trials, suspect.exactly) if suspect.exactly else None
            if proven or not suspect.exactly:
                for bound in suspect.wider:
                    if (wider := self._bounded(attempt, trials, bound)) is not None:
                        return wider
            if proven:
                return proven
        return self._bounded(attempt, trials, *exact) if len(exact) > 1 else None

    def _bounded(self, attempt: Attempt, trials: Trials, *bounds: str) -> Attempt | None:
        return trials.first_that_works([(*attempt.changes, Change(kind=self, bounds=bounds))])


SECONDARY_PIN = SecondaryPin()


def _on_day_of_newest_pin(attempt: Attempt, trials: Trials) -> Verdict | None:
    """The cell without anything younger than its newest pin, if that is another lock, and works."""
    cell = attempt.planned.cell
    found = [trials.published(f"{name}=={version}", cell.python) for name, version in cell.pins]
    newest = max((release.day for release in found if isinstance(release, PublishedVersion) and release.day), default=None)
    if newest is None or attempt.cell.resolved.lock is None or any(isinstance(answer, NotAnswered) for answer in found):
        return None
    return trials.on_day(attempt, (dt.date.fromisoformat(newest) + dt.timedelta(days=1)).isoformat())


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


def _line(version: Version, parts: int) -> str:
    """The first parts of the release, with the epoch."""
    return release_text(version.epoch, (*version.release, 0)[:parts])
