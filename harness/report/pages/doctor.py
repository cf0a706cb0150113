"""What `doctor` found, as a page."""

from __future__ import annotations

from collections.abc import Sequence

from harness.doctor import HealthCheck, Outcome
from harness.model import Status
from harness.report.page import Item, Items, Page, Span, items, joined
from harness.report.tables import counted

_STATUS = {Outcome.OK: Status.WORKS, Outcome.WARNING: Status.FLAKY, Outcome.PROBLEM: Status.FAILS}


def page(found: Sequence[HealthCheck]) -> Page[Sequence[HealthCheck]]:
    """The page of all checks."""
    problems = [check for check in found if check.outcome is Outcome.PROBLEM]
    answer = f"{counted(len(problems), 'problem')} on this machine" if problems else "a run can begin on this machine"
    return Page(
        title=Span(answer, status=Status.FAILS if problems else Status.WORKS),
        blocks=[Items(items=[_entry(check) for check in found])],
        data=[{"check": check.name, "outcome": check.outcome, "found": check.found, "mend": check.mend} for check in found],
        source=found,
    )


def _entry(check: HealthCheck) -> Item:
    text = joined(Span(check.outcome.value, status=_STATUS[check.outcome]), f" {check.name}: {check.found}")
    return Item(text=text, blocks=[items(check.mend)] if check.mend else [])
