"""The published report that a command means."""

from __future__ import annotations

import argparse

from harness import published_reports, report_locations
from harness.cli.options import ARGUMENTS, REGRESSIONS
from harness.errors import ReportError
from harness.published_reports import Published

_REPORTS = ARGUMENTS["--reports"]["default"]


def chosen(options: argparse.Namespace) -> Published:
    """The report that is named, else the one in the folder of reports, else the one that comes with the project.

    Raises:
        ReportError: there is none.
    """
    if options.report:
        return published_reports.named(options.report)
    own = report_locations.report_in(options.reports)
    if own is None and options.reports != _REPORTS:
        raise ReportError(f"{options.reports} has no matrix.json")
    found = published_reports.read(own) if own else published_reports.main()
    if found is None:
        raise ReportError(f"{options.reports} has no matrix.json, and no report comes with this copy of the project")
    return found


def earlier(options: argparse.Namespace) -> Published | None:
    """The report of `--against`, if that is given. It is read before a command replaces it.

    Raises:
        ReportError: as `published_reports.named`; or `--fail-on regressions` has nothing to compare with.
    """
    if options.against:
        return published_reports.named(options.against)
    if options.fail_on == REGRESSIONS:
        raise ReportError(f"--fail-on {REGRESSIONS} compares with an earlier report: name it with --against")
    return None


def same_question(options: argparse.Namespace) -> Published | None:
    """The published report of the matrix that a command means; None for another matrix, model or profile, or for a part."""
    changed = options.model or options.profile or getattr(options, "select", ()) or getattr(options, "exclude", ())
    return None if changed else published_reports.of_matrix(options.config)


def observing(options: argparse.Namespace) -> Published | None:
    """The first published report that answers for this matrix and knows something of the cell `options.id`.

    With the shipped matrix all published reports do: the ids of their cells stand in the catalogue and in `lookup`.
    """
    own = same_question(options)
    if own is None:
        return None
    reports = published_reports.every() if own.name == report_locations.MAIN else iter((own,))
    return next((report for report in reports if report.observed(options.id)), None)
