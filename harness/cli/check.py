"""The command check."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from rich.console import Console
from rich.text import Text

from harness.cli.version_sets import INCONCLUSIVE, experiments, given_set, say, write_json
from harness.decide import version_sets
from harness.decide.check import Check, Checked, CheckResult, Upgrade
from harness.decide.experiments import Unanswered
from harness.errors import VersionsError
from harness.report import answers


def check(options: argparse.Namespace, out: Console, err: Console) -> int:
    """Whether an upgrade breaks."""
    if options.to and options.outdated:
        raise VersionsError("--to and --outdated are two questions: leave out one")
    with experiments(options, err) as (desk, _):
        try:
            question = Check(desk, given_set(options.from_, desk, options), desk.remedy)
            if options.outdated:
                found = question.outdated()
            elif options.to:
                found = question.to(_targets(options.to, options.python))
            else:
                found = question.alone()
        except Unanswered as reason:
            unknown = Upgrade(answer=CheckResult.UNKNOWN, changes=(), forced=(), target=None, why=str(reason))
            found = Checked(answer=CheckResult.UNKNOWN, current=None, upgrades=(unknown,))
    _tell_check(found, desk.session.store.root, options, out)
    return {CheckResult.SAFE: 0, CheckResult.BREAKS: 1, CheckResult.FAILS_ALREADY: 1, CheckResult.UNKNOWN: INCONCLUSIVE}[
        found.answer
    ]


def _targets(texts: Sequence[str], python: str | None) -> list[Requirement]:
    """Requirements, one by one or those of a file."""
    found: list[Requirement] = []
    for text in texts:
        if os.path.exists(text):  # noqa: PTH110 -- False, too, for what no path can be
            read = version_sets.read(Path(text), python, None)
            found += [Requirement(f"{name}=={version}") for name, version in read.exact.items()]
            found += map(Requirement, read.open)
        elif Path(text).suffix in _FILES:
            raise VersionsError(f"--to {text}: no such file")
        else:
            found.append(version_sets.distribution(text, "--to"))
    return found


_FILES = {".txt", ".in", ".toml", ".lock"}
"""How no requirement ends."""


def _tell_check(found: Checked, store: Path, options: argparse.Namespace, out: Console) -> None:
    match options.format:
        case "json":
            write_json(answers.check_json(found))
        case "markdown":
            sys.stdout.write(answers.check_markdown(found, store))
        case "github":
            sys.stdout.write(answers.check_annotations(found, store))
            if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
                with Path(summary).open("a", encoding="utf-8") as file:
                    file.write(answers.check_markdown(found, store))
        case _:
            for one in found.upgrades:
                out.print(Text(f"{one.answer.value}  {answers.title(one)}", style=_STYLES[one.answer]))
                say(answers.check_lines(one, store), out)
            say([*([answers.now(found.current)] if found.current else []), *found.notes], out)


_STYLES = {
    CheckResult.SAFE: "bold #009E73",
    CheckResult.BREAKS: "bold #D55E00",
    CheckResult.FAILS_ALREADY: "bold #D55E00",
    CheckResult.UNKNOWN: "bold #E69F00",
}
