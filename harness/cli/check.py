"""The command check."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from rich.console import Console

from harness.cli.console import show
from harness.cli.version_sets import INCONCLUSIVE, given_set, names_set, opened_experiments
from harness.decide import version_files, version_sets
from harness.decide.check import Check, Checked, CheckResult, Upgrade
from harness.decide.experiments import Unanswered
from harness.errors import VersionsError
from harness.report.pages import check as pages


def check(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Whether an upgrade breaks."""
    if options.to and options.outdated:
        raise VersionsError("--to and --outdated are two questions: leave out one")
    with opened_experiments(options, err) as (experiments, _):
        try:
            question = Check(experiments, given_set(options.from_, experiments, options))
            if options.outdated:
                checked = question.outdated()
            elif options.to:
                checked = question.to(_targets(options.to, options.python))
            else:
                checked = question.alone()
        except Unanswered as reason:
            unknown = Upgrade(answer=CheckResult.UNKNOWN, changes=(), forced=(), target=None, reason=str(reason))
            checked = Checked(answer=CheckResult.UNKNOWN, current=None, upgrades=(unknown,))
    show(pages.page(checked, experiments.session.store.root), options.format, out)
    return _EXIT_CODES[checked.answer]


_EXIT_CODES = {CheckResult.SAFE: 0, CheckResult.BREAKS: 1, CheckResult.FAILS_ALREADY: 1, CheckResult.UNKNOWN: INCONCLUSIVE}


def _targets(texts: Sequence[str], python: str | None) -> list[Requirement]:
    """The requirements of `--to`: each value is a requirement, or a file of them."""
    found: list[Requirement] = []
    for text in texts:
        if names_set(text, valid=version_sets.is_requirement(text)):
            read = version_files.read(Path(text), python, None)
            found += [Requirement(f"{name}=={version}") for name, version in read.exact.items()]
            found += map(Requirement, read.open)
        elif Path(text).suffix in _FILES:
            raise VersionsError(f"--to {text}: no such file")
        else:
            found.append(version_sets.distribution(text, "--to"))
    return found


_FILES = {".txt", ".in", ".toml", ".lock"}
"""Suffixes that no requirement has."""
