"""Completion in a shell, by argcomplete; ids of cells come from reports. It must be quick: no matrix is read, nothing asked."""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path

import argcomplete

from harness import regular_files, report_locations
from harness.cli.options import ARGUMENTS

_LIMIT = 8 * 2**20
"""Bytes of the largest report that is read, which takes a tenth of a second."""


def complete(parser: argparse.ArgumentParser) -> None:
    """Write the completions of the line that the shell has put into the environment, and exit."""
    argcomplete.autocomplete(parser)


def cell_ids(options: argparse.Namespace) -> list[str]:
    """The ids in the report in `reports`; without one, in the published report of the matrix. None if it is too large."""
    own = report_locations.report_in(ARGUMENTS["--reports"]["default"])
    default: Path = ARGUMENTS["--config"]["default"]
    given: Path = getattr(options, "config", default)
    shipped = report_locations.reports().get(
        report_locations.report_of(given if given.exists() else report_locations.MATRIX) or ""
    )
    named = given != default
    report = shipped if named and shipped else own or shipped
    if report is None:
        return []
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError, regular_files.RefusedFileError):
        content = regular_files.read_expanded(report, limit=_LIMIT)
        return [str(cell["id"]) for cell in json.loads(content)["cells"]]
    return []
