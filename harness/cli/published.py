"""The published report that a command means."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import published
from harness.errors import ReportError, did_you_mean
from harness.published import Published


def chosen(options: argparse.Namespace) -> Published:
    """The report that is named, else the one in the folder of reports, else the one that comes with the project.

    Raises:
        ReportError: there is none.
    """
    if name := options.report:
        paths = published.names()
        if name in paths:
            return published.read(paths[name], name)
        if Path(name).exists():
            return published.read(Path(name))
        raise ReportError(f"no published report is named {name!r}{did_you_mean(name, paths)}; there are {', '.join(paths)}")
    own = options.reports / "matrix.json"
    found = published.read(own) if own.is_file() else published.main()
    if found is None:
        raise ReportError(f"{options.reports} has no matrix.json, and no report comes with this copy of the project")
    return found


def observing(cell: str) -> Published | None:
    """The first published report that knows something of the cell with this id."""
    return next((report for report in published.every() if report.observed(cell)), None)
