"""Verdicts → the report."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import PAIR, PINS, rendered, resolved, result

from harness.diagnose.assembly import build
from harness.matrix.plan import Planned
from harness.matrix.schema import ProbeSection
from harness.model import Setup, Stage, Status
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.report_schema import ADAPTER, MESSAGE_LIMIT

AXES = {"python": ["3.11"], **{axis: [version] for axis, version in PINS.items()}}


def verdict(*results, status: Status = Status.WORKS, **pins: str) -> Verdict:
    one = resolved(**pins)
    steps = results or (result(Stage.EXPORT, ir=8), result(Stage.PARITY, max_abs_diff=1e-6))
    return Verdict(resolved=one, status=status, variants=(VariantVerdict(variant=PAIR, status=status, results=tuple(steps)),))


def recommended(verdicts: list[Verdict]) -> dict[str, str]:
    return build(verdicts, AXES, ProbeSection(), None).recommended


def test_what_the_stages_measured_is_in_the_variant():
    (cell,) = build([verdict()], AXES, ProbeSection(), "cpu").cells
    (variant,) = cell.variants
    assert (variant.ir, variant.max_abs_diff, variant.seconds) == (8, 1e-6, 2.0)
    assert cell.resolved["numpy"] == "1.26.4"


def test_eagers_own_difference_is_not_the_parity():
    steps = (result(Stage.EAGER, max_abs_diff=0.5), result(Stage.LOAD, Status.FAILS))
    (cell,) = build([verdict(*steps, status=Status.FAILS)], AXES, ProbeSection(), None).cells
    assert cell.variants[0].max_abs_diff is None


def test_a_long_message_is_cut_in_the_middle():
    steps = [result(Stage.LOAD, Status.FAILS, "a" * 3000 + "z")]
    (cell,) = build([verdict(*steps, status=Status.FAILS)], AXES, ProbeSection(), None).cells
    error = cell.variants[0].error
    assert len(error) <= MESSAGE_LIMIT
    assert error.startswith("a")
    assert error.endswith("z")


def test_the_same_verdicts_give_the_same_bytes_and_generated_is_when_they_were_obtained():
    one, other = (rendered(build([verdict()], AXES, ProbeSection(), None), "json") for _ in range(2))
    assert one == other
    assert '"generated": "2023-11-14T22:13:20+00:00"' in one


def test_what_is_written_reads_the_same():
    made = build([verdict()], AXES, ProbeSection(), None)
    assert ADAPTER.validate_json(rendered(made, "json")) == made


@pytest.mark.parametrize(
    ("cells", "best"),
    [
        ([{"torch": "2.9.0"}, {"torch": "2.10.0"}], "2.10.0"),
        ([{"torch": "2.10.0"}, {"torch": "2.9.0"}], "2.10.0"),
        ([{"transformers": "4.57.0"}, {"transformers": "5.0.0"}], "5.0.0"),
        ([{"torch": "2.9.0", "transformers": "4.0"}, {"torch": "2.1.0", "transformers": "5.0"}], "2.9.0"),
    ],
)
def test_the_newest_torch_and_then_the_newest_transformers_is_recommended(cells, best):
    (chosen,) = recommended([verdict(**pins) for pins in cells]).values()
    assert best in chosen.split("-")


def test_of_equal_versions_one_environment_is_recommended_over_two():
    apart, one = verdict(), verdict()
    cell = replace(apart.cell, id="apart", setup=Setup.HANDOFF)
    apart = replace(apart, resolved=replace(apart.resolved, planned=Planned(cell=cell, variants=(PAIR,))))
    assert recommended([apart, one]) == recommended([one, apart]) == {"1.16.3": one.cell.id}
    assert recommended([apart]) == {"1.16.3": "apart"}


def test_only_working_cells_are_recommended():
    steps = [result(Stage.LOAD, Status.FAILS)]
    assert recommended([verdict(*steps, status=Status.FAILS, torch="2.9.0")]) == {}
