"""A change makes a target work only where one set of versions with it was run, and works."""

from __future__ import annotations

import pytest
from values import DYNAMO, MERGED, PAIR, PINS, resolved, result

from harness.decide.experiments import Experiment
from harness.decide.target_remedies import TargetRemedies
from harness.decide.version_sets import TargetSet, Versions
from harness.diagnose.remedies.interface import Change, Remedy, apply
from harness.diagnose.remedies.kinds.ir_version import IR_VERSION
from harness.diagnose.remedies.kinds.secondary_pin import SECONDARY_PIN
from harness.matrix.plan import Planned
from harness.matrix.schema import Variants
from harness.model import Stage, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict

WORKS, FAILS, ERROR = Status.WORKS, Status.FAILS, Status.ERROR
SET = Versions(source="mine", python="3.11", exact=PINS)
OLD_NUMPY = Change(kind=SECONDARY_PIN, bounds=("numpy<2",))
NEW_NUMPY = Change(kind=SECONDARY_PIN, bounds=("numpy>=2",))
OLD_PROTOBUF = Change(kind=SECONDARY_PIN, bounds=("protobuf<4",))
IR = Change(kind=IR_VERSION, variant=(("ir_version", 8),))


def end(variant: Variant, status: Status) -> VariantVerdict:
    return VariantVerdict(variant=variant, status=status, results=(result(Stage.LOAD, status),))


def verdict(planned: Planned | None = None, **ends: Status) -> Verdict:
    variants = dict(zip(("pair", "merged", "dynamo"), (PAIR, MERGED, DYNAMO), strict=True))
    judged = tuple(end(variants[name], status) for name, status in ends.items())
    status = FAILS if FAILS in ends.values() else WORKS
    return Verdict(resolved=resolved(PAIR, MERGED, DYNAMO), status=status, variants=judged)


class FakeExperiments:
    """Says of a set with changes what `works` says of it; keeps what it was asked about. No other version is ever tried."""

    axes = tuple(PINS)

    def at_once(self, _name):
        return 1

    def __init__(self, require: str, works) -> None:
        self.rule = Variants(require=require)
        self._works = works
        self.ran: list[Planned] = []

    def run_planned(self, planned):
        self.ran.append(planned)
        ends = tuple(end(one, WORKS if self._works(planned, one) else FAILS) for one in planned.variants)
        return Verdict(resolved=resolved(*planned.variants), status=WORKS, variants=ends)

    def newest(self, _axis, _bounds, versions):
        return versions.exact[_axis]


def mended(remedies: dict[Variant, Change], works=lambda _planned, _one: True, require="all", **then: Status):
    """(the change that is said, what was run for it), of a target in which torchscript was lost."""
    target = verdict(**{"pair": FAILS, "merged": FAILS, "dynamo": WORKS, **then})
    experiments = FakeExperiments(require, works)

    def remedy(planned, one, _now):
        change = remedies.get(one.variant)
        return change and Remedy(changes=(change,), planned=apply((change,), planned, one.variant)[0])

    experiments.remedy = remedy
    now = Experiment(versions=SET, verdict=verdict(pair=WORKS, merged=WORKS, dynamo=WORKS))
    search = TargetRemedies(experiments, now, Experiment(versions=SET, verdict=target), TargetSet(base=SET), moved=list(PINS))
    found = search.search()
    return found and found.change, experiments.ran


def test_what_mends_one_variant_may_be_what_another_cannot_have():
    change, ran = mended({PAIR: OLD_NUMPY, MERGED: NEW_NUMPY}, works=lambda planned, _one: len(planned.bounds) < 2)
    assert change is None
    assert [(set(one.bounds), set(one.variants)) for one in ran] == [({"numpy<2", "numpy>=2"}, {PAIR, MERGED, DYNAMO})]


def test_what_needed_no_mending_must_still_work_with_it():
    change, ran = mended({PAIR: OLD_NUMPY, MERGED: OLD_NUMPY}, works=lambda _planned, one: one != DYNAMO)
    assert (change, len(ran)) == (None, 1)


def test_several_changes_are_one_set_of_versions():
    change, (ran,) = mended({PAIR: OLD_NUMPY, MERGED: OLD_PROTOBUF})
    assert change == "numpy<2 (for torchscript opset 17 pair); protobuf<4 (for torchscript opset 17 merged)"
    assert (ran.bounds, ran.variants) == (("numpy<2", "protobuf<4"), (PAIR, MERGED, DYNAMO))
    change, (ran,) = mended({PAIR: OLD_NUMPY, MERGED: IR})
    assert change == "numpy<2 (for torchscript opset 17 pair); ir-version 8 (for torchscript opset 17 merged)"
    assert [(one.layout, one.ir_version) for one in ran.variants] == [("pair", None), ("merged", 8), ("pair", None)]


def test_every_variant_that_was_lost_must_be_mended():
    assert mended({PAIR: OLD_NUMPY}) == (None, [])
    # What ended in an error was not seen to work, and is run with it.
    change, (ran,) = mended({PAIR: OLD_NUMPY}, merged=ERROR)
    assert (change, set(ran.variants)) == ("numpy<2", {PAIR, MERGED, DYNAMO})


@pytest.mark.parametrize("remedies", [{PAIR: OLD_NUMPY, MERGED: NEW_NUMPY}, {MERGED: NEW_NUMPY}])
def test_where_one_way_is_enough_one_is_mended_and_before_other_versions(remedies):
    change, (ran,) = mended(remedies, require="any", dynamo=FAILS)
    (variant,) = ran.variants
    assert change == f"{remedies[variant].text} (for torchscript opset 17 {variant.layout})"
    assert ran.bounds == remedies[variant].bounds
    assert mended(remedies, lambda _planned, _one: False, require="any", dynamo=FAILS)[0] is None
