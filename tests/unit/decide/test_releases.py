"""The histories of several distributions as one."""

from __future__ import annotations

import datetime as dt

from harness.decide.releases import Release, in_order


def history(name: str, **days: int | None) -> list[Release]:
    """Version (`v1`) → the day in January."""
    return [
        Release(name=name, version=version.removeprefix("v"), date=day and dt.date(2026, 1, day))
        for version, day in days.items()
    ]


def order(histories: dict[str, list[Release]], first: str | None = None) -> str:
    return " ".join(f"{one.name}{one.version}" for one in in_order(histories, first))


def test_by_date():
    assert order({"a": history("a", v1=2, v2=9), "b": history("b", v1=5)}) == "a1 b1 a2"


def test_on_one_day_the_suspect_is_first():
    histories = {"a": history("a", v1=5), "b": history("b", v1=5)}
    assert order(histories) == "a1 b1"
    assert order(histories, "b") == "b1 a1"


def test_a_late_release_of_an_old_branch_does_not_come_after_the_new_branch():
    assert order({"a": history("a", v1=9, v2=3), "b": history("b", v1=5)}) == "b1 a1 a2"


def test_without_dates_one_after_the_other():
    histories = {"a": history("a", v1=9, v2=None), "b": history("b", v1=5, v2=6)}
    assert order(histories, "b") == "b1 b2 a1 a2"
