"""The command check."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rich.console import Console

from harness.cli.console import show
from harness.cli.version_sets import INCONCLUSIVE, given_set, names_set, opened_experiments
from harness.decide import version_files, version_sets
from harness.decide.check import Check, Checked, CheckResult, Upgrade
from harness.decide.experiments import Unanswered
from harness.decide.version_sets import Versions
from harness.errors import VersionsError
from harness.places import Places
from harness.report.pages import check as pages


def check(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Whether an upgrade breaks."""
    if options.to and options.outdated:
        raise VersionsError("--to and --outdated are two questions: leave out one")
    with opened_experiments(options, err) as (experiments, _):
        try:
            current = given_set(options.from_, experiments, options)
            question = Check(experiments, current)
            if options.outdated:
                checked = question.outdated()
            elif options.to:
                checked = question.to(*_target(options, current.python))
            else:
                checked = question.alone()
        except Unanswered as reason:
            unknown = Upgrade(answer=CheckResult.UNKNOWN, changes=(), forced=(), target=None, reason=str(reason))
            checked = Checked(answer=CheckResult.UNKNOWN, current=None, upgrades=(unknown,))
    show(pages.page(checked, experiments.session.store.root, Places(_files(options))), options.format, out)
    return _EXIT_CODES[checked.answer]


_EXIT_CODES = {CheckResult.SAFE: 0, CheckResult.BREAKS: 1, CheckResult.FAILS_ALREADY: 1, CheckResult.UNKNOWN: INCONCLUSIVE}


def _target(options: argparse.Namespace, python: str | None) -> tuple[list[Requirement], Versions | None]:
    """(requirements, the set of the files) of `--to`, for the `python` of the current set.

    `--with` does not change what a file says: without `--from` it is the current set.
    """
    requirements: list[Requirement] = []
    files: list[Versions] = []
    for text in options.to:
        if _is_file(text):
            files.append(_file(Path(text), options.python, python))
        elif Path(text).suffix in _FILES:
            raise VersionsError(f"--to {text}: no such file")
        else:
            requirements.append(version_sets.distribution(text, "--to"))
    if not files:
        return requirements, None
    new = version_sets.together(files)
    added = [version_sets.distribution(text, "--with") for text in options.with_]
    missing = [required for required in added if canonicalize_name(required.name) not in new.requirements]
    return requirements, new.with_(missing)


def _is_file(text: str) -> bool:
    """Whether an argument of `--to` is a file with a set, and no requirement."""
    return names_set(text, valid=version_sets.is_requirement(text))


def _files(options: argparse.Namespace) -> list[Path]:
    """Where the versions stand, the new ones first: those are what somebody changes."""
    return [*(Path(text) for text in options.to or () if _is_file(text)), options.from_ or options.config]


def _file(path: Path, chosen: str | None, python: str | None) -> Versions:
    """The set in `path`, for the `python` of the current set; that it names another one, which is not used, is noted.

    `chosen` is the Python of the command line.
    """
    found = version_files.read(path, chosen, python)
    if found.python == python:
        return found
    note = f"{path}: its Python {found.python} is not used, both ends have {python}; --python chooses another one"
    found = version_files.read(path, python, None)
    return replace(found, ignored=(*found.ignored, note))


_FILES = {".txt", ".in", ".toml", ".lock"}
"""Suffixes that no requirement has."""
