"""Remedies of a cell of which several variants must work: with all of them at once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from values import DYNAMO, MERGED, PAIR, resolved, result

from harness.diagnose.remedies import matrix
from harness.diagnose.remedies.interface import Change, Remedy, RemedySearch, apply
from harness.diagnose.remedies.kinds import KINDS
from harness.diagnose.remedies.kinds.axis_version import PATCH
from harness.diagnose.remedies.kinds.opset import OPSET
from harness.diagnose.remedies.kinds.secondary_pin import SECONDARY_PIN
from harness.matrix.plan import Planned
from harness.matrix.schema import Variants
from harness.model import Stage, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict


def bound(text: str) -> Change:
    return Change(kind=SECONDARY_PIN, bounds=(text,))


OLD, NEW = bound("numpy<2"), bound("numpy>=2")
LOWER_OPSET = Change(kind=OPSET, variant=(("opset", 14),))
TORCH, OTHER_TORCH = (Change(kind=PATCH, pin=("torch", version)) for version in ("2.1.1", "2.1.0"))


def judged(planned: Planned, *failing: Variant) -> Verdict:
    variants = []
    for one in planned.variants:
        status = Status.FAILS if one in failing else Status.WORKS
        last = result(Stage.LOAD, status, "no") if one in failing else result(Stage.PARITY)
        variants.append(VariantVerdict(variant=one, status=status, results=(last,)))
    return Verdict(resolved=resolved(), status=Status.FAILS if failing else Status.WORKS, variants=tuple(variants))


def mended(monkeypatch, remedies: dict[Variant, Change], *, works: bool, require: str = "all"):
    """(the report on a cell in which these fail and DYNAMO works, the extra cells that were run at last)."""
    ran: list[Planned] = []
    cell = resolved(PAIR, MERGED, DYNAMO)

    def search(*, planned, **_given):
        (variant,) = planned.variants
        changes = (remedies[variant],)
        found = RemedySearch(trials=(), remedy=Remedy(changes=changes, planned=apply(changes, planned, variant)[0]))
        return SimpleNamespace(run=lambda: found)

    def verdicts(planned, **_given):
        ran.extend(planned)
        return [judged(one, *([] if works else one.variants)) for one in planned]

    monkeypatch.setattr(matrix, "VariantSearch", search)
    wanted = SimpleNamespace(variants=Variants(require=require))
    session = SimpleNamespace(matrix=wanted, extra_cells=SimpleNamespace(searches={}), note=print)
    extra = SimpleNamespace(fresh=set(), acts=False, verdicts=verdicts, session=session)
    before = judged(cell.planned, *remedies)
    verdict = Verdict(resolved=cell, status=Status.FAILS, variants=before.variants)
    return matrix.mend(extra, [verdict], KINDS).reported(KINDS), ran


@pytest.mark.parametrize("works", [True, False])
def test_what_works_with_a_remedy_has_run_with_it_whole(monkeypatch, works):
    reported, (ran,) = mended(monkeypatch, {PAIR: OLD}, works=works)
    assert (ran.bounds, ran.variants) == (("numpy<2",), (PAIR, MERGED, DYNAMO))
    name = resolved().cell.id
    assert reported.cells == ({name: ["numpy<2"]} if works else {})
    assert reported.with_remedy == ({name} if works else frozenset())


def test_remedies_of_several_variants_are_run_at_once(monkeypatch):
    reported, (ran,) = mended(monkeypatch, {PAIR: OLD, MERGED: NEW}, works=False)
    assert ran.bounds == ("numpy<2", "numpy>=2")
    assert reported.with_remedy == frozenset()
    reported, (ran,) = mended(monkeypatch, {PAIR: LOWER_OPSET, MERGED: TORCH}, works=True)
    assert [(one.layout, one.opset) for one in ran.variants] == [("pair", 14), ("merged", 17), ("pair", 18)]
    assert ran.cell.version("torch") == "2.1.1"
    assert list(reported.cells.values()) == [["opset 14", "torch 2.1.1"]]
    assert reported.with_remedy == frozenset()  # it is another cell that works


def test_two_versions_on_one_axis_are_no_one_cell(monkeypatch):
    reported, ran = mended(monkeypatch, {PAIR: TORCH, MERGED: OTHER_TORCH}, works=True)
    assert (reported.cells, ran) == ({}, [])


def test_where_one_variant_is_enough_its_remedy_is(monkeypatch):
    reported, ran = mended(monkeypatch, {PAIR: OLD, MERGED: NEW}, works=False, require="any")
    assert (list(reported.cells.values()), ran) == ([["numpy<2"]], [])


def test_what_is_not_required_need_not_go_on_working(monkeypatch):
    reported, (ran,) = mended(monkeypatch, {PAIR: OLD}, works=True, require="layout=pair, exporter=torchscript")
    assert ran.variants == (PAIR,)
    assert list(reported.cells.values()) == [["numpy<2"]]
