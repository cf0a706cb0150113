"""What differs between two reports: regressions, mends, moved locks, and what proves nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from values import report, reported_cell, reported_variant

from harness.model import Cause, Setup, Stage, Status
from harness.verdicts.differences import ChangeKind, ReportDifference, SettingChange, VersionMove, difference
from harness.verdicts.report_schema import ReportedCell, ReportedVariant

WORKS, FAILS, REMEDIED = Status.WORKS, Status.FAILS, Status.WORKS_WITH_REMEDY
ERROR, FLAKY, NOT_RUN = Status.ERROR, Status.FLAKY, Status.NOT_RUN


def variant(status: Status, layout: str = "pair", **given: Any) -> ReportedVariant:
    stage = None if status is WORKS else Stage.LOAD
    return reported_variant(status, given.pop("stage", stage), layout=layout, unanswered=[], **given)


def cell(*statuses: Status, status: Status | None = None, **given: Any) -> ReportedCell:
    """A cell whose variants, `pair` and then `merged`, have these statuses."""
    variants = [variant(one, layout) for one, layout in zip(statuses, ("pair", "merged"), strict=False)]
    found = status or (WORKS if WORKS in statuses else statuses[0])
    return replace(reported_cell(*variants, status=found), **given)


def between(before: ReportedCell, now: ReportedCell) -> ReportDifference:
    return difference(report(before), report(now))


def changed(before: ReportedCell, now: ReportedCell) -> dict[str, list[str]]:
    """Kind → layouts of the variants that changed so."""
    return {change.kind.value: [pair.now.layout for pair in change.variants] for change in between(before, now).changes}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (cell(WORKS), cell(WORKS), {}),
        (cell(WORKS), cell(FAILS), {"broken": ["pair"]}),
        (cell(FAILS), cell(WORKS), {"mended": ["pair"]}),
        # The cell works all the same, and one way to export is lost.
        (cell(WORKS, WORKS), cell(WORKS, FAILS), {"broken": ["merged"]}),
        (cell(WORKS, FAILS), cell(FAILS, WORKS), {"broken": ["pair"], "mended": ["merged"]}),
        (cell(WORKS), cell(FAILS, status=REMEDIED, remedies=["numpy<2"]), {"broken": ["pair"]}),
        (cell(WORKS), cell(ERROR), {"unknown": ["pair"]}),
        (cell(WORKS), cell(FLAKY), {"unknown": ["pair"]}),
        (cell(FAILS), cell(NOT_RUN), {"unknown": ["pair"]}),
        (cell(WORKS, FAILS), cell(WORKS, ERROR), {"unknown": ["merged"]}),
        (cell(ERROR), cell(FAILS), {"known": ["pair"]}),
        (cell(NOT_RUN), cell(WORKS), {"known": ["pair"]}),
        (cell(ERROR), cell(FLAKY), {}),
        # The variant that worked cannot exist any more, and the others failed before: that costs the cell.
        (cell(WORKS, FAILS), cell(NOT_RUN, FAILS, status=FAILS), {"broken": [], "unknown": ["pair"]}),
    ],
)
def test_how_a_cell_and_its_variants_changed(before, now, expected):
    assert changed(before, now) == expected


def test_a_cell_whose_working_variant_was_not_asked_for_is_no_regression():
    both, one = cell(WORKS, FAILS), replace(cell(FAILS, FAILS), variants=[variant(FAILS, "merged")])
    found = between(both, one)
    assert [change.kind for change in found.changes] == [ChangeKind.QUESTION]
    assert (found.regressions, found.gone_variants, found.new_variants) == ((), 1, 0)
    assert changed(one, both) == {"question": []}


def searched(**given: Any) -> ReportedCell:
    return replace(cell(FAILS), variants=[variant(FAILS, **{"tried": ["numpy<2: fails at load"], **given})])


REMEDY = cell(FAILS, status=REMEDIED, remedies=["numpy<2"])


@pytest.mark.parametrize(
    ("now", "kind"),
    [
        (searched(), "broken"),
        # A remedy that no search has looked for is not ruled out.
        (cell(FAILS), "unknown"),
        (searched(search_open=True), "unknown"),
        (searched(unproven=["opset 14: error at load"]), "unknown"),
        (replace(searched(), variants=[replace(searched().variants[0], unanswered=["numpy"])]), "unknown"),
    ],
)
def test_a_remedy_is_lost_only_if_a_search_ended_without_one(now, kind):
    assert changed(REMEDY, now) == {kind: []}
    assert changed(now, REMEDY) == {"mended" if kind == "broken" else "known": []}


def test_another_cause_or_stage_is_told():
    before = replace(cell(FAILS), variants=[variant(FAILS, cause=Cause.RUNTIME)])
    cause = replace(before, variants=[variant(FAILS, cause=Cause.EXPORTER)])
    stage = replace(before, variants=[variant(FAILS, cause=Cause.RUNTIME, stage=Stage.DECODE)])
    words = replace(before, variants=[variant(FAILS, cause=Cause.RUNTIME, error="other words", signature="other")])
    assert changed(before, cause) == changed(before, stage) == {"otherwise": ["pair"]}
    assert changed(before, words) == {}


def locked(digest: str | None, **versions: str) -> ReportedCell:
    return cell(WORKS, lock=digest, resolved=versions)


def test_which_distributions_moved_in_a_lock():
    before, now = locked("a", numpy="1.26.4", six="1.16.0", sympy="1.13"), locked("b", numpy="2.1.0", sympy="1.13", tqdm="4")
    (moved,) = between(before, now).moved
    assert list(map(str, moved.moves)) == ["numpy 1.26.4 → 2.1.0", "six 1.16.0 → absent", "tqdm absent → 4"]
    assert moved.cells == (now.id,)


def test_locks_that_moved_alike_are_one_and_the_same_versions_may_be_other_files():
    pins = [f"1.{number}" for number in (14, 15, 16)]
    before = [replace(reported_cell(onnx=pin), lock="a", resolved={"numpy": "1"}) for pin in pins]
    now = [replace(one, lock="b", resolved={"numpy": "2"}) for one in before[:2]] + [replace(before[2], lock="c")]
    found = difference(report(*before), report(*now)).moved
    assert [(moved.moves, moved.cells) for moved in found] == [
        ((VersionMove(name="numpy", before="1", now="2"),), (before[0].id, before[1].id)),
        ((), (before[2].id,)),
    ]


@pytest.mark.parametrize("digests", [("a", "a"), (None, "b"), ("a", None)])
def test_a_lock_that_is_the_same_or_not_known_did_not_move(digests):
    before, now = (locked(digest, numpy=version) for digest, version in zip(digests, ("1", "2"), strict=True))
    assert between(before, now).moved == ()


def test_a_handoff_cell_has_two_sides():
    def handoff(digest: str, numpy: str) -> ReportedCell:
        sides = {"export": {"numpy": "1"}, "run": {"numpy": numpy}}
        return cell(WORKS, environment=Setup.HANDOFF, lock=digest, resolved={"numpy": numpy}, resolved_sides=sides)

    (moved,) = between(handoff("a", "1"), handoff("b", "2")).moved
    assert list(map(str, moved.moves)) == ["numpy 1 → 2 (run side)"]


def test_a_regression_has_what_moved_in_its_lock():
    (change,) = between(locked("a", numpy="1"), replace(cell(FAILS), lock="b", resolved={"numpy": "2"})).regressions
    assert list(map(str, change.moves)) == ["numpy 1 → 2"]


def test_cells_match_by_versions_and_setup_not_by_id():
    old, new = reported_cell(), replace(reported_cell(), id="another-id")
    other = replace(reported_cell(), environment=Setup.HANDOFF)
    found = difference(report(old), report(new, other))
    assert (found.compared, found.changes, found.new, found.gone) == (1, (), (other,), ())
    found = difference(report(reported_cell(onnx="1.15.0")), report(new))
    assert (found.compared, [one.id for one in found.new], [one.pins["onnx"] for one in found.gone]) == (
        0,
        ["another-id"],
        ["1.15.0"],
    )


def test_a_version_is_the_same_however_it_is_spelled_and_a_build_is_another_one():
    def one(onnx: str) -> ReportedCell:
        return replace(reported_cell(onnx=onnx), id=f"spelled-{onnx}", lock=onnx, resolved={"onnx": onnx})

    respelled = between(one("1.16"), one("1.16.0"))
    assert (respelled.compared, respelled.new, respelled.gone) == (1, (), ())
    assert [moved.moves for moved in respelled.moved] == [()]
    assert between(one("1.16.0"), one("1.16.0+cpu")).compared == 0


def test_what_differs_besides_versions():
    old = report(reported_cell())
    new = replace(old, platform="macOS", probe=replace(old.probe, id="e" * 16, seed=1))
    assert difference(old, old).settings == ()
    assert difference(old, new).settings == (
        SettingChange(name="probe", before="f" * 16, now="e" * 16),
        SettingChange(name="seed", before="0", now="1"),
        SettingChange(name="platform", before="Linux-x86_64-glibc2.36", now="macOS"),
    )


@pytest.mark.parametrize(
    ("before", "now", "proves"),
    [
        (cell(WORKS), cell(FAILS), True),
        (cell(WORKS), cell(WORKS), True),
        (cell(WORKS), cell(ERROR), False),
        (cell(WORKS), reported_cell(onnx="1.15.0"), False),
        # Nothing worked, so nothing can be lost.
        (cell(FAILS), cell(ERROR), True),
    ],
)
def test_whether_a_regression_could_be_seen(before, now, proves):
    assert between(before, now).proves is proves
