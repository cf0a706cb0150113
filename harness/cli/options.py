"""What the command line accepts: every option, once, with its reader, default and help; and every command with its options."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import harness
from harness.errors import ShardError
from harness.foreign_text import visible
from harness.matrix import shard
from harness.packaging_values import distribution_name, python_version
from harness.quantities import seconds


def _jobs(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of probes, 1 or more, not {text!r}")
    return int(text)


def _opset(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected an opset, 1 or more, not {text!r}")
    return int(text)


def _shard(text: str) -> shard.Shard:
    try:
        return shard.parse(text)
    except ShardError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _shards(text: str) -> int:
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= shard.GITHUB_JOBS:
        raise argparse.ArgumentTypeError(f"expected a number of shards, 1 to {shard.GITHUB_JOBS}, not {text!r}")
    return int(text)


def _audited(text: str) -> float:
    match = _SHARE.fullmatch(text)
    if match is None or not 0 < float(match[1]) <= 100:
        raise argparse.ArgumentTypeError(f"expected a share of the cells such as 5%, not {text!r}")
    return float(match[1]) / 100


def _budget(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _store(text: str) -> Path | str:
    return text if "://" in text else Path(text)


def _executor(text: str) -> str:
    name, colon, address = text.partition(":")
    if text != "local" and (name != "dask" or bool(colon) != bool(address)):
        raise argparse.ArgumentTypeError(f"expected local, dask or dask:ADDRESS, not {text!r}")
    return text


def _python(text: str) -> str:
    try:
        return python_version(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a CPython such as 3.11, not {text!r}") from None


def _distribution(text: str) -> str:
    try:
        return distribution_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


EVERYWHERE = ("--config", "--store", "--model", "--profile", "--color")
MATRIX = (*EVERYWHERE, "--quiet")
CELLS = ("--select", "--exclude")
ASKING = ("--offline", "--refresh")
SEARCHING = ("--strategy", "--budget")
WORKING = ("--jobs", "--retry", "--force", "--no-forks")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]+)?)%")
RUNNING = ("--executor", "--audit", "--keep-envs", "--timings", "--close-boundaries")
WRITING = ("--reports", "--format")
SETS = ("--from", "--with", "--python", "--exporter", "--opset", "--layout")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "id": {"metavar": "ID", "help": "a cell's id, as in the reports"},
    "sources": {
        "type": Path,
        "nargs": "+",
        "metavar": "STORE-or-JSON",
        "help": "the shards' stores, which are copied into --store, or their matrix.json files, which are joined",
    },
    "--config": {"type": Path, "default": Path("matrix.toml"), "metavar": "FILE", "help": "the matrix (default: matrix.toml)"},
    "--store": {
        "type": _store, "default": Path(".harness"), "metavar": "DIR-or-URL", "help": "where results are kept (.harness)"
    },
    "--model": {
        "metavar": "FAMILY-or-DIR", "help": "instead of [probe] model: marian, t5, …, or a saved checkpoint's folder"
    },
    "--profile": {"choices": ("tiny", "base"), "help": "instead of [probe] profile: base has real dimensions"},
    "--quiet": {"action": "store_true", "help": "no progress"},
    "--color": {"choices": ("auto", "always", "never"), "default": "auto"},
    "--select": {
        "action": "append",
        "default": [],
        "metavar": "EXPR",
        "help": "only these: 'torch>=2.4,transformers<5'; comma = and, repeated = or",
    },
    "--exclude": {"action": "append", "default": [], "metavar": "EXPR", "help": "not these; same expressions"},
    "--shard": {
        "type": _shard, "metavar": "i/n", "help": "only this share of the cells: 1/3, 2/3 and 3/3 are all, and share no export"
    },
    "--shards": {
        "type": _shards, "metavar": "N", "help": "with --format github: at most so many (default: one for each export)"
    },
    "--offline": {"action": "store_true", "help": "ask no index; use what uv's cache holds"},
    "--refresh": {"action": "store_true", "help": "resolve anew, although the locks are known"},
    "--strategy": {
        "choices": ("full", "pairwise"),
        "default": "full",
        "help": "pairwise: cells in which all pairs of versions meet, then those between what works and what fails",
    },
    "--budget": {
        "type": _budget, "metavar": "TIME", "help": "begin nothing more after 90s, 10m, 1h; most telling cells first"
    },
    "--jobs": {"type": _jobs, "metavar": "N", "help": "probes at once (default: by cores and memory)"},
    "--executor": {
        "type": _executor, "default": "local", "metavar": "local|dask[:ADDRESS]",
        "help": "who does the work: this process, a dask cluster on this machine, or that of the scheduler at ADDRESS",
    },
    "--retry": {
        "action": "append", "choices": ("error", "flaky"), "default": [],
        "help": "run again what ended in an error, or was flaky; may be repeated",
    },
    "--force": {"action": "store_true", "help": "run again everything that is selected, or asked"},
    "--audit": {
        "type": _audited, "default": 0.0, "metavar": "5%", "help": "do this share of the cells again from scratch, and compare"
    },
    "--timings": {"action": "store_true", "help": "say where the time went, against what all cores could have done it in"},
    "--no-remedies": {
        "dest": "remedies", "action": "store_false",
        "help": "neither try nor tell what mends what fails (--budget and --strategy pairwise do not try it either)",
    },
    "--close-boundaries": {
        "type": _names, "nargs": "?", "const": [], "metavar": "AXES",
        "help": "run the cells that find the exact versions at which the rules begin to hold: on all axes, or on some",
    },
    "--no-forks": {
        "action": "store_true", "help": "start a process for every probe, instead of forks of one that has imported torch"
    },
    "--keep-envs": {"action": "store_true", "help": "leave the environments behind"},
    "--reports": {
        "type": Path, "default": Path("reports"), "metavar": "DIR", "help": "where the reports go (default: reports)"
    },
    "--format": {"choices": ("text", "json", "markdown"), "default": "text", "help": "what to print on stdout"},
    "--fail-on": {
        "choices": ("error", "fails", "flaky"),
        "help": "exit with 1 if a cell has this status, with 3 if nothing is proven",
    },
    "--environment": {
        "type": Path, "metavar": "DIR", "help": "run in this virtual environment, filled from the cell's lock"
    },
    "--from": {
        "type": Path, "metavar": "FILE", "dest": "from_",
        "help": "the current set: requirements.txt, pylock.toml, uv.lock, or the folder of a virtual environment",
    },
    "--with": {
        "action": "append", "default": [], "metavar": "REQUIREMENT", "dest": "with_",
        "help": "instead of, or besides, what the set says: 'onnx==1.17.0', 'numpy<2'; may be repeated",
    },
    "--python": {"type": _python, "metavar": "X.Y", "help": "instead of the Python that the set says"},
    "--exporter": {
        "action": "append", "default": [], "metavar": "NAME", "help": "instead of [variants] exporters; may be repeated"
    },
    "--opset": {"type": _opset, "metavar": "N", "help": "instead of [variants] opsets"},
    "--layout": {
        "action": "append", "default": [], "metavar": "NAME", "help": "instead of [variants] layouts; may be repeated"
    },
    "--to": {
        "action": "append", "default": [], "metavar": "REQUIREMENT-or-FILE",
        "help": "what to go to: 'transformers>=5' (the newest that it admits), or a file with the new set; may be repeated",
    },
    "--outdated": {"action": "store_true", "help": "the newest version of each axis alone, and all together"},
    "--require": {
        "action": "append", "default": [], "metavar": "REQUIREMENT",
        "help": "what the set must have: 'onnxruntime==1.16.3', 'numpy<2', 'optimum'; may be repeated",
    },
    "--prefer": {
        "nargs": "+", "metavar": ("newest|robust|smallest-change-from", "FILE"),
        "help": "newest (the default); robust: those one step away work too; smallest-change-from FILE",
    },
    "--axis": {
        "type": _distribution, "metavar": "NAME",
        "help": "the distribution that is suspected first; --good and --bad may be versions of it",
    },
    "--good": {"required": True, "metavar": "FILE-or-VERSION", "help": "what works"},
    "--bad": {"required": True, "metavar": "FILE-or-VERSION", "help": "what does not"},
}  # fmt: skip

OWN: dict[tuple[str, str], dict[str, Any]] = {
    ("plan", "--format"): {"choices": ("text", "github"), "help": "what to print: github is a job matrix, one job a shard"},
    ("check", "--from"): {"required": True},
    ("check", "--format"): {
        "choices": ("text", "json", "markdown", "github"),
        "help": "what to print: github is an annotation, and a job summary in $GITHUB_STEP_SUMMARY",
    },
    ("bisect", "--from"): {"help": "with --axis: the set in which it is moved; kinds as for check"},
    ("pin", "--from"): {"help": "instead of a cell of the matrix the set in this file, if it works; kinds as for check"},
}
"""(command, option) → where it differs from what the option is elsewhere."""

COMMANDS: dict[str, tuple[Sequence[str], str]] = {
    "plan": (
        [*MATRIX, *CELLS, *ASKING, *SEARCHING, "--shard", "--shards", "--format"],
        "count cells and work, name unsatisfiable cells; installs nothing",
    ),
    "run": (
        [
            *MATRIX,
            *CELLS,
            "--shard",
            *ASKING,
            *SEARCHING,
            *WORKING,
            *RUNNING,
            *WRITING,
            "--no-remedies",
            "--fail-on",
        ],
        "run the matrix and write the reports",
    ),
    "report": (
        [*MATRIX, *CELLS, "--shard", "--no-remedies", *WRITING],
        "write the reports from what is already known; runs nothing",
    ),
    "merge": (
        ["sources", *MATRIX, *CELLS, "--no-remedies", *WRITING],
        "make one report of what shards found out; runs nothing",
    ),
    "cell": (
        ["id", *MATRIX, *ASKING, *WORKING, "--environment"],
        "run one cell, print its stages and keep its environments",
    ),
    "explain": (
        ["id", *EVERYWHERE],
        "tell why a cell fails, what mends it and where it works; runs nothing",
    ),
    "pin": (
        ["--require", "--prefer", *SETS, *MATRIX, *CELLS, *ASKING, "--jobs", *WRITING],
        "choose an observed working set, confirm it in a fresh environment, and write it as lock files",
    ),
    "check": (
        ["--to", "--outdated", *SETS, *MATRIX, *ASKING, *WORKING, "--format"],
        "will an upgrade break, and at which step: run the current set and the target",
    ),
    "bisect": (
        ["--good", "--bad", "--axis", *SETS, *MATRIX, *ASKING, *WORKING, "--format"],
        "which release broke it: search between a set that works and one that does not",
    ),
}
"""Command → the options that it has a use for, and accepts; its help."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(visible(message))


def parser() -> argparse.ArgumentParser:
    """The parser of the command line; `.command` of what it returns is the name of a command."""
    made = _Parser(prog="harness", description=harness.__doc__)
    made.add_argument("--version", action="version", version=harness.__version__)
    each = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (accepted, help_text) in COMMANDS.items():
        sub = each.add_parser(name, help=help_text, description=help_text)
        sub.set_defaults(command=name)
        for argument in accepted:
            sub.add_argument(argument, **ARGUMENTS[argument] | OWN.get((name, argument), {}))
    return made
