"""What is asked of `check`, in texts: the current set, and the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.decide import version_files, version_sets
from harness.decide.check import Check, Checked, CheckResult, Upgrade
from harness.decide.complete_sets import Unanswered
from harness.decide.experiments import Experiments
from harness.decide.given_sets import GivenSet, names_set
from harness.decide.version_sets import Versions
from harness.errors import VersionsError

_FILES = {".txt", ".in", ".toml", ".lock"}
"""Suffixes that no requirement has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckRequest:
    """A question; without `to` and `outdated` it is whether the current set works.

    Raises:
        VersionsError: both are given.
    """

    current: Path | None
    """The file of the current set."""
    to: Sequence[str] = ()
    """Requirements, or files with the new set."""
    outdated: bool = False
    """Whether the newest version of each axis is the target: alone, and all of them."""
    given: GivenSet = field(default_factory=GivenSet)

    def __post_init__(self) -> None:
        if self.to and self.outdated:
            raise VersionsError("--to and --outdated are two questions: leave out one")

    @property
    def files(self) -> list[Path]:
        """Where the versions stand, the new ones first: those are what somebody changes."""
        return [*map(Path, filter(_is_file, self.to)), *([self.current] if self.current else [])]

    def answer(self, experiments: Experiments) -> Checked:
        """Run what is not known, and answer; an index that does not answer makes it UNKNOWN.

        Raises:
            HarnessError: see errors.py.
        """
        try:
            current = self.given.versions(self.current, experiments)
            question = Check(experiments, current)
            if self.outdated:
                return question.outdated()
            return question.to(*self._target(current.python)) if self.to else question.alone()
        except Unanswered as reason:
            unknown = Upgrade(answer=CheckResult.UNKNOWN, changes=(), forced=(), target=None, reason=str(reason))
            return Checked(answer=CheckResult.UNKNOWN, current=None, upgrades=(unknown,))

    def _target(self, python: str | None) -> tuple[list[Requirement], Versions | None]:
        """(requirements, the set of the files) of `to`, for the `python` of the current set.

        `with_` does not change what a file says: without `--from` it is the current set.
        """
        requirements: list[Requirement] = []
        files: list[Versions] = []
        for text in self.to:
            if _is_file(text):
                files.append(_file(Path(text), self.given.python, python))
            elif Path(text).suffix in _FILES:
                raise VersionsError(f"--to {text}: no such file")
            else:
                requirements.append(version_sets.distribution(text, "--to"))
        if not files:
            return requirements, None
        new = version_sets.together(files)
        added = [version_sets.distribution(text, "--with") for text in self.given.with_]
        missing = [required for required in added if canonicalize_name(required.name) not in new.requirements]
        return requirements, new.with_(missing)


def _is_file(text: str) -> bool:
    """Whether a target is a file with a set, and no requirement."""
    return names_set(text, valid=version_sets.is_requirement(text))


def _file(path: Path, chosen: str | None, python: str | None) -> Versions:
    """The set in `path`, for the `python` of the current set; that it names another one, which is not used, is noted.

    `chosen` is the Python that was asked for.
    """
    found = version_files.read(path, chosen, python)
    if found.python == python:
        return found
    note = f"{path}: its Python {found.python} is not used, both ends have {python}; --python chooses another one"
    found = version_files.read(path, python, None)
    return replace(found, ignored=(*found.ignored, note))
