"""The commands check and bisect, and what they share with pin (pin.py): options in, an answer and its exit code out.

Part of the command line (commands.py).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from rich.console import Console
from rich.text import Text

from harness.cli.progress import listener
from harness.decide import version_sets
from harness.decide.bisect import Bisect
from harness.decide.check import Check, Checked, CheckResult, Upgrade
from harness.decide.experiments import Experiments, Unanswered, asked_variants
from harness.decide.version_sets import Versions
from harness.errors import VersionsError
from harness.execution.events import Listener
from harness.execution.opening import opened_for_questions
from harness.execution.settings import Settings
from harness.foreign_text import redacted
from harness.packaging_values import exact_version
from harness.report import answers
from harness.report.formats.markdown import escape

INCONCLUSIVE = 3


@contextmanager
def experiments(settings: Settings, options: argparse.Namespace, err: Console) -> Iterator[tuple[Experiments, Listener]]:
    """Where sets of versions are asked about; what the matrix adds to a cell's requirements is left out."""
    with listener(err, quiet=options.quiet) as listen:
        session = opened_for_questions(settings, listen)
        matrix, variants = asked_variants(session.matrix, options.exporter, options.opset, options.layout)
        with session.with_matrix(matrix.model_copy(update={"constraint": []})) as asking:
            yield Experiments(asking, variants), listen


def given_set(path: Path | None, desk: Experiments, options: argparse.Namespace) -> Versions:
    """The set in `path`, or what the matrix leaves no choice about, with `--python` and `--with`."""
    axes = desk.session.matrix.axes
    only = {axis: values[0] for axis, values in axes.items() if len(values) == 1 and ";" not in values[0]}
    if path is not None:
        found = version_sets.read(path, options.python, only.get("python"))
    else:
        python = options.python or only.pop("python", None)
        exact = {axis: version for axis, version in only.items() if axis != "python" and version != "absent"}
        found = Versions(source="what is given", python=python, exact=exact)
    return found.with_(version_sets.distribution(text, "--with") for text in options.with_)


def check(settings: Settings, options: argparse.Namespace, out: Console, err: Console) -> int:
    """Whether an upgrade breaks."""
    if options.to and options.outdated:
        raise VersionsError("--to and --outdated are two questions: leave out one")
    with experiments(settings, options, err) as (desk, _):
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


def bisect(settings: Settings, options: argparse.Namespace, out: Console, err: Console) -> int:
    """Which release broke it."""
    with experiments(settings, options, err) as (desk, listen):
        try:
            found = Bisect(desk, listen).search(*_ends(desk, options), options.axis)
        except Unanswered as reason:
            match options.format:
                case "json":
                    write_json({"suspects": [], "why": str(reason)})
                case "markdown":
                    sys.stdout.write(page("UNKNOWN", [str(reason)]))
                case _:
                    out.print(Text(f"UNKNOWN  {reason}"))
            return INCONCLUSIVE
    match options.format:
        case "json":
            write_json(answers.bisect_json(found))
        case "markdown":
            sys.stdout.write(answers.bisect_markdown(found, desk.session.store.root))
        case _:
            out.print(Text(answers.culprit(found), style="bold"))
            say(answers.bisect_lines(found, desk.session.store.root), out)
    return INCONCLUSIVE if found.unproven else 0


def _ends(desk: Experiments, options: argparse.Namespace) -> tuple[Versions, Versions]:
    """The good set and the bad one: two files, or two versions of `--axis` in one set."""
    ends = []
    for option, text in (("--good", options.good), ("--bad", options.bad)):
        path = Path(text)
        if os.path.exists(text):  # noqa: PTH110 -- False, too, for what no path can be
            ends.append(given_set(path, desk, options))
        elif options.axis is None:
            raise VersionsError(f"{option} {text}: no such file; for a version name the distribution with --axis")
        elif not _is_version(text):
            raise VersionsError(f"{option} {text}: neither a file nor a version of {options.axis}")
        else:
            base = given_set(options.from_, desk, options)
            named_end = version_sets.distribution(f"{options.axis}=={text}", option)
            ends.append(replace(base.with_([named_end]), source=f"{options.axis} {text}"))
    return ends[0], ends[1]


def _is_version(text: str) -> bool:
    try:
        exact_version(text)
    except ValueError:
        return False
    return True


def page(title: str, lines: Iterable[str]) -> str:
    """An answer in Markdown."""
    return "\n".join([f"# {escape(title)}", "", *(f"- {escape(line)}" for line in lines), ""])


def say(lines: Iterable[str], out: Console) -> None:
    """What is to be said below a title."""
    for line in lines:
        out.print(Text(f"  {line}"), soft_wrap=True)


def write_json(value: object) -> None:
    """An answer for programs."""
    sys.stdout.write(redacted(json.dumps(value, indent=1)) + "\n")
