"""What a bisection found: the release that broke it, or the releases that include it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from packaging.version import Version

from harness.decide.experiments import Experiment
from harness.decide.releases import Release
from harness.decide.version_sets import VersionChange
from harness.verdicts.judge import VariantVerdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Bisected:
    """The first release that breaks, or the releases that include it."""

    good: Experiment
    bad: Experiment
    """The two ends, confirmed."""
    last_good: Experiment
    first_bad: Experiment
    good_date: dt.date | None
    """When the release in the last good set was published, if a single distribution differs."""
    suspects: tuple[Release, ...]
    """The difference of the last good set and the first bad one: one release, or several that could not be separated."""
    lost: tuple[VariantVerdict, ...]
    """The failures of the first bad set."""
    otherwise: tuple[VariantVerdict, ...]
    """The failures of the bad end, if these are other ones."""
    skipped: tuple[Release, ...]
    """Suspects whose sets cannot be resolved or installed, or ended in an error."""
    along: tuple[VersionChange, ...]
    """Other distributions that the resolver moved with the suspects: one of them may be the reason."""
    releases: int
    """How many releases were searched."""
    probes: int
    """How many sets were run, without the two ends."""
    unproven: bool
    """Whether one was skipped because of an error, which proves nothing."""
    missing: tuple[str, ...]
    """What of the two sets was not installed, with the reason: it may break them, or mend them."""
    how: tuple[str, ...]
    """What was searched, in sentences."""

    @property
    def proven(self) -> bool:
        """Whether all that matters was run."""
        return not self.unproven and not self.missing

    @property
    def mended_in(self) -> tuple[Release, ...]:
        """If the search went back in time: the releases one of which mended what all older ones break; else empty."""
        (name, *others) = dict.fromkeys(release.name for release in self.suspects)
        works = self.last_good.versions.exact.get(name)
        if others or works is None or Version(self.suspects[0].version) > Version(works):
            return ()
        return (Release(name=name, version=works, date=self.good_date), *self.suspects[:-1])
