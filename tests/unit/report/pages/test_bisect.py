"""The answer of a bisection."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from values import PAIR, PINS, resolved, result

from harness.decide.bisected import Bisected
from harness.decide.experiments import Experiment
from harness.decide.releases import Release
from harness.decide.version_sets import VersionChange, Versions
from harness.model import Stage, Status
from harness.report.formats import format_named
from harness.report.page import plain
from harness.report.pages import bisect
from harness.verdicts.judge import VariantVerdict, Verdict


def experiment(numpy: str, status: Status = Status.WORKS) -> Experiment:
    end = VariantVerdict(variant=PAIR, status=status, results=(result(Stage.LOAD, status, "no"),))
    versions = Versions(source="mine", python="3.11", exact={**PINS, "numpy": numpy})
    return Experiment(versions=versions, verdict=Verdict(resolved=resolved(PAIR), status=status, variants=(end,)))


def bisected(*suspects: str, last_good: str = "1.26.4") -> Bisected:
    good, bad = experiment(last_good), experiment(suspects[-1], Status.FAILS)
    return Bisected(
        good=good,
        bad=bad,
        last_good=good,
        first_bad=bad,
        good_date=dt.date(2024, 2, 5),
        suspects=tuple(Release(name="numpy", version=version, date=dt.date(2024, 6, 16)) for version in suspects),
        lost=bad.verdict.variants,
        otherwise=(),
        skipped=(),
        along=(VersionChange(name="helper", old="1.0", new=None),),
        releases=9,
        probes=1,
        missing=(),
        unproven=False,
        how=("all that differs was searched",),
    )


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        (bisected("2.0.0"), "numpy 2.0.0 (released 2024-06-16) is the first that breaks"),
        (
            bisected("2.0.0", "2.0.1"),
            (
                "one of numpy 2.0.0 (released 2024-06-16), numpy 2.0.1 (released 2024-06-16) is the first that breaks; "
                "the others could not be tried"
            ),
        ),
        (bisected("1.26.3", last_good="1.26.4"), "mended in numpy 1.26.4 (released 2024-02-05); numpy 1.26.3 still breaks"),
        (
            bisected("1.26.3", "1.26.2", last_good="1.26.4"),
            (
                "mended in one of numpy 1.26.4 (released 2024-02-05), numpy 1.26.3 (released 2024-06-16); numpy 1.26.2 still "
                "breaks, the others could not be tried"
            ),
        ),
    ],
)
def test_the_answer_in_a_sentence(found, answer):
    assert plain(bisect.page(found, Path("/store")).title) == answer


def test_the_details_and_the_data():
    page = bisect.page(bisected("2.0.0"), Path("/store"))
    assert format_named("text").render(page).splitlines()[1:] == [
        "  torchscript opset 17 pair: fails at load: no",
        "  the resolver also moved these, and one of them may be the reason: helper 1.0 → absent",
        "  all that differs was searched",
        "  1 probe among 9 releases, both ends confirmed",
        f"  last that works: Python 3.11, {', '.join(f'{name} {version}' for name, version in PINS.items())}, together",
    ]
    data = json.loads(format_named("json").render(page))
    assert data["suspects"] == [{"name": "numpy", "version": "2.0.0", "date": "2024-06-16"}]
    assert data["along"] == [{"name": "helper", "old": "1.0", "new": None}]
    assert data["lost"] == [
        {"variant": PAIR.id, "status": "fails", "stage": "load", "message": "no", "log": None},
    ]
    assert data["first_bad"]["status"] == "fails"


def test_no_answer_and_why():
    page = bisect.unknown("the index is away")
    assert format_named("text").render(page) == "UNKNOWN: the index is away\n"
    assert json.loads(format_named("json").render(page)) == {"suspects": [], "why": "the index is away"}
