"""What `check` says of a target that fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement
from values import DYNAMO, MERGED, PAIR, PINS, resolved, result

from harness.decide.check import Check, CheckResult, Upgrade
from harness.decide.complete_sets import Unanswered
from harness.decide.experiments import Experiment
from harness.decide.version_sets import Versions
from harness.matrix.schema import Variants
from harness.model import Stage, Status, Variant
from harness.report.page import items, lines
from harness.report.pages.check import upgrade_lines
from harness.verdicts.judge import VariantVerdict, Verdict

WORKS, FAILS, ERROR = Status.WORKS, Status.FAILS, Status.ERROR
SET = Versions(source="mine", python="3.11", exact=PINS)


def end(variant: Variant, status: Status, stage: Stage = Stage.PARITY, message: str = "no") -> VariantVerdict:
    return VariantVerdict(variant=variant, status=status, results=(result(stage, status, message),))


def verdict(*ends: VariantVerdict, status: Status = FAILS) -> Verdict:
    return Verdict(resolved=resolved(*(one.variant for one in ends)), status=status, variants=ends)


class FakeExperiments:
    """Knows what two sets come to: the current one, and every other."""

    axes = tuple(PINS)
    silent: frozenset[str] = frozenset()
    """What nothing is known of when the parts of an upgrade are looked at."""

    def at_once(self, _name):
        return 1

    def __init__(self, now: Verdict, then: Verdict, require: str) -> None:
        self.rule = Variants(require=require)
        self._now, self._then = now, then

    def complete(self, versions):
        return versions

    def moved(self, versions, exact, *, adds=False):
        if adds and self.silent & exact.keys():
            raise Unanswered("the index is away")
        return Versions(source="the target", python="3.11", exact={**versions.exact, **exact})

    def is_one_cell(self, first, second):
        return first.exact == second.exact

    def run(self, sets):
        return [Experiment(versions=one, verdict=self._now if one == SET else self._then) for one in sets]

    def newest(self, name, bounds, versions):
        return bounds.removeprefix("==") or versions.exact[name]

    def between(self, *_arguments):
        return []

    def remedy(self, *_arguments):
        return None


def upgraded(now: Verdict, then: Verdict, require: str = "all") -> Upgrade:
    (one,) = Check(FakeExperiments(now, then, require), SET).to([Requirement("transformers==5.0.0")]).upgrades
    return one


OLD = end(MERGED, FAILS, Stage.LOAD, "old trouble")
HELPER = end(DYNAMO, FAILS, Stage.RESOLVE, "onnxscript cannot be added: no")


def said(one: Upgrade) -> list[str]:
    return list(lines(items(*upgrade_lines(one, Path()))))


def test_what_works_now_and_is_lost_is_broken_whatever_fails_besides():
    one = upgraded(verdict(end(PAIR, WORKS), OLD), verdict(end(PAIR, FAILS, Stage.EXPORT, "new"), OLD))
    assert one.answer is CheckResult.BREAKS
    assert said(one)[0] == "torchscript opset 17 pair: fails at export: new"
    assert [lost.variant for lost in one.lost] == [PAIR]


def test_whether_what_works_now_is_lost_may_not_be_known():
    one = upgraded(verdict(end(PAIR, WORKS), OLD), verdict(end(PAIR, ERROR, Stage.EXPORT, "killed"), OLD))
    assert (one.answer, one.reason) == (CheckResult.UNKNOWN, "error at export: killed")


def test_what_works_now_is_lost_whatever_is_not_known_besides():
    current = verdict(end(PAIR, WORKS), end(MERGED, ERROR, Stage.EXPORT, "killed"), status=ERROR)
    upgrade = upgraded(current, verdict(end(PAIR, FAILS, Stage.EXPORT, "new"), end(MERGED, WORKS)))
    assert upgrade.answer is CheckResult.BREAKS
    assert [lost.variant for lost in upgrade.lost] == [PAIR]


@pytest.mark.parametrize("require", ["any", "all"])
def test_a_way_that_fails_as_it_does_now_says_nothing_of_the_others(require):
    """What one helper has no room for is the same in both sets, and excuses no other way."""
    now = verdict(end(PAIR, FAILS, Stage.PARITY, "logits differ"), HELPER)
    then = verdict(end(PAIR, FAILS, Stage.IMPORT, "new"), HELPER)
    one = upgraded(now, then, require)
    assert one.answer is CheckResult.FAILS_ALREADY
    assert said(one)[:4] == [
        "the current set fails too, in another way:",
        "torchscript opset 17 pair: fails at import: new",
        "the current set fails in the same way:",
        "dynamo opset 18 pair: fails at resolve: onnxscript cannot be added: no",
    ]


def test_what_fails_as_it_does_now():
    one = upgraded(verdict(OLD, HELPER), verdict(OLD, HELPER), "any")
    assert (one.answer, one.otherwise) == (CheckResult.FAILS_ALREADY, ())
    assert said(one)[0] == "the current set fails in the same way:"


def test_an_index_that_falls_silent_during_the_explanation_erases_no_answer():
    fails = end(PAIR, FAILS, Stage.EXPORT, "new")
    then = Verdict(resolved=resolved(PAIR, transformers="5.0.0", onnx="1.17.0"), status=FAILS, variants=(fails,))
    experiments = FakeExperiments(verdict(end(PAIR, WORKS), status=WORKS), then, "any")
    experiments.silent = frozenset({"onnx"})
    targets = [Requirement("transformers==5.0.0"), Requirement("onnx==1.17.0")]
    (one,) = Check(experiments, SET).to(targets).upgrades
    assert (one.answer, one.unanswered) == (CheckResult.BREAKS, ("the index is away",))
    assert [(step.changes[0].name, step.safe) for step in one.steps] == [("transformers", False), ("onnx", None)]
    assert "alone: onnx 1.16.2 → 1.17.0 not known" in said(one)
    assert "not everything could be tried: the index is away" in said(one)
