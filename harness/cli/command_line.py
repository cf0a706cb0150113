"""The commands: what each accepts, its help, two examples; and the parser of the command line.

`--help` imports no more than argparse: readers and formats stand in options.py by name.
"""

from __future__ import annotations

import argparse
import difflib
import pkgutil
import re
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

import harness
from harness import invocation
from harness.cli.options import ARGUMENTS, CELLS, COMPARED, EVERYWHERE, INDEX, MATRIX, OWN, REPORTS, RUN, SEARCH, SETS, TASKS
from harness.errors import did_you_mean


class CommandLine(NamedTuple):  # dataclasses take ten times as long to import
    """What a command accepts, and its help."""

    group: str
    options: Sequence[str]
    help: str
    examples: Sequence[str]
    """Two, without the name of the program and of the command."""


LOOK, RUN_IT, DECIDE = "show results (runs nothing)", "work with a matrix", "decide (runs what is not known)"
CELL = "py311-t2150-tf5230-o1232-r1163"
COMMANDS: dict[str, CommandLine] = {
    "show": CommandLine(
        group=LOOK,
        options=["report", "--against", "--open", *REPORTS, "--color"],
        help="show what is known: the set to pin for each onnxruntime, then the table",
        examples=["", "catalogue/onnx-7249-ml-dtypes --open"],
    ),
    "explain": CommandLine(
        group=LOOK,
        options=["id", *EVERYWHERE, "--format"],
        help="explain why a cell fails, what makes it work and where it works",
        examples=[CELL, f"{CELL} --format json"],
    ),
    "history": CommandLine(
        group=LOOK,
        options=["id", *REPORTS, "--color"],
        help="show the status of a cell in each run, and what changed between runs",
        examples=[CELL, f"{CELL} --reports out --format json"],
    ),
    "lookup": CommandLine(
        group=LOOK,
        options=["text", "--list", "--format", "--color"],
        help="find an error message in the published reports: its stage, cause, versions, and what made it work",
        examples=['"Unsupported model IR version: 10, max supported IR version: 9"', "error.log --format json"],
    ),
    "inspect": CommandLine(
        group=LOOK,
        options=["models", "--runtime", "--format", "--color"],
        help="read ONNX files: which onnxruntime reads them, what is odd about them, what mends it",
        examples=["model.onnx", "encoder.onnx decoder.onnx --runtime 1.16.3"],
    ),
    "report": CommandLine(
        group=LOOK,
        options=[*MATRIX, *CELLS, "--shard", "--no-remedies", *REPORTS, "--publish", *COMPARED],
        help="write the reports from stored results",
        examples=["--reports out", "--against old/matrix.json --format markdown"],
    ),
    "init": CommandLine(
        group=RUN_IT,
        options=["--from", "--runtime", "--python", "--output", "--force", "--color", "--format"],
        help="write a commented matrix.toml with the versions that you have and the newest ones",
        examples=["--from requirements.txt --runtime 1.16.3", "--from pyproject.toml --output mine.toml"],
    ),
    "doctor": CommandLine(
        group=RUN_IT,
        options=["--config", "--store", "--color", "--format"],
        help="check this machine: uv, interpreters, indexes, disk, memory, store; each problem with its mend",
        examples=["", "--config mine.toml"],
    ),
    "plan": CommandLine(
        group=RUN_IT,
        options=[*MATRIX, *CELLS, *INDEX, *SEARCH, "--shard", "--shards", "--format"],
        help="count cells and tasks, list unsatisfiable cells; install nothing",
        examples=["--config mine.toml", "--strategy pairwise"],
    ),
    "run": CommandLine(
        group=RUN_IT,
        options=[
            *MATRIX,
            *CELLS,
            "--shard",
            *INDEX,
            *SEARCH,
            *TASKS,
            *RUN,
            *REPORTS,
            "--publish",
            "--no-remedies",
            *COMPARED,
        ],
        help="run the matrix and write the reports",
        examples=["--config mine.toml --reports out", "--select onnxruntime==1.16.3,exporter=torchscript"],
    ),
    "cell": CommandLine(
        group=RUN_IT,
        options=["id", *MATRIX, *INDEX, *TASKS, "--environment", "--format"],
        help="run one cell, show its stages and keep its environments",
        examples=[CELL, f"{CELL} --force"],
    ),
    "merge": CommandLine(
        group=RUN_IT,
        options=["sources", *MATRIX, *CELLS, "--no-remedies", *REPORTS, *COMPARED],
        help="make one report of the results of several shards; run nothing",
        examples=["shard-1 shard-2 --reports out", "out-*/matrix.json --reports out"],
    ),
    "clean": CommandLine(
        group=RUN_IT,
        options=[*MATRIX, "--keep", "--uv-cache", "--dry-run", "--force", "--format"],
        help="remove from the store what the matrix does not need; its report stays the same",
        examples=["--dry-run", "--keep matrix-variants.toml --uv-cache"],
    ),
    "pin": CommandLine(
        group=DECIDE,
        options=[
            "--list",
            "--require",
            "--prefer",
            *SETS,
            *MATRIX,
            *CELLS,
            *INDEX,
            "--jobs",
            "--no-disk-check",
            "--sandbox",
            "--allow-pickle",
            *REPORTS,
        ],
        help="choose an observed working set, confirm it in a fresh environment, and write it as lock files",
        examples=["--list", "--require onnxruntime==1.16.3 --require 'transformers>=5'"],
    ),
    "check": CommandLine(
        group=DECIDE,
        options=["--to", "--outdated", *SETS, *MATRIX, *INDEX, *TASKS, "--format"],
        help="find out whether an upgrade breaks, and at which step: run the current set and the target",
        examples=["--from requirements.txt --to 'transformers>=5'", "--from uv.lock --outdated"],
    ),
    "bisect": CommandLine(
        group=DECIDE,
        options=["--good", "--bad", "--axis", *SETS, *MATRIX, *INDEX, *TASKS, "--format"],
        help="find the release that broke it: search between a set that works and one that does not",
        examples=["--axis transformers --good 4.46.3 --bad 4.57.6 --from requirements.txt", "--good good.txt --bad bad.txt"],
    ),
}
"""Each command, those of one group together."""


class _Parser(argparse.ArgumentParser):
    def parse_args(self, args: Sequence[str] | None = None, namespace: None = None) -> argparse.Namespace:  # type: ignore[override]
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{_hint(found.command, unknown)}")
        return found

    def error(self, message: str) -> NoReturn:
        if typed := re.search(r"COMMAND: invalid choice: '([^']*)'", message):
            message = f"there is no command {typed[1]!r}{did_you_mean(typed[1], COMMANDS)}; --help lists them"
        super().error(pkgutil.resolve_name("harness.foreign_text:visible")(message))


def _hint(command: str, unknown: Sequence[str]) -> str:
    """The end of a sentence about options that `command` does not have: who has them, or a similar one; may be empty."""
    for option in (word.partition("=")[0] for word in unknown if word.startswith("--")):
        if others := [name for name, line in COMMANDS.items() if option in line.options]:
            return f"; {option} is an option of {', '.join(others)}"
        names = [name.removeprefix("--") for name in COMMANDS[command].options if name.startswith("--")]
        if close := difflib.get_close_matches(option.removeprefix("--"), names, n=1):
            return f"; did you mean --{close[0]}?"
    return ""


def parser() -> argparse.ArgumentParser:
    """The parser of the command line; `.command` of what it returns is the name of a command."""
    made = _Parser(
        prog=invocation.program(), description=harness.__doc__, epilog=_groups(), formatter_class=argparse.RawTextHelpFormatter
    )
    made.add_argument("--version", action="version", version=harness.__version__)
    # Without a help of its own a command is not listed a second time.
    each = made.add_subparsers(title="commands", metavar="COMMAND", required=True, help="one of those below")
    for name, line in COMMANDS.items():
        examples = "".join(f"\n  {invocation.command(name, example)}" for example in line.examples)
        sub = each.add_parser(
            name, description=line.help, epilog=f"examples:{examples}", formatter_class=argparse.RawDescriptionHelpFormatter
        )
        sub.set_defaults(command=name)
        for argument in line.options:
            added = sub.add_argument(argument, **ARGUMENTS[argument] | OWN.get((name, argument), {}))
            if argument == "id":
                added.completer = _cell_ids  # type: ignore[attr-defined]  # where argcomplete looks for it
    return made


def _cell_ids(*, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """The completions of an id."""
    ids: list[str] = pkgutil.resolve_name("harness.cli.completion:cell_ids")(parsed_args)
    return ids


def _groups() -> str:
    """The commands by group, each with its help and an example."""
    lines: list[str] = []
    for group in dict.fromkeys(line.group for line in COMMANDS.values()):
        lines.append(f"{group}:")
        for name, line in COMMANDS.items():
            if line.group == group:
                lines += [f"  {name:<8} {line.help}", f"           {invocation.command(name, line.examples[0])}"]
        lines.append("")
    return "\n".join([*lines, f"`{invocation.command('COMMAND', '--help')}` has the options of a command, and two examples."])
