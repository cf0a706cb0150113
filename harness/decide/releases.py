"""The releases between two version sets: which there are, when they were published, and in which order to search them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from packaging.version import Version

from harness.decide.complete_sets import Unanswered
from harness.decide.experiments import Experiments
from harness.decide.version_sets import Versions
from harness.packaging_values import after

_PARALLEL = 8
"""Dates that are looked up at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A release of a distribution."""

    name: str
    version: str
    date: dt.date | None
    """The day on which its first file was uploaded; None if the index does not say."""


class Releases:
    """Looks up releases and their dates."""

    def __init__(self, experiments: Experiments) -> None:
        self._experiments = experiments
        self.failures: list[str] = []
        """Why an index could not be asked for dates."""

    def between(self, name: str, start: Versions, end: Versions, *, whole: bool) -> list[Release]:
        """The releases of `name` after the one in `start`, up to the one in `end`; only that one unless `whole`."""
        old, new = start.exact[name], end.exact[name]
        low, high = sorted((old, new), key=Version)
        found = self._experiments.between(name, f"{after(low)},<{Version(high).public}", "all", start) if whole else []
        versions = [*(found if low == old else reversed(found)), new]
        return [Release(name=name, version=version, date=None) for version in versions]

    def dated(self, releases: Iterable[Release], versions: Versions) -> list[Release]:
        """`releases` with their dates, as the Python of `versions` sees the index."""
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="released") as pool:
            return list(pool.map(lambda release: self._dated(release, versions), releases))

    def _dated(self, release: Release, versions: Versions) -> Release:
        try:
            return replace(release, date=self._experiments.released(release.name, release.version, versions))
        except Unanswered as reason:
            self.failures.append(str(reason))
            return release


def in_order(histories: Mapping[str, Sequence[Release]], first: str | None) -> list[Release]:
    """The releases of several distributions as one history: by date; without dates one distribution after another.

    The order within a distribution is kept, whatever the dates: a release that came later on an older branch counts as
    released when the ones before it were. Of equal dates, and without dates, `first` comes first.
    """
    names = sorted(histories, key=lambda name: name != first)
    if any(release.date is None for releases in histories.values() for release in releases):
        return [release for name in names for release in histories[name]]
    keyed = []
    for place, name in enumerate(names):
        latest = dt.date.min
        for number, release in enumerate(histories[name]):
            assert release.date is not None
            latest = max(latest, release.date)
            keyed.append(((latest, place, number), release))
    return [release for _, release in sorted(keyed, key=lambda entry: entry[0])]


def not_searched(start: Versions, history: Sequence[Release]) -> str:
    """What an index does not offer: yanked releases, and pre-releases unless a bound of the search is one."""
    versions = [version for release in history for version in (start.exact[release.name], release.version)]
    searched = any(Version(version).is_prerelease for version in versions)
    return "yanked releases were not searched" + ("" if searched else ", nor were pre-releases")
