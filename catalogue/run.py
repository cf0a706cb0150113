"""Runs the cases of the catalogue, compares what is measured with what the cases expect, and writes the published reports.

    nox -s catalogue                      all cases but the large ones; what is known is not run again
    nox -s catalogue -- NAME …            these cases, large ones too
    nox -s catalogue -- --check-only NAME …  compare the published reports with the expectations; run nothing

A case is a folder: `matrix.toml`, `README.md`, `case.toml` (see `Expected`), and where needed `probe.py`. Its report goes to
reports/catalogue/NAME/, and the table of all cases to reports/catalogue/README.md. Exit code: 0 all as expected, 1 something
differs, 3 something could not be measured. With NAME only these are compared, and the table is left as it is.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tabulate import tabulate

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from harness.matrix import selection
from harness.model import Cell, Status
from harness.verdicts.report_schema import ADAPTER, Report, ReportedCell, ReportedVariant

REPORTS = ROOT / "reports" / "catalogue"
LIMIT = 30 * 60
"""Seconds after which one command is ended."""
KEPT = {"matrix.json", "matrix.json.gz", "matrix.md"}
"""What a case publishes of the files of a report."""
PAGE = """# The catalogue, measured

Public reports, each reproduced by a small matrix. `nox -s catalogue` measures them and writes this page;
[catalogue/README.md](../../catalogue/README.md) says how to add one.

{table}
"""
PROMPT = "$ python -m harness "
"""What each question in answers.txt begins with."""


class Strict(BaseModel):
    """Refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Expected(Strict):
    """What a selection of variants must show. Texts are patterns in which `*` stands for anything."""

    where: str
    """A selection as for --select; it must name at least one variant."""
    status: Status
    stage: str | None = None
    cause: str | None = None
    certainty: str | None = None
    error: str | None = None
    """The message of the package."""
    remedy: str | None = None
    """One of the remedies of each variant; `none` if there must be none."""


class Question(Strict):
    """A check or bisect with the answer that it must give."""

    command: Literal["check", "bisect"]
    config: str = "matrix.toml"
    arguments: list[str]
    """`{case}` stands for the folder of the case."""
    answer: str
    """Pattern of the first line."""
    contains: list[str] = Field(default_factory=list)
    """Texts that the whole answer contains."""


class Case(Strict):
    """case.toml."""

    source: list[str]
    """The public reports: `owner/repository#number`."""
    reproduces: Literal["yes", "no", "in part"]
    """Whether the measured verdicts are what the report claims; README.md of the case says more."""
    large: str | None = None
    """What the case needs besides, if it runs only when it is named: disk, memory, a prepared model."""
    cells: dict[Status, int] = Field(default_factory=dict)
    """Status → number of cells."""
    expect: list[Expected] = Field(default_factory=list)
    question: list[Question] = Field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Result:
    """One case as it was measured."""

    name: str
    title: str
    case: Case
    report: Report | None
    differences: tuple[str, ...]


def read(folder: Path) -> Case:
    """The expectations of a case; exits with a sentence if case.toml is wrong."""
    path = folder / "case.toml"
    try:
        return Case.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise SystemExit(f"catalogue/{folder.name}/case.toml: {error}") from None


def title(folder: Path) -> str:
    """The heading of the README of a case."""
    return (folder / "README.md").read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def harness(*arguments: str) -> tuple[int, str]:
    """Exit code and stdout of a command of the harness; its progress goes to stderr."""
    command = [sys.executable, "-m", "harness", *arguments]
    try:
        done = subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return 3, f"no answer after {LIMIT} s"
    return done.returncode, done.stdout


def measure(folder: Path, case: Case, store: str) -> int:
    """Run a case and ask its questions; report and answers are in its folder of reports then. Returns the exit code of `run`.

    What was published before is removed first: a run that ends in an error must not be compared as it was once.
    """
    place, reports = f"catalogue/{folder.name}", REPORTS / folder.name
    run = ("--store", store, "--quiet")
    shutil.rmtree(reports, ignore_errors=True)
    code, _ = harness("run", "--config", f"{place}/matrix.toml", "--reports", str(reports), "--publish", *run)
    # `show --open` makes every other file of a case anew; the one schema is reports/matrix.schema.json.
    for path in reports.glob("matrix.*"):
        if path.name not in KEPT:
            path.unlink()
    answers = ""
    for question in case.question:
        arguments = [argument.format(case=place) for argument in question.arguments]
        _, answer = harness(question.command, "--config", f"{place}/{question.config}", *arguments, *run)
        answer = re.sub(r"(?m)^ +log: .*\n", "", answer)  # they stay on the machine that ran it
        answers += f"{PROMPT}{shlex.join([question.command, *arguments])}\n\n{answer}\n"
    if answers and reports.is_dir():
        (reports / "answers.txt").write_text(answers, encoding="utf-8")
    return code


def published(name: str) -> tuple[Report | None, list[str]]:
    """The published report of a case, and the answers to its questions."""
    folder = REPORTS / name
    try:
        report = ADAPTER.validate_json((folder / "matrix.json").read_bytes())
    except (OSError, ValidationError):
        return None, []
    path = folder / "answers.txt"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return report, [part.split("\n\n", 1)[1] for part in text.split(PROMPT)[1:]]


def differences(case: Case, report: Report | None, answers: list[str]) -> Iterator[str]:
    """What the case expects and the report does not show, one sentence each."""
    if report is None:
        yield "there is no report"
        return
    for status, number in case.cells.items():
        if (found := report.count(status)) != number:
            yield f"{found} cells are {status}, not {number}"
    for expected in case.expect:
        yield from _differences(expected, report)
    if len(answers) != len(case.question):
        yield f"{len(answers)} of {len(case.question)} questions are answered"
        return
    for question, answer in zip(case.question, answers, strict=True):
        first = answer.partition("\n")[0]
        if not _matches(first, question.answer):
            yield f"{question.command} answers {first!r}, not {question.answer!r}"
        yield from (f"{question.command} does not say {text!r}" for text in question.contains if text not in answer)


def _differences(expected: Expected, report: Report) -> Iterator[str]:
    found = list(_selected(expected.where, report))
    if not found:
        yield f"no variant is {expected.where}"
    for cell, variant in found:
        where = f"{cell.id} {variant.exporter} {variant.opset} {variant.layout}"
        if variant.status is not expected.status:
            yield f"{where}: {variant.status}, not {expected.status}"
        for name in ("stage", "cause", "certainty", "error"):
            pattern, value = getattr(expected, name), getattr(variant, name)
            if pattern is not None and not _matches(" ".join(str(value).split()), pattern):
                yield f"{where}: {name} is {value!r}, not {pattern!r}"
        if expected.remedy == "none" and variant.remedies:
            yield f"{where}: a remedy, {variant.remedies[0]!r}, where there must be none"
        elif expected.remedy not in (None, "none") and not any(_matches(it, expected.remedy) for it in variant.remedies):
            yield f"{where}: no remedy {expected.remedy!r}; there are {variant.remedies}"


def _matches(text: str, pattern: str) -> bool:
    """Whether `text` is `pattern`, in which `*` stands for anything and every other character for itself."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def _selected(where: str, report: Report) -> Iterator[tuple[ReportedCell, ReportedVariant]]:
    expression = selection.parse(where)
    for reported in report.cells:
        cell = Cell(id=reported.id, python=reported.python, pins=tuple(reported.pins.items()), setup=reported.setup)
        yield from ((reported, variant) for variant in reported.variants if expression.admits(cell, variant))


def table(results: Iterable[Result]) -> str:
    """The table of all cases, in Markdown."""
    header = ["case", "source", "verdicts", "cause", "boundaries", "remedies", "as reported", "as expected"]
    return tabulate(map(_row, results), header, tablefmt="github", disable_numparse=True)


def _row(result: Result) -> list[str]:
    report = result.report
    measured = [_verdicts, _causes, _boundaries, _remedies]
    return [
        f"[{result.title}](../../catalogue/{result.name}/README.md)",
        ", ".join(result.case.source),
        *(_lines(column(report)) if report else "not measured" for column in measured),
        result.case.reproduces,
        _lines(result.differences) or "yes",
    ]


def _lines(parts: Iterable[str]) -> str:
    """The different ones of `parts` in one cell of a Markdown table."""
    return "<br>".join(dict.fromkeys(part.replace("|", "\\|").replace("<", "&lt;") for part in parts))


def _verdicts(report: Report) -> Iterator[str]:
    return (f"{number} {status}" for status in Status if (number := report.count(status)))


def _failing(report: Report) -> Iterator[ReportedVariant]:
    return (variant for cell in report.cells for variant in cell.variants if variant.status is Status.FAILS)


def _causes(report: Report) -> Iterator[str]:
    for variant in _failing(report):
        yield f"{variant.stage}: {variant.cause}, {variant.certainty}" if variant.cause else f"{variant.stage}: open"


def _boundaries(report: Report) -> Iterator[str]:
    return (rule.text for rule in report.rules)


def _remedies(report: Report) -> Iterator[str]:
    return (variant.remedy for variant in _failing(report) if variant.remedy)


def result(folder: Path) -> Result:
    """A case with its published report, compared."""
    case, (report, answers) = read(folder), published(folder.name)
    found = tuple(differences(case, report, answers))
    return Result(name=folder.name, title=title(folder), case=case, report=report, differences=found)


def main() -> int:
    """Run, compare, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases (default: all but the large ones)")
    parser.add_argument("--check-only", action="store_true", help="compare the published reports; run nothing")
    parser.add_argument("--store", default=str(ROOT / ".harness"), help="where results are (default: .harness)")
    options = parser.parse_args()
    folders = sorted(path.parent for path in HERE.glob("*/case.toml"))
    if unknown := set(options.names) - {folder.name for folder in folders}:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    codes = {}
    for folder in folders:
        case = read(folder)
        if options.check_only or (folder.name not in options.names if options.names else case.large):
            continue
        began = time.monotonic()
        codes[folder.name] = measure(folder, case, options.store)
        sys.stderr.write(f"{folder.name}: exit code {codes[folder.name]}, {time.monotonic() - began:.0f} s\n")
    results = [result(folder) for folder in folders if not options.names or folder.name in options.names]
    for each in results:
        sys.stderr.writelines(f"{each.name}: {difference}\n" for difference in each.differences)
    if not options.check_only and not options.names:
        REPORTS.mkdir(parents=True, exist_ok=True)
        (REPORTS / "README.md").write_text(PAGE.format(table=table(results)), encoding="utf-8")
    if any(codes.values()) or any(each.report is None and not each.case.large for each in results):
        return 3
    return 1 if any(each.differences for each in results if each.report) else 0


if __name__ == "__main__":
    sys.exit(main())
