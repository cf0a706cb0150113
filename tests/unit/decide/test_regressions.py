"""Whether what works now works then."""

from __future__ import annotations

import pytest
from values import DYNAMO, MERGED, PAIR, resolved, result

from harness.decide.regressions import gained, last_line, losses, lost, needed, survives
from harness.matrix.schema import Variants
from harness.model import Stage, Status
from harness.verdicts.judge import VariantVerdict, Verdict

WORKS, FAILS, ERROR, NOT_RUN = Status.WORKS, Status.FAILS, Status.ERROR, Status.NOT_RUN
VARIANTS = (PAIR, MERGED, DYNAMO)
ANY, ALL = Variants(), Variants(require="all")


def verdict(status: Status, *ends: Status, stage: Stage = Stage.LOAD, **data) -> Verdict:
    judged = tuple(
        VariantVerdict(variant=variant, status=end, results=(result(Stage.PARITY if end is WORKS else stage, end, **data),))
        for variant, end in zip(VARIANTS, ends, strict=True)
    )
    return Verdict(resolved=resolved(*VARIANTS), status=status, variants=judged)


NOW = verdict(WORKS, WORKS, WORKS, FAILS)


@pytest.mark.parametrize(
    ("then", "by_any", "by_all"),
    [
        (verdict(WORKS, WORKS, WORKS, WORKS), True, True),
        (verdict(WORKS, WORKS, FAILS, FAILS), True, False),
        (verdict(WORKS, FAILS, FAILS, WORKS), False, False),  # another way works: one would have to change
        (verdict(ERROR, FAILS, ERROR, WORKS), None, False),
        (verdict(ERROR, WORKS, ERROR, WORKS), True, None),
        (verdict(FAILS, FAILS, FAILS, FAILS), False, False),
        (verdict(NOT_RUN, NOT_RUN, NOT_RUN, NOT_RUN, stage=Stage.RESOLVE), None, None),
        (verdict(FAILS, NOT_RUN, NOT_RUN, FAILS, stage=Stage.EXPORT), False, False),  # what the probe leaves out cannot exist
        (verdict(NOT_RUN, NOT_RUN, NOT_RUN, FAILS, stage=Stage.EXPORT, open=True), None, None),
    ],
)
def test_a_way_that_works_now_must_work_then(then, by_any, by_all):
    assert survives(NOW, then, ANY) is by_any
    assert survives(NOW, then, ALL) is by_all


@pytest.mark.parametrize(
    ("now", "then", "answer"),
    [(FAILS, WORKS, True), (FAILS, FAILS, False), (FAILS, ERROR, None), (ERROR, WORKS, None), (ERROR, FAILS, False)],
)
def test_where_nothing_works_now(now, then, answer):
    assert survives(verdict(now, now, now, now), verdict(then, then, then, then), ANY) is answer


def test_what_was_lost_and_what_was_gained():
    then = verdict(WORKS, WORKS, FAILS, WORKS)
    assert [one.variant for one in lost(NOW, then, ANY)] == [MERGED]
    assert [one.variant for one in gained(NOW, then, ANY)] == [DYNAMO]
    assert lost(NOW, NOW, ANY) == []


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("Traceback\n  there\nValueError: no\n\n", "ValueError: no"),
        (
            "Types are\n'value', 0.35\n(Occurred when translating attention).",
            "'value', 0.35 (Occurred when translating attention).",
        ),
        (
            "z_(): incompatible function arguments. The following argument types are supported:\n1. (s)\n(Occurred when x).",
            "z_(): incompatible function arguments (Occurred when x).",
        ),
    ],
)
def test_the_last_line_of_a_message_is_its_point(message, line):
    one = VariantVerdict(variant=PAIR, status=FAILS, results=(result(Stage.LOAD, FAILS, message),))
    assert last_line(one) == line


def one(variant, status: Status, stage: Stage = Stage.PARITY, message: str = "no") -> VariantVerdict:
    return VariantVerdict(variant=variant, status=status, results=(result(stage, status, message, open=False),))


def both(status: Status, *ends: VariantVerdict) -> Verdict:
    return Verdict(resolved=resolved(*(end.variant for end in ends)), status=status, variants=ends)


OLD = one(MERGED, FAILS, Stage.LOAD, "old trouble")


@pytest.mark.parametrize(
    ("now", "then", "kind"),
    [
        (one(PAIR, WORKS), one(PAIR, FAILS, Stage.EXPORT), "broken"),
        (one(PAIR, WORKS), one(PAIR, NOT_RUN, Stage.EXPORT), "broken"),
        (one(PAIR, FAILS, Stage.LOAD, "at /a/b.py:1"), one(PAIR, FAILS, Stage.LOAD, "at /c/b.py:2"), "alike"),
        (one(PAIR, FAILS, Stage.LOAD), one(PAIR, FAILS, Stage.DECODE), "otherwise"),
        (one(PAIR, FAILS, Stage.LOAD), one(PAIR, FAILS, Stage.LOAD, "old trouble"), "otherwise"),  # another variant's failure
        (one(PAIR, NOT_RUN, Stage.EXPORT), one(PAIR, FAILS, Stage.LOAD), "otherwise"),
        (one(PAIR, WORKS), one(PAIR, ERROR, Stage.EXPORT), "unknown"),
        (one(PAIR, ERROR, Stage.EXPORT), one(PAIR, FAILS, Stage.EXPORT), "unknown"),
    ],
)
def test_each_variant_has_its_own_earlier_failure(now, then, kind):
    found = losses(both(FAILS, now, OLD), both(FAILS, then, OLD), ALL)
    told = {name: {one.variant for one in getattr(found, name)} for name in ("broken", "alike", "otherwise", "unknown")}
    expected = dict.fromkeys(told, frozenset()) | {"alike": {MERGED}}
    expected[kind] = {PAIR, *expected[kind]}
    assert told == expected


def test_what_must_work_where_one_way_is_not_enough():
    then = both(FAILS, one(PAIR, FAILS, Stage.LOAD), one(MERGED, ERROR), one(DYNAMO, NOT_RUN, Stage.EXPORT))
    assert needed(both(FAILS, *then.variants), then, ALL) == [PAIR, MERGED]  # what cannot exist need not
    assert needed(verdict(WORKS, WORKS, WORKS, FAILS), then, ALL) == [PAIR, MERGED]
    assert needed(verdict(WORKS, FAILS, FAILS, WORKS), then, ALL) == [DYNAMO]
