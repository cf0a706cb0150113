"""Every option of the command line once, with its reader, default and help.

Readers and formats stand here by name, so that `--help` imports no more than argparse.
"""

from __future__ import annotations

import argparse
import os
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.report.formats import FORMATS


def _reader(name: str) -> Callable[[str], Any]:
    """The function `module:function` as a reader of values; it is imported when its option is given."""

    def read(text: str) -> object:
        try:
            return pkgutil.resolve_name(name)(text)
        except (ValueError, HarnessError) as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _number(what: str) -> Callable[[str], int]:
    """A reader of positive integers; `what` is their name in errors."""

    def read(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
            raise argparse.ArgumentTypeError(f"expected {what}, 1 or more, not {text!r}")
        return int(text)

    return read


def _share(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]+)?)%", text)
    if match is None or not 0 < float(match[1]) <= 100:
        raise argparse.ArgumentTypeError(f"expected a share of the cells such as 5%, not {text!r}")
    return float(match[1]) / 100


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _store(text: str) -> Path | str:
    return text if "://" in text else Path(text)


def _executor(text: str) -> str:
    name, colon, address = text.partition(":")
    if text != "local" and (name != "dask" or bool(colon) != bool(address)):
        raise argparse.ArgumentTypeError(f"expected local, dask or dask:ADDRESS, not {text!r}")
    return text


def _timeline(text: str) -> Path:
    if (path := Path(text)).suffix not in {".json", ".svg"}:
        raise argparse.ArgumentTypeError(f"expected FILE.json or FILE.svg, not {text!r}")
    return path


EVERYWHERE = ("--config", "--store", "--model", "--profile", "--color")
MATRIX = (*EVERYWHERE, "--quiet")
CELLS = ("--select", "--exclude")
INDEX = ("--offline", "--refresh")
SEARCH = ("--strategy", "--budget")
TASKS = ("--jobs", "--retry", "--force", "--no-forks", "--no-disk-check", "--sandbox", "--allow-pickle")
RUN = ("--executor", "--insecure", "--audit", "--keep-envs", "--timings", "--timeline", "--close-boundaries")
REPORTS = ("--reports", "--format")
COMPARED = ("--against", "--fail-on")
SETS = ("--from", "--with", "--python", "--exporter", "--opset", "--layout")
REGRESSIONS = "regressions"
"""The value of `--fail-on` that is no status: something worked in the report of `--against`, and fails."""
ARGUMENTS: dict[str, dict[str, Any]] = {
    "id": {"metavar": "ID", "help": "id of a cell, as in the reports"},
    "report": {
        "nargs": "?", "metavar": "REPORT",
        "help": "a published report (matrix, variants, catalogue/…) or a file (default: that in --reports, else matrix)",
    },
    "models": {"type": Path, "nargs": "+", "metavar": "MODEL.onnx", "help": "ONNX files"},
    "text": {"nargs": "*", "metavar": "TEXT|FILE|-", "help": "a message, a file that has it (a log), or - for stdin"},
    "sources": {
        "type": Path,
        "nargs": "+",
        "metavar": "STORE-or-JSON",
        "help": "stores of the shards, which are copied into --store, or their matrix.json files, which are joined",
    },
    "--config": {
        "type": Path, "default": Path(os.environ.get("HARNESS_CONFIG", "matrix.toml")), "metavar": "FILE",
        "help": "the matrix (default: matrix.toml, or the one that comes with the project)",
    },
    "--store": {
        "type": _store, "default": _store(os.environ.get("HARNESS_STORE", ".harness")), "metavar": "DIR-or-URL",
        "help": "where results are (default: .harness)",
    },
    "--model": {
        "metavar": "FAMILY-or-DIR", "help": "replaces [probe] model: marian, t5, …, or the folder of a checkpoint"
    },
    "--profile": {"choices": ("tiny", "base"), "help": "replaces [probe] profile: base has real dimensions"},
    "--quiet": {"action": "store_true", "help": "show no progress"},
    "--color": {"choices": ("auto", "always", "never"), "default": "auto", "help": "colours: auto uses them on a terminal"},
    "--select": {
        "action": "append",
        "default": [],
        "metavar": "EXPR",
        "help": "only these cells and variants: 'torch>=2.4,transformers<5'; comma = and, repeated = or",
    },
    "--exclude": {"action": "append", "default": [], "metavar": "EXPR", "help": "not these; expressions as for --select"},
    "--shard": {
        "type": _reader("harness.matrix.shard:parse"), "metavar": "i/n",
        "help": "only this share of the cells, such as 2/3; no two shares need the same export",
    },
    "--shards": {
        "type": _number("a number of shards"), "metavar": "N",
        "help": "with --format github: the most shards (default: one for each export)",
    },
    "--offline": {"action": "store_true", "help": "ask no index; use the cache of uv"},
    "--refresh": {"action": "store_true", "help": "resolve again, even if the locks are known"},
    "--strategy": {
        "choices": ("full", "pairwise"),
        "default": "full",
        "help": "pairwise: run cells that cover all pairs of versions, then those between working and failing cells",
    },
    "--budget": {
        "type": _reader("harness.quantities:seconds"), "metavar": "TIME",
        "help": "start no more tasks after 90s, 10m, 1h; the most informative cells run first",
    },
    "--jobs": {
        "type": _number("a number of probes"), "metavar": "N", "help": "probes at once (default: by cores and memory)"
    },
    "--executor": {
        "type": _executor, "default": "local", "metavar": "local|dask[:ADDRESS]",
        "help": "where tasks run: in this process, in a dask cluster on this machine, or in the one at ADDRESS",
    },
    "--insecure": {
        "action": "store_true", "help": "use a dask scheduler at another address than tls://: who reaches it can run any code"
    },
    "--retry": {
        "action": "append", "choices": ("error", "flaky"), "default": [],
        "help": "run results with this status again; may be repeated",
    },
    "--force": {"action": "store_true", "help": "run everything again"},
    "--audit": {
        "type": _share, "default": 0.0, "metavar": "5%", "help": "run this share of the cells again from scratch, and compare"
    },
    "--timings": {"action": "store_true", "help": "show where the time went, and the shortest time possible on all cores"},
    "--timeline": {
        "type": _timeline, "metavar": "FILE",
        "help": "write what ran where and when: FILE.json, a Chrome trace, or FILE.svg, a picture",
    },
    "--no-remedies": {
        "dest": "remedies", "action": "store_false",
        "help": "neither search nor report remedies (--budget and --strategy pairwise only report known ones)",
    },
    "--close-boundaries": {
        "type": _names, "nargs": "?", "const": [], "metavar": "AXES",
        "help": "run further cells to find the exact versions at which rules begin to hold, on all axes or on these",
    },
    "--no-forks": {
        "action": "store_true", "help": "start a new process for every probe, instead of a fork of one that has imported torch"
    },
    "--sandbox": {
        "choices": ("auto", "require", "off"), "default": "auto",
        "help": "isolate probes from files, network, processes: auto: as far as possible; require: or run nothing; off",
    },
    "--allow-pickle": {
        "action": "store_true", "help": "read a checkpoint with pickled weights, which may run code of whoever made them"
    },
    "--no-disk-check": {
        "dest": "disk_check", "action": "store_false", "help": "start even if the downloads may not fit on the disk"
    },
    "--keep": {
        "type": Path, "action": "append", "default": [], "metavar": "FILE",
        "help": "another matrix whose results are kept; may be repeated",
    },
    "--dry-run": {"action": "store_true", "help": "say what would be freed; remove nothing"},
    "--uv-cache": {
        "action": "store_true",
        "help": "also remove from uv's cache the packages that only removed locks name",
    },
    "--keep-envs": {"action": "store_true", "help": "do not delete the environments"},
    "--reports": {
        "type": Path, "default": Path("reports"), "metavar": "DIR", "help": "the folder of the reports (default: reports)"
    },
    "--open": {"action": "store_true", "help": "open the page of the report in a browser; print nothing"},
    "--publish": {
        "action": "store_true",
        "help": "make the report self-contained: add one trimmed log for each failure, without paths of this machine",
    },
    "--format": {
        "choices": FORMATS, "default": "text",
        "help": "what to print on stdout; html: a page for a browser; svg: its heat map; badge: its answer; github: "
        "annotations, and a job summary",
    },
    "--against": {
        "metavar": "REPORT",
        "help": "show what differs from an earlier report: a file, a folder of reports, or the name of a published one",
    },
    "--fail-on": {
        "choices": ("error", "fails", "flaky", REGRESSIONS),
        "help": "exit with 1 if a cell has this status (regressions: what worked in --against fails), 3 if nothing is proven",
    },
    "--environment": {
        "type": Path, "metavar": "DIR", "help": "run in this virtual environment; the lock of the cell is installed into it"
    },
    "--from": {
        "type": Path, "metavar": "FILE", "dest": "from_",
        "help": "the current version set: requirements.txt, pyproject.toml, pylock.toml, uv.lock, package.json, or a venv",
    },
    "--with": {
        "action": "append", "default": [], "metavar": "REQUIREMENT", "dest": "with_",
        "help": "changes or extends the set: 'onnx==1.17.0', 'numpy<2'; may be repeated",
    },
    "--python": {
        "type": _reader("harness.packaging_values:python_version"), "metavar": "X.Y", "help": "replaces the Python of the set"
    },
    "--exporter": {
        "action": "append", "default": [], "metavar": "NAME", "help": "replaces [variants] exporters; may be repeated"
    },
    "--opset": {"type": _number("an opset"), "metavar": "N", "help": "replaces [variants] opsets"},
    "--layout": {
        "action": "append", "default": [], "metavar": "NAME", "help": "replaces [variants] layouts; may be repeated"
    },
    "--to": {
        "action": "append", "default": [], "metavar": "REQUIREMENT-or-FILE",
        "help": "the target: 'transformers>=5' (the newest such version), or a file with the new set; may be repeated",
    },
    "--outdated": {"action": "store_true", "help": "check the newest version of each axis alone, and all of them together"},
    "--runtime": {
        "action": "append", "default": [], "metavar": "VERSION",
        "help": "an onnxruntime that must stay as it is; may be repeated",
    },
    "--output": {
        "type": Path, "default": Path("matrix.toml"), "metavar": "FILE", "help": "what to write (default: matrix.toml)"
    },
    "--list": {
        "action": "store_true", "help": "list the newest working set for each onnxruntime; run and write nothing"
    },
    "--require": {
        "action": "append", "default": [], "metavar": "REQUIREMENT",
        "help": "a requirement of the set: 'onnxruntime==1.16.3', 'numpy<2', 'optimum'; may be repeated",
    },
    "--prefer": {
        "nargs": "+", "metavar": ("newest|robust|smallest-change-from", "FILE"),
        "help": "newest (the default); robust: neighbouring cells work too; smallest-change-from FILE",
    },
    "--axis": {
        "type": _reader("harness.packaging_values:distribution_name"), "metavar": "NAME",
        "help": "the distribution to move first; --good and --bad may be versions of it",
    },
    "--good": {"required": True, "metavar": "FILE-or-VERSION", "help": "a set, or a version of --axis, that works"},
    "--bad": {"required": True, "metavar": "FILE-or-VERSION", "help": "a set, or a version of --axis, that does not work"},
}  # fmt: skip

OWN: dict[tuple[str, str], dict[str, Any]] = {
    ("plan", "--format"): {"help": "what to print on stdout; github: a job matrix, one job for each shard"},
    ("check", "--from"): {"required": True},
    ("inspect", "--runtime"): {
        "type": _reader("harness.packaging_values:exact_version"),
        "help": "only this onnxruntime, and exit with 1 if it refuses a model, 3 if that is not known; may be repeated",
    },
    ("init", "--force"): {"help": "replace the file"},
    ("clean", "--force"): {"help": "clean even if no result in the store belongs to the matrix"},
    ("bisect", "--from"): {"help": "with --axis: the set in which it is moved; the same kinds of file as for check"},
    ("lookup", "--list"): {"help": "show all messages that are known"},
    ("pin", "--from"): {"help": "pin this set, if it works, instead of a cell; the same kinds of file as for check"},
}
"""(command, option) → its differences from the option of other commands."""
