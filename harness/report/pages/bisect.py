"""What `bisect` found, as a page: the release that broke it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.decide.bisected import Bisected
from harness.decide.releases import Release
from harness.report.page import Item, Page, items
from harness.report.pages.set_outcomes import cell_data, ending, ending_data, endings, listed, version_set
from harness.report.tables import counted


def page(found: Bisected, store: Path) -> Page[Bisected]:
    """The page of a bisection; logs lie in `store`."""
    title = f"not proven, since not all of the sets was installed: {_answer(found)}" if found.missing else _answer(found)
    return Page(title=title, blocks=[items(*_lines(found, store))], data=_data(found), source=found)


def unknown(reason: str) -> Page[None]:
    """The page where there is no answer, and why."""
    return Page(title=f"UNKNOWN: {reason}", data={"suspects": [], "why": reason}, source=None)


def _answer(found: Bisected) -> str:
    """The sentence that a bisection comes to."""
    if releases := found.mended_in:
        newest = f"{found.suspects[-1].name} {found.suspects[-1].version}"
        if len(releases) == 1:
            return f"mended in {_release(releases[0])}; {newest} still breaks"
        return f"mended in one of {_listed(releases)}; {newest} still breaks, the others could not be tried"
    if len(found.suspects) == 1:
        return f"{_release(found.suspects[0])} is the first that breaks"
    return f"one of {_listed(found.suspects)} is the first that breaks; the others could not be tried"


def _release(release: Release) -> str:
    return f"{release.name} {release.version}" + (f" (released {release.date})" if release.date else "")


def _listed(releases: tuple[Release, ...]) -> str:
    return ", ".join(map(_release, releases))


def _lines(found: Bisected, store: Path) -> Iterator[str | Item]:
    """The details below the answer."""
    yield from endings(found.lost, store)
    for variant in found.otherwise[:1]:
        yield f"the bad end fails in another way: {ending(variant)}"
    if found.along:
        yield f"the resolver also moved these, and one of them may be the reason: {listed(found.along)}"
    if found.skipped:
        yield f"could not be tried: {_listed(found.skipped)}"
    yield from (f"not run with these sets: {reason}" for reason in found.missing)
    yield from found.how
    yield f"{counted(found.probes, 'probe')} among {counted(found.releases, 'release')}, both ends confirmed"
    yield f"last that works: {version_set(found.last_good)}"


def _data(found: Bisected) -> dict[str, Any]:
    return {
        "suspects": found.suspects,
        "mended_in": found.mended_in,
        "skipped": found.skipped,
        "along": found.along,
        "lost": list(map(ending_data, found.lost)),
        "otherwise": list(map(ending_data, found.otherwise)),
        "probes": found.probes,
        "releases": found.releases,
        "missing": found.missing,
        "how": found.how,
        "good": cell_data(found.good),
        "bad": cell_data(found.bad),
        "last_good": cell_data(found.last_good),
        "first_bad": cell_data(found.first_bad),
    }
