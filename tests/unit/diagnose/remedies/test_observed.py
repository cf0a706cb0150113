"""What the matrix itself shows to mend a failure: siblings in the cell, neighbours on one axis; and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import PAIR, resolved, result

from harness.diagnose.remedies.found import worded
from harness.diagnose.remedies.interface import Change
from harness.diagnose.remedies.kinds import KINDS
from harness.diagnose.remedies.kinds.axis_version import MINOR
from harness.diagnose.remedies.kinds.secondary_pin import SECONDARY_PIN
from harness.diagnose.remedies.observed import Observations
from harness.model import Setup, Stage, Status, Variant
from harness.verdicts.judge import VariantVerdict, Verdict

NO_CACHE = replace(PAIR, layout="no-cache")
SCRIPTED = Variant(exporter="dynamo", opset=18, layout="pair")


def cell(works: list[Variant], fails: list[Variant], setup: Setup = Setup.TOGETHER, **pins: str) -> Verdict:
    ended = {Status.WORKS: result(Stage.PARITY), Status.FAILS: result(Stage.LOAD, Status.FAILS)}
    judged = [(one, Status.WORKS) for one in works] + [(one, Status.FAILS) for one in fails]
    return Verdict(
        resolved=resolved(*(one for one, _ in judged), setup=setup, **pins),
        status=Status.FAILS,
        variants=tuple(VariantVerdict(variant=one, status=status, results=(ended[status],)) for one, status in judged),
    )


def mending(*cells: Verdict, variant: Variant = PAIR) -> list[str]:
    return [change.text for change in Observations(cells, KINDS).mending(cells[0], variant)]


@pytest.mark.parametrize(
    ("failing", "working", "text"),
    [
        (PAIR, replace(PAIR, opset=14), "opset 14"),
        (PAIR, SCRIPTED, "exporter dynamo"),
        (PAIR, replace(PAIR, layout="merged"), "layout merged"),
        (PAIR, replace(PAIR, attention="eager"), "attention eager"),
        (PAIR, replace(PAIR, optimization="disabled"), "optimization disabled"),
        (replace(PAIR, ir_version=9), PAIR, "ir-version stamped"),
        (replace(PAIR, feedback="feed-all"), PAIR, "feedback keep-cross"),
        # Without a cache there is nothing to feed back.
        (replace(PAIR, feedback="feed-all", strategy="mixed"), NO_CACHE, "layout no-cache"),
    ],
)
def test_another_variant_of_the_cell(failing, working, text):
    assert mending(cell([working], [failing]), variant=failing) == [text]


@pytest.mark.parametrize(
    "working", [replace(PAIR, feedback="feed-all"), replace(PAIR, opset=14, attention="eager"), replace(PAIR, strategy="mixed")]
)
def test_two_changes_and_what_nobody_is_advised_to_do_are_no_remedy(working):
    assert mending(cell([working], [PAIR])) == []


def test_the_same_variant_in_cells_that_differ_on_one_axis_the_nearest_first():
    here = cell([], [PAIR], onnxruntime="1.20.1")
    others = [
        cell([PAIR], [], onnxruntime="1.21.0"),
        cell([PAIR], [], onnxruntime="1.32.0"),
        cell([PAIR], [], onnxruntime="1.20.2"),
        cell([], [PAIR], onnxruntime="1.22.0"),
        cell([PAIR], [], onnxruntime="2.0.0"),
        cell([SCRIPTED], [], onnx="1.17.0"),
        cell([PAIR], [], onnx="1.17.0", torch="2.6.0"),
        cell([PAIR], [], setup=Setup.HANDOFF, onnxruntime="1.24.0"),
    ]
    found = Observations([here, *others], KINDS).mending(here, PAIR)
    assert [change.text for change in found] == [
        f"onnxruntime {version}" for version in ("1.20.2", "1.21.0", "1.32.0", "2.0.0")
    ]
    assert worded(found) == ["onnxruntime 1.20.2 (also 1.21.0, 1.32.0, 2.0.0)"]


def test_what_a_change_gives_is_known_where_the_matrix_has_that_variant_in_that_cell():
    here, other = cell([], [PAIR], optimum="1.26.1"), cell([], [PAIR], optimum="1.27.0")
    newer, bound = (
        Change(kind=MINOR, pin=("optimum", "1.27.0")),
        Change(kind=SECONDARY_PIN, bounds=("numpy<2",)),
    )
    seen = Observations([here, other], KINDS)
    found = seen.changed(here.resolved.planned, PAIR, [newer])
    assert found
    assert (found.status, found.stage) == (Status.FAILS, Stage.LOAD)
    assert seen.changed(here.resolved.planned, PAIR, [newer, bound]) is None
    assert seen.changed(here.resolved.planned, SCRIPTED, [newer]) is None
