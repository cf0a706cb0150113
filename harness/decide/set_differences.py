"""What a target changes of the current set; what is installed decides, and not what is written. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from packaging.requirements import Requirement
from packaging.version import Version

from harness.decide.experiments import Experiment
from harness.decide.version_sets import TargetSet, VersionChange, Versions
from harness.errors import VersionsError, did_you_mean
from harness.packaging_values import same_version


def installed(run: Experiment) -> dict[str, str]:
    """Name → version of what a set installs; if it has no lock, of what it pins."""
    found = run.verdict.resolved.versions or run.versions.exact
    return {name: Version(version).public for name, version in found.items()}


def version_in(run: Experiment, name: str) -> str | None:
    """The version of a distribution that a set installs, in the build that it names; None if it does not install it."""
    found, pinned = installed(run).get(name), run.versions.exact.get(name)
    return pinned if same_version(found, pinned) else found


def changes(goal: TargetSet, current: Experiment, new: Mapping[str, str], certain: Collection[str]) -> Iterable[VersionChange]:
    """The differences in what was requested; a file requests all that is named in it or in the current set.

    `new` are the versions of the target. What is missing there is absent if it is `certain`, and else may have any version.
    """
    names = dict.fromkeys(goal.requested)
    if goal.base is not current.versions:
        names |= dict.fromkeys([*goal.base.requirements, *current.versions.requirements])
    old = installed(current)
    for name in names:
        if not same_version(old.get(name), new.get(name)):
            if name in new or name in certain:
                yield VersionChange(name=name, old=old.get(name), new=new.get(name))
        elif builds := _builds(current.versions.exact.get(name), {**goal.base.exact, **goal.requested}.get(name)):
            yield VersionChange(name=name, old=builds[0], new=builds[1])


def _builds(old: str | None, new: str | None) -> tuple[str, str] | None:
    """The two versions, if they are different builds of one."""
    if old is None or new is None or Version(old).local == Version(new).local:
        return None
    return old, new


def moved(base: Versions, versions: Versions, requested: Collection[str]) -> Iterable[VersionChange]:
    """What the resolver had to move in `base` for the `requested` distributions."""
    for name, old in base.exact.items():
        if name not in requested and not same_version(versions.exact.get(name), old):
            yield VersionChange(name=name, old=old, new=versions.exact.get(name))


def moved_along(first: Experiment, second: Experiment, named: Collection[str]) -> tuple[VersionChange, ...]:
    """The difference of the locks of two sets, besides the distributions that are `named`."""
    old, new = (run.verdict.resolved.versions for run in (first, second))
    return tuple(
        VersionChange(name=name, old=old.get(name), new=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old and new and old.get(name) != new.get(name) and name not in named
    )


def require_needed(names: Iterable[str], current: Experiment, target: Experiment) -> None:
    """Require that one of the sets installs each of `names`; one on no axis is only a bound, and brings in nothing.

    Raises:
        VersionsError: neither does.
    """
    if target.verdict.resolved.lock is None:
        return
    needed = _needed(current, target)
    for name in names:
        if name not in needed:
            raise VersionsError(f"nothing in these sets needs {name}{did_you_mean(name, needed)}")


def not_needed(base: Versions, current: Experiment, target: Experiment) -> Iterable[str]:
    """A sentence for each distribution that differs in two files, and that neither set installs."""
    if current.verdict.resolved.lock is None or target.verdict.resolved.lock is None:
        return
    before, after = current.versions.requirements, base.requirements
    for name in sorted((before.keys() | after.keys()) - _needed(current, target)):
        if not _alike(before.get(name), after.get(name)):
            yield f"{name}: its change is not checked, because nothing in these sets needs it"


def _alike(first: str | None, second: str | None) -> bool:
    """Whether two requirements say the same; versions that are written otherwise are equal."""
    return first == second or (first is not None and second is not None and Requirement(first) == Requirement(second))


def _needed(*runs: Experiment) -> set[str]:
    return {name for run in runs for name in run.verdict.resolved.versions}
