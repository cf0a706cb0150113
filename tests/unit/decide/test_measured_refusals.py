"""The limits, kernels and operators that come with the project agree with the runs that come with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness import published_reports
from harness.cli.lookup import MEASUREMENTS
from harness.decide.missing_releases import MissingRelease
from harness.decide.model_support import Reading
from harness.decide.refusals import Refusal, package_of, refusals
from harness.decide.version_conflicts import VersionConflict
from harness.model import Status


def refused() -> Iterator[tuple[Refusal, str]]:
    """(refusal, version of the package that refused) of all failures in the published reports."""
    for published in published_reports.every():
        for cell in published.report.cells:
            for variant in cell.variants:
                if variant.status is not Status.FAILS:
                    continue
                found = refusals(variant.error or "", MEASUREMENTS, [])
                for refusal in found:
                    if isinstance(refusal, VersionConflict | MissingRelease):
                        continue
                    package = package_of(refusal)
                    yield refusal, {**cell.resolved, **cell.pins}.get(package, "").partition("+")[0]


@pytest.fixture(scope="module")
def all_refused() -> list[tuple[Refusal, str]]:
    return list(refused())


def test_nothing_that_was_refused_in_a_run_is_said_to_be_read(all_refused):
    wrong = [(refusal, version) for refusal, version in all_refused if refusal.readings.get(version) is Reading.READS]
    assert wrong == []


def test_the_runs_have_refusals_of_each_kind_by_measured_releases(all_refused):
    kinds = {type(refusal).__name__ for refusal, version in all_refused if version in refusal.readings}
    assert kinds == {"FormatRefusal", "OperatorRefusal", "ExporterRefusal", "NameRefusal", "MisuseRefusal"}
