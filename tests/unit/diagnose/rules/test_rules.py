"""Rules on reports of which the right rule is known."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from values import reported_cell, reported_variant

from harness.diagnose.rules.conditions import contradicted
from harness.diagnose.rules.rules import NOTHING_PASSED, TOO_MANY_PARTS, find
from harness.model import Cause, Certainty, Setup, Stage, Status
from harness.verdicts.report_schema import ReportedCell, ReportedVariant
from harness.verdicts.rule_model import Condition, ConditionKind, Rule

AXES = ("python", "torch", "transformers", "onnx", "onnxruntime")
SHIPPED = Path(__file__).parents[4] / "reports" / "matrix.json"
TORCH = ("2.1.0", "2.2.0", "2.10.0")
RUNTIME = ("1.16.0", "1.18.0", "1.20.0")


def fails(stage: Stage, signature: str = "s", **given: Any) -> ReportedVariant:
    return reported_variant(Status.FAILS, stage, signature=signature, error=signature, **given)


def grid(variants: Callable[[str, str], Sequence[ReportedVariant]]) -> list[ReportedCell]:
    """Three torches with three runtimes; `variants` says what became of each."""
    return [
        reported_cell(*variants(torch, runtime), torch=torch, onnxruntime=runtime)
        for torch, runtime in itertools.product(TORCH, RUNTIME)
    ]


def rules(cells: Sequence[ReportedCell], axes: Sequence[str] = AXES) -> list[Rule]:
    found, unexplained = find(cells, axes)
    assert unexplained == []
    return found


def texts(cells: Sequence[ReportedCell]) -> list[str]:
    return [rule.text for rule in rules(cells)]


def test_one_version_and_everything_that_a_rule_tells():
    cells = grid(lambda _, runtime: [fails(Stage.LOAD) if runtime < "1.20" else reported_variant()])
    (rule,) = rules(cells)
    assert rule.text == "onnxruntime<1.20.0 → load"
    assert (rule.variants, rule.cells, rule.alone, rule.masked, rule.signatures) == (6, 6, 6, 0, {"s": 6})
    assert [place.cell for place in rule.examples] == [cells[0].id, cells[7].id]
    (boundary,) = rule.boundaries
    assert (boundary.name, boundary.fails, boundary.passes) == ("onnxruntime", "1.18.0", "1.20.0")
    assert (boundary.failed, boundary.passed, boundary.closed) == (["1.16.0", "1.18.0"], ["1.20.0"], False)
    assert (boundary.fails_at.cell, boundary.passes_at.cell, boundary.equal) == (cells[7].id, cells[8].id, True)


def test_versions_are_ordered_as_versions():
    (rule,) = rules(grid(lambda torch, _: [fails(Stage.EXPORT) if torch == "2.10.0" else reported_variant()]))
    assert rule.text == "torch≥2.10.0 → export"
    assert [(one.fails, one.passes) for one in rule.boundaries] == [("2.10.0", "2.2.0")]


def test_a_version_between_two_that_pass_stands_alone_and_has_two_boundaries():
    (rule,) = rules(grid(lambda torch, _: [fails(Stage.EXPORT) if torch == "2.2.0" else reported_variant()]))
    assert rule.text == "torch=2.2.0 → export"
    assert [(one.fails, one.passes) for one in rule.boundaries] == [("2.2.0", "2.1.0"), ("2.2.0", "2.10.0")]


def test_versions_between_two_that_pass_are_one_interval():
    cells = [
        reported_cell(fails(Stage.LOAD) if version in {"1.18.0", "1.20.0"} else reported_variant(), onnxruntime=version)
        for version in ("1.16.3", "1.18.0", "1.20.0", "1.21.0")
    ]
    (rule,) = rules(cells)
    assert (rule.text, rule.variants) == ("1.18.0≤onnxruntime<1.21.0 → load", 2)
    assert [(one.fails, one.passes) for one in rule.boundaries] == [("1.20.0", "1.21.0"), ("1.18.0", "1.16.3")]


def test_what_failed_earlier_is_neither_support_nor_counter_example():
    """The middle torch never comes so far as to load: that it did not fail there says nothing, nor that it failed."""

    def variants(torch: str, runtime: str) -> list[ReportedVariant]:
        if torch == "2.2.0":
            return [fails(Stage.IMPORT, "other")]
        return [fails(Stage.LOAD) if runtime < "1.18" else reported_variant()]

    load, imports = sorted(rules(grid(variants)), key=lambda rule: rule.text)
    assert (load.text, load.variants, load.masked) == ("onnxruntime<1.18.0 → load", 2, 1)
    assert (imports.text, imports.variants, imports.masked) == ("torch=2.2.0 → import", 3, 0)


def test_what_failed_later_is_a_counter_example():
    """All of onnxruntime 1.16 fails, but one variant passed the stage first."""

    def variants(torch: str, runtime: str) -> list[ReportedVariant]:
        if runtime != "1.16.0":
            return [reported_variant()]
        return [fails(Stage.DECODE, "later") if torch == "2.10.0" else fails(Stage.LOAD)]

    # Whatever torch 2.10 fails at, it does not fail to load; and what failed to load says nothing about decoding.
    assert texts(grid(variants)) == ["torch<2.10.0 ∧ onnxruntime<1.18.0 → load", "onnxruntime<1.18.0 → decode"]


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        # It has loaded, whatever happened then.
        (reported_variant(Status.ERROR, Stage.DECODE), "torch<2.10.0 ∧ onnxruntime<1.18.0 → load"),
        (reported_variant(Status.NOT_RUN, Stage.DECODE), "torch<2.10.0 ∧ onnxruntime<1.18.0 → load"),
        (reported_variant(Status.FLAKY, Stage.DECODE), "torch<2.10.0 ∧ onnxruntime<1.18.0 → load"),
        # It has not.
        (reported_variant(Status.FLAKY, Stage.LOAD), "onnxruntime<1.18.0 → load"),
        (reported_variant(Status.ERROR, Stage.LOAD), "onnxruntime<1.18.0 → load"),
        (reported_variant(Status.ERROR, Stage.INSTALL), "onnxruntime<1.18.0 → load"),
        (reported_variant(Status.NOT_RUN, Stage.EXPORT), "onnxruntime<1.18.0 → load"),
        (reported_variant(Status.NOT_RUN), "onnxruntime<1.18.0 → load"),
    ],
)
def test_an_error_proves_nothing_but_that_the_stages_before_were_passed(ended, text):
    def variants(torch: str, runtime: str) -> list[ReportedVariant]:
        if runtime != "1.16.0":
            return [reported_variant()]
        return [ended if torch == "2.10.0" else fails(Stage.LOAD)]

    (rule,) = rules(grid(variants))
    assert (rule.text, rule.variants) == (text, 2)


def test_two_causes_at_one_stage_are_two_rules():
    def variants(torch: str, runtime: str) -> list[ReportedVariant]:
        broken = torch == "2.2.0", runtime >= "1.20"
        return [fails(Stage.LOAD, "torch's" if broken[0] else "the runtime's") if any(broken) else reported_variant()]

    one, other = rules(grid(variants))
    assert (one.text, one.variants, one.alone) == ("onnxruntime≥1.20.0 → load", 3, 2)
    # Where both meet, one of the faults is to be seen.
    assert one.signatures == {"the runtime's": 2, "torch's": 1}
    assert (other.text, other.variants, other.alone) == ("torch=2.2.0 → load", 3, 2)


def test_a_counter_example_makes_a_rule_longer():
    def variants(torch: str, runtime: str) -> list[ReportedVariant]:
        return [
            fails(Stage.LOAD, layout=layout)
            if runtime < "1.20" and (layout, torch) != ("pair", "2.10.0")
            else reported_variant(layout=layout)
            for layout in ("pair", "merged")
        ]

    assert texts(grid(variants)) == ["torch<2.10.0 ∧ onnxruntime<1.20.0 → load", "layout=merged ∧ onnxruntime<1.20.0 → load"]


def test_several_faults_of_one_stage_have_one_rule():
    cells = grid(lambda _, runtime: [fails(Stage.LOAD, f"max IR of {runtime}") if runtime < "1.20" else reported_variant()])
    (rule,) = rules(cells)
    assert rule.signatures == {"max IR of 1.16.0": 3, "max IR of 1.18.0": 3}


GATED, FUSED = "Unsupported model IR version: 10, max supported IR version: 9", "Op (Gemm) [ShapeInferenceError] no rank 2"


def gated(**given: Any) -> ReportedVariant:
    return replace(fails(Stage.LOAD, "gate", **given), error=GATED, cause=Cause.FORMAT_GATE, certainty=Certainty.PROVEN)


def fused(**given: Any) -> ReportedVariant:
    return replace(fails(Stage.LOAD, "fusion", **given), error=FUSED, cause=Cause.RUNTIME, certainty=Certainty.PROVEN)


def of_runtimes(went: Callable[[str, str, int | None], ReportedVariant]) -> list[ReportedCell]:
    """Six onnxruntimes with two exporters, each with the IR version stamped and with another."""
    return [
        reported_cell(
            *(went(runtime, exporter, ir) for exporter in ("torchscript", "dynamo") for ir in (None, 9)), onnxruntime=runtime
        )
        for runtime in ("1.16.3", "1.17.0", "1.18.1", "1.20.1", "1.21.0", "1.32.0")
    ]


def test_two_faults_of_one_stage_are_two_rules():
    """onnxruntime's fusion of MatMul and BatchNorm (1.17 to 1.20), and the IR gate (up to 1.17), which hides it."""

    def went(runtime: str, exporter: str, ir: int | None) -> ReportedVariant:
        given = {"exporter": exporter, "ir_version": ir}
        if exporter == "dynamo" and ir is None and runtime < "1.18":
            return gated(**given)
        return fused(**given) if exporter == "dynamo" and "1.17" < runtime < "1.21" else reported_variant(**given)

    fusion, gate = rules(of_runtimes(went))
    assert fusion.text == "exporter=dynamo ∧ 1.17.0≤onnxruntime<1.21.0 → load"
    assert [str(atom) for atom in fusion.atoms] == ["exporter=dynamo", "onnxruntime≥1.17.0", "onnxruntime<1.21.0"]
    assert (fusion.variants, fusion.masked, fusion.signatures, fusion.causes) == (5, 1, {"fusion": 5}, {"runtime": 5})
    assert [(one.fails, one.passes) for one in fusion.boundaries] == [("1.20.1", "1.21.0"), ("1.17.0", "1.16.3")]
    assert gate.text == "exporter=dynamo ∧ ir-version=stamped ∧ onnxruntime<1.18.1 → load"
    assert (gate.variants, gate.masked, gate.signatures, gate.causes) == (2, 0, {"gate": 2}, {"format gate": 2})
    # What fails with another fault at 1.18.1 has passed the gate.
    assert [(one.fails, one.passes) for one in gate.boundaries] == [("1.17.0", "1.18.1")]


def test_a_fault_does_not_claim_what_fails_in_another_way_although_nothing_passes_between():
    def went(runtime: str, exporter: str, ir: int | None) -> ReportedVariant:
        given = {"exporter": exporter, "ir_version": ir}
        return gated(**given) if runtime < "1.17" else fused(**given) if runtime < "1.21" else reported_variant(**given)

    assert texts(of_runtimes(went)) == ["1.17.0≤onnxruntime<1.21.0 → load", "onnxruntime<1.17.0 → load"]


def test_two_faults_of_one_cause_are_told_apart_by_what_failed():
    def went(runtime: str, exporter: str, ir: int | None) -> ReportedVariant:
        given = {"exporter": exporter, "ir_version": ir}
        other = replace(fused(**given), error="while running LayerNormalization node. Scale size 2", signature="other")
        return other if runtime < "1.17" else fused(**given) if runtime < "1.21" else reported_variant(**given)

    assert texts(of_runtimes(went)) == ["1.17.0≤onnxruntime<1.21.0 → load", "onnxruntime<1.17.0 → load"]


def test_one_message_with_two_proven_causes_is_two_faults():
    """The exporter's graph fails in every runtime, torchscript's only in the older ones, in the same words."""

    def went(runtime: str, exporter: str, ir: int | None) -> ReportedVariant:
        given = {"exporter": exporter, "ir_version": ir}
        if exporter == "dynamo" and ir is None:
            return replace(fused(**given), cause=Cause.EXPORTER)
        if exporter == "torchscript" and runtime < "1.18":
            # Of one of them less is known.
            return fused(**given) if ir is None else replace(fused(**given), cause=None, certainty=Certainty.OPEN)
        return reported_variant(**given)

    exporter, runtime = rules(of_runtimes(went))
    assert (exporter.text, exporter.causes) == ("exporter=dynamo ∧ ir-version=stamped → load", {"exporter": 6})
    assert (runtime.text, runtime.causes) == ("exporter=torchscript ∧ onnxruntime<1.18.1 → load", {"runtime": 2})
    assert runtime.variants == 4


def test_one_fault_that_is_worded_anew_from_release_to_release_is_one_rule():
    def went(runtime: str, exporter: str, ir: int | None) -> ReportedVariant:
        given = {"exporter": exporter, "ir_version": ir}
        told = replace(gated(**given), signature=runtime)
        return told if runtime < "1.21" else reported_variant(**given)

    (rule,) = rules(of_runtimes(went))
    assert (rule.text, len(rule.signatures)) == ("onnxruntime<1.21.0 → load", 4)


@pytest.mark.parametrize(
    ("pythons", "closed"),
    [
        (("3.10", "3.11"), True),
        (("3.9", "3.10"), True),
        (("3.10", "3.12"), False),
        # Patch releases lie between.
        (("3.11.2", "3.11.9"), False),
        (("3.11.2", "3.12.4"), False),
        (("3.11", "3.12.4"), False),
    ],
)
def test_between_two_minor_versions_of_python_lies_nothing(pythons, closed):
    cells = [reported_cell(fails(Stage.INSTALL), python=pythons[0]), reported_cell(python=pythons[1])]
    (rule,) = rules(cells)
    assert [(one.name, one.closed) for one in rule.boundaries] == [("python", closed)]


def test_numbers_of_a_variant_have_an_order_and_what_is_stamped_has_none():
    def variants(_torch: str, runtime: str) -> list[ReportedVariant]:
        return [
            fails(Stage.LOAD, opset=opset, ir_version=ir)
            if runtime < "1.18" and (opset >= 17 or ir is None)
            else reported_variant(opset=opset, ir_version=ir)
            for opset, ir in itertools.product((9, 14, 17, 20), (None, 8, 9))
        ]

    assert texts(grid(variants)) == ["opset≥17 ∧ onnxruntime<1.18.0 → load", "ir-version=stamped ∧ onnxruntime<1.18.0 → load"]


def test_an_absent_axis_is_within_no_bound():
    cells = [
        reported_cell(fails(Stage.EXPORT) if version < "1.19" else reported_variant(), onnxruntime=runtime, optimum=version)
        for version, runtime in itertools.product(("1.16.0", "1.18.0", "1.20.0"), RUNTIME)
    ]
    cells += [reported_cell(onnxruntime=runtime) for runtime in RUNTIME]
    found = rules(cells, (*AXES, "optimum"))
    assert [rule.text for rule in found] == ["optimum<1.20.0 → export"]
    everywhere = [
        replace(cell, variants=[fails(Stage.EXPORT) if "optimum" in cell.pins else reported_variant()]) for cell in cells
    ]
    assert [rule.text for rule in rules(everywhere, (*AXES, "optimum"))] == ["optimum≥1.16.0 → export"]


def locked(cell: ReportedCell, **resolved: str) -> ReportedCell:
    return replace(cell, lock="lock", resolved={**cell.pins, **resolved})


def scattered(cells: Sequence[ReportedCell], broken: Callable[[ReportedCell, bool], bool]) -> list[ReportedCell]:
    """`cells`, in five of which numpy 2 was resolved, one or two of every torch and every runtime."""
    made = []
    for place, cell in enumerate(cells):
        newer = place in {0, 1, 5, 6, 8}
        variants = [fails(Stage.IMPORT) if broken(cell, newer) else reported_variant()]
        made.append(locked(replace(cell, variants=variants), numpy="2.1.0" if newer else "1.26.4"))
    return made


def test_a_transitive_version_where_the_axes_separate_nothing():
    (rule,) = rules(scattered(grid(lambda _, __: []), lambda _cell, newer: newer))
    assert rule.text == "numpy≥2.1.0 → import"
    (boundary,) = rule.boundaries
    assert (boundary.name, boundary.fails, boundary.passes, boundary.equal) == ("numpy", "2.1.0", "1.26.4", False)


def test_a_transitive_version_beside_an_axis():
    cells = scattered(grid(lambda _, __: []), lambda cell, newer: newer and cell.pins["onnxruntime"] < "1.19")
    assert texts(cells) == ["numpy≥2.1.0 ∧ onnxruntime<1.20.0 → import"]


def test_an_axis_is_preferred_to_a_transitive_version_that_separates_as_well():
    cells = [
        locked(cell, triton="3.0" if cell.pins["torch"] == "2.10.0" else "2.0")
        for cell in grid(lambda torch, _: [fails(Stage.EXPORT) if torch == "2.10.0" else reported_variant()])
    ]
    assert texts(cells) == ["torch≥2.10.0 → export"]


def test_an_export_is_judged_by_what_the_export_side_resolved():
    """Of a handoff cell, numpy differs between the sides."""

    def handoff(place: int, cell: ReportedCell) -> ReportedCell:
        export, run = ("2.1.0", "1.26.4") if place % 2 else ("1.26.4", "2.1.0")
        sides = {"export": {**cell.pins, "numpy": export}, "run": {"numpy": run}}
        variants = [fails(Stage.EXPORT) if place % 2 else fails(Stage.LOAD) if place % 4 == 0 else reported_variant()]
        return replace(locked(cell, numpy=run), environment=Setup.HANDOFF, resolved_sides=sides, variants=variants)

    cells = [handoff(place, cell) for place, cell in enumerate(grid(lambda _, __: []))]
    assert "numpy≥2.1.0 → export" in texts(cells)


def test_where_nothing_passed_there_is_no_rule():
    found, (left,) = find(grid(lambda _, __: [fails(Stage.IMPORT)]), AXES)
    assert found == []
    assert (left.stage, left.signature, len(left.variants), left.why) == (Stage.IMPORT, "s", 9, NOTHING_PASSED)


def test_what_no_short_conjunction_separates_is_listed():
    """One variant of 32 in each of 8 cells, told from the others by five fields."""
    fields = {"layout": ("pair", "merged"), "feedback": ("keep-cross", "feed-all"), "binding": ("numpy", "ortvalue")}
    fields |= {"strategy": ("cached", "mixed"), "attention": ("eager", "sdpa")}
    variants = [dict(zip(fields, values, strict=True)) for values in itertools.product(*fields.values())]
    cell = reported_cell(*(reported_variant(**one) for one in variants[:-1]), fails(Stage.DECODE, **variants[-1]))
    found, (left,) = find([cell], AXES)
    assert (found, left.why) == ([], TOO_MANY_PARTS)
    assert [place.variant for place in left.variants] == ["torchscript-17-merged-sdpa-feed-all-ortvalue-mixed"]


def test_conjunctions_that_cannot_be_told_apart_are_named():
    versions = dict(zip(TORCH, ("4.1.0", "4.2.0", "4.3.0"), strict=True))
    cells = [
        reported_cell(fails(Stage.LOAD) if torch >= "2.2" and runtime < "1.20" else reported_variant(),
                      torch=torch, transformers=versions[torch], onnxruntime=runtime, onnx=onnx)
        for torch, runtime, onnx in itertools.product(("2.1.0", "2.2.0"), RUNTIME, ("1.15.0", "1.16.0"))
    ]  # fmt: skip
    # transformers goes with torch in every cell: the same part under two names.
    (rule,) = rules(cells)
    assert rule.text == "torch≥2.2.0 ∧ onnxruntime<1.20.0 → load"
    assert rule.alternatives == ["transformers≥4.2.0 ∧ onnxruntime<1.20.0 → load"]


@pytest.mark.parametrize(("bound", "expected"), [("1.17.3", False), ("1.18.0", False), ("1.19.0", True)])
def test_a_bound_that_was_moved_is_held_against_every_cell(bound, expected):
    cells = grid(lambda _, runtime: [fails(Stage.LOAD) if runtime < "1.18" else reported_variant()])
    moved = [Condition(kind=ConditionKind.AXIS, name="onnxruntime", op="<", value=bound)]
    assert contradicted(cells, AXES, moved, Stage.LOAD, run_side=True) is expected


def test_the_order_of_the_cells_changes_no_rule():
    cells = grid(
        lambda torch, runtime: [
            fails(Stage.LOAD, layout=layout)
            if (layout == "merged" and runtime < "1.20") or (torch > "2.1.0" and runtime == "1.16.0")
            else reported_variant(layout=layout)
            for layout in ("pair", "merged")
        ]
    )
    found = texts(cells)
    for seed in range(5):
        shuffled = random.Random(seed).sample(cells, len(cells))
        assert texts(shuffled) == found


def test_the_shipped_matrix():
    cells, report = shipped()
    found, unexplained = find(cells, list(report["axes"]))
    assert {rule.text: (rule.variants, rule.cells, rule.alone) for rule in found} == {
        "exporter=dynamo ∧ torch≥2.6.0 ∧ onnx<1.23.2 → resolve": (96, 48, 96),
        "torch<2.6.0 ∧ transformers≥4.57.6 → import": (96, 24, 96),
        "layout=merged ∧ onnx≥1.23.2 ∧ onnxruntime<1.32.0 → load": (54, 30, 38),
        # Both releases of node fail so.
        "layout=merged ∧ onnx≥1.23.2 ∧ onnxruntime=absent → load": (36, 20, 28),
        "exporter=dynamo ∧ onnxruntime<1.20.1 → load": (32, 16, 16),
        "exporter=dynamo ∧ onnxruntime-node<1.30.0 → load": (16, 8, 8),
        "exporter=dynamo ∧ layout=merged ∧ torch<2.15.0 ∧ transformers≥5.23.0 → load": (1, 1, 1),
        "exporter=dynamo ∧ torch<2.15.0 ∧ transformers≥5.23.0 → decode": (3, 3, 3),
    }
    assert unexplained == []
    # The gates hide what else ails four of the variants for which the last rule but one holds.
    assert [rule.causes for rule in found if rule.stage is Stage.LOAD] == [
        {"format gate": 54}, {"format gate": 36}, {"format gate": 32}, {"format gate": 16}, {"exporter": 1}
    ]  # fmt: skip
    assert sorted(rule["text"] for rule in report["rules"]) == sorted(rule.text for rule in found)


def test_the_shipped_matrix_by_brute_force():
    """Every rule of the shipped report against every variant, and against every shorter conjunction, in plain Python."""
    cells, report = shipped()
    rules = json.loads(TypeAdapter(list[Rule]).dump_json(find(cells, list(report["axes"]))[0]))
    stages = [stage.value for stage in Stage]
    every = [
        (
            {
                **dict.fromkeys(report["axes"], "absent"),
                **cell["pins"],
                "python": cell["python"],
                **{name: str(variant[name]) for name in ("exporter", "layout")},
            },
            variant,
        )
        for cell in report["cells"]
        for variant in cell["variants"]
    ]
    atoms = [(name, op, value) for name in every[0][0] for op in ("=", "<", ">=") for value in {one[name] for one, _ in every}]

    def number(text: str) -> list[int]:
        return [int(part) for part in text.split(".")]

    def holds(atom: tuple[str, str, str], one: dict[str, str]) -> bool:
        name, op, value = atom
        if op == "=" or name in {"exporter", "layout"} or "absent" in {one[name], value}:
            return one[name] == value and op == "="
        return number(one[name]) < number(value) if op == "<" else number(one[name]) >= number(value)

    def passed(variant: dict[str, Any], stage: str) -> bool:
        return variant["status"] == "works" or stages.index(variant["stage"]) > stages.index(stage)

    def failed(variant: dict[str, Any], rule: dict[str, Any]) -> bool:
        return (variant["status"], variant["stage"]) == ("fails", rule["stage"]) and variant["signature"] in rule["signatures"]

    explained = set()
    for rule in rules:
        conjunction = [(atom["name"], atom["op"], atom["value"]) for atom in rule["atoms"]]
        within = [place for place, (one, _) in enumerate(every) if all(holds(atom, one) for atom in conjunction)]
        support = {place for place in within if failed(every[place][1], rule)}
        assert len(support) == rule["variants"]
        assert not [place for place in within if passed(every[place][1], rule["stage"])], rule["text"]
        explained |= support
    assert explained == {place for place, (_, variant) in enumerate(every) if variant["status"] == "fails"}

    for rule in rules:
        others = [other for other in rules if other is not rule and other["signatures"].keys() & rule["signatures"].keys()]
        alone = [
            one for one, variant in every
            if failed(variant, rule)
            and not any(all(holds((a["name"], a["op"], a["value"]), one) for a in other["atoms"]) for other in others)
        ]  # fmt: skip
        counters = [one for one, variant in every if passed(variant, rule["stage"])]
        able = [atom for atom in atoms if all(holds(atom, one) for one in alone)]
        assert len(alone) == rule["alone"]
        for size in range(len(rule["atoms"])):
            for shorter in itertools.combinations(able, size):
                assert any(all(holds(atom, one) for atom in shorter) for one in counters), shorter


def shipped() -> tuple[list[ReportedCell], dict[str, Any]]:
    from harness.verdicts.report_schema import ADAPTER

    text = SHIPPED.read_bytes()
    return ADAPTER.validate_json(text).cells, json.loads(text)


def processor_time(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def effort(cells: Sequence[ReportedCell], axes: Sequence[str] = AXES) -> float:
    """Processor time of finding rules, in that of a million rounds of a Python loop here and now: machines differ."""

    def loop() -> None:
        seen: dict[int, int] = {}
        for number in range(1_000_000):
            seen[number % 1000] = seen.get(number % 1000, 0) + 1

    return processor_time(lambda: find(cells, axes)) / min(processor_time(loop) for _ in range(3))


def test_the_shipped_matrix_is_quick():
    assert effort(shipped()[0]) < 3


def crowd(broken: Callable[[tuple[int, ...]], bool]) -> list[ReportedCell]:
    """10,000 cells, ten versions on each of four axes, forty transitive distributions."""
    made = []
    for place in itertools.product(range(10), repeat=4):
        names = ("torch", "transformers", "onnx", "onnxruntime")
        cell = reported_cell(
            fails(Stage.IMPORT) if broken(place) else reported_variant(),
            **{name: f"1.{minor}.0" for name, minor in zip(names, place, strict=True)},
        )
        made.append(locked(cell, **{f"dep{number}": str((place[0] * number + place[1]) % 4) for number in range(40)}))
    return made


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (lambda place: place[3] == 3, "onnxruntime=1.3.0 → import"),
        (
            lambda place: place[0] >= 3 and place[1] == 4 and place[2] >= 2 and place[3] < 5,
            "torch≥1.3.0 ∧ transformers=1.4.0 ∧ onnx≥1.2.0 ∧ onnxruntime<1.5.0 → import",
        ),
    ],
)
def test_ten_thousand_cells_are_quick(broken, text):
    cells = crowd(broken)
    assert texts(cells) == [text]
    assert effort(cells) < 30


def test_what_follows_no_rule_ends_too():
    """Failures without any order: hundreds of cells, and no conjunction that is shorter than the cell itself."""
    cells = crowd(lambda place: sum(digit * prime for digit, prime in zip(place, (7, 3, 11, 5), strict=True)) % 23 == 0)
    assert effort(cells) < 80


def test_many_ways_of_exporting_are_quick():
    """As many variants as matrix-variants.toml asks for: 10 cells, 3,640 variants, six causes of which one hides another."""
    fields = {
        "exporter": ("torchscript", "dynamo", "optimum"), "layout": ("no-cache", "pair", "merged", "merged-passthrough"),
        "feedback": ("keep-cross", "feed-all"), "binding": ("numpy", "ortvalue"), "strategy": ("cached", "mixed"),
        "attention": ("eager", "sdpa"), "ir_version": (None, 9),
    }  # fmt: skip
    ways = [dict(zip(fields, values, strict=True)) for values in itertools.product(*fields.values())]

    def went(way: dict[str, Any], runtime: str) -> ReportedVariant:
        if way["exporter"] == "dynamo" and way["attention"] == "eager" and way["layout"] == "pair":
            return fails(Stage.EXPORT, **way)
        if way["layout"].startswith("merged") and way["ir_version"] is None and runtime < "1.24":
            return fails(Stage.LOAD, **way)
        if way["exporter"] == "dynamo" and runtime < "1.20":
            return fails(Stage.LOAD, "operator", **way)
        if way["layout"] == "merged" and way["feedback"] == "feed-all":
            return fails(Stage.DECODE, **way)
        if way["binding"] == "ortvalue" and runtime == "1.16.0" and way["layout"] != "no-cache":
            return fails(Stage.DECODE, "empty", **way)
        return reported_variant(**way)

    cells = [reported_cell(*(went(way, f"1.{minor}.0") for way in ways), onnxruntime=f"1.{minor}.0") for minor in range(16, 26)]
    assert sum(len(cell.variants) for cell in cells) == 3840
    found = texts(cells)
    assert "layout=merged ∧ feedback=feed-all → decode" in found
    assert "exporter=dynamo ∧ layout=pair ∧ attention=eager → export" in found
    assert "exporter=dynamo ∧ onnxruntime<1.20.0 → load" in found
    assert effort(cells) < 30
