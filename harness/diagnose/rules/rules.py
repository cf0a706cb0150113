"""Rules: the smallest conjunctions over axes, variants and transitive versions that separate fails from works. Pure.

A rule is a conjunction and a stage. Its support are the variants that failed there. A variant that passed that stage,
however it ended later, would be a counter-example, and then there is no rule. A variant that stopped earlier is neither,
and is counted as masked. A variant that ended in an error, or was not run further, has passed the stages before, and
counts for no other.

A rule is about one kind of failure (kinds.py). A variant that failed at the same stage in another way is neither support
nor counter-example. But if the rule holds for all failures of another kind, it is sought anew with these as
counter-examples, so that it does not claim them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

from harness.diagnose.rules import conditions, set_cover
from harness.diagnose.rules.conditions import Feature
from harness.diagnose.rules.kinds import FailureKind, kinds
from harness.diagnose.rules.outcomes import Seen, union
from harness.diagnose.rules.separation import Made, Study
from harness.model import Stage
from harness.verdicts.report_schema import ReportedCell
from harness.verdicts.rule_model import Rule, Unexplained

NOTHING_PASSED = "nothing that got as far passed this stage: there is nothing to tell the failures from"
TOO_MANY_PARTS = f"none of the conjunctions of up to {set_cover.LARGEST} parts that were tried separates it from what passed"


def find(cells: Sequence[ReportedCell], axes: Sequence[str]) -> tuple[list[Rule], list[Unexplained]]:
    """The rules about `cells`, those with the largest support first; and the failures that none explains."""
    seen = Seen.of(cells)
    rules: list[Rule] = []
    unexplained: list[Unexplained] = []
    for stage in Stage:
        if seen.failed.get(stage, 0):
            found, left = _stage_rules(seen, stage, cells, axes)
            rules += found
            unexplained += [
                Unexplained(stage=stage, signature=signature, variants=list(map(seen.place, members)), why=why)
                for why, bits in left.items()
                for signature, members in seen.by_signature(bits).items()
            ]
    return sorted(rules, key=lambda rule: (-rule.variants, rule.stage.number, rule.text)), unexplained


def _stage_rules(
    seen: Seen, stage: Stage, cells: Sequence[ReportedCell], axes: Sequence[str]
) -> tuple[list[Rule], dict[str, int]]:
    """The rules about one stage, kind by kind, and the failures that are left, by the reason why they are."""
    if not seen.passed(stage):
        return [], {NOTHING_PASSED: seen.failed[stage]}

    @functools.cache
    def of_side(*, run_side: bool) -> tuple[Sequence[Feature], Sequence[Feature]]:
        features = conditions.features(cells, axes, stage, run_side=run_side)
        return features, tuple(feature.within(seen.reached[stage]) for feature in features)

    known = kinds(seen, stage)
    made: list[tuple[Study, Made]] = []
    left = {TOO_MANY_PARTS: 0, NOTHING_PASSED: 0}
    for kind in known:
        others = [other for other in known if other is not kind]
        passed = seen.passed(stage, run_side=kind.run_side)
        later = union(other.failed for other in others) if kind.first else 0
        if not passed:
            left[NOTHING_PASSED] |= kind.failed
            continue
        features, near = of_side(run_side=kind.run_side)
        study = Study(
            seen=seen,
            stage=stage,
            features=features,
            near=near,
            failed=kind.failed,
            passed=passed | later,
            apart=passed | later,
        )
        found, missing = _kind_rules(study, [] if kind.first else others)
        made += [(study, rule) for rule in found]
        left[TOO_MANY_PARTS] |= missing
    return _merged(made), left


def _kind_rules(study: Study, others: Sequence[FailureKind]) -> tuple[list[Made], int]:
    """The rules about one kind, and the failures that are left."""
    found, missing = study.rules()
    held = union(rule.held for rule in found)
    # The rules hold for every failure of another kind: nothing shows that this kind would have failed there too.
    if claimed := union(other.failed for other in others if not other.failed & ~held):
        narrower, missing_then = replace(study, apart=study.passed | claimed).rules()
        if not missing_then & ~missing and len(narrower) <= len(found):
            return narrower, missing_then
    return found, missing


def _merged(made: Sequence[tuple[Study, Made]]) -> list[Rule]:
    """The rules; kinds with equal conjunctions share one, since nothing tells them apart."""
    by_text: dict[str, list[tuple[Study, Made]]] = {}
    for study, rule in made:
        by_text.setdefault(rule.texts[0], []).append((study, rule))
    merged = []
    for several in by_text.values():
        study, rule = several[0]
        together = replace(study, failed=union(other.failed for other, _ in several))
        merged.append(together.rule(rule, sum(other.alone for _, other in several)))
    return merged
