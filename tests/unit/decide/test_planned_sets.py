"""The cell that is a version set."""

from __future__ import annotations

from values import PAIR, PINS

from harness.decide.planned_sets import planned
from harness.decide.version_sets import Versions
from harness.model import Setup

NODE = {**{name: version for name, version in PINS.items() if name != "onnxruntime"}, "onnxruntime-node": "1.16.3"}


def test_a_set_with_a_runtime_of_other_packages_is_a_handoff_and_nothing_of_it_is_for_the_run():
    versions = Versions(source="mine", python="3.11", exact={**NODE, "onnxruntime": "1.20.1", "numpy": "1.26.4"})
    found = planned(versions, list(NODE), (PAIR,), [Setup.TOGETHER])
    assert (found.cell.setup, str(found.cell.runtime)) == (Setup.HANDOFF, "onnxruntime-node 1.16.3")
    assert found.added == (("export", "numpy==1.26.4"), ("export", "onnxruntime==1.20.1"))


def test_a_set_with_onnxruntime_is_one_environment():
    versions = Versions(source="mine", python="3.11", exact=PINS)
    for setups in ([Setup.TOGETHER, Setup.HANDOFF], [Setup.HANDOFF, Setup.TOGETHER]):
        assert planned(versions, list(PINS), (PAIR,), setups).cell.setup is Setup.TOGETHER
    assert planned(versions, list(PINS), (PAIR,), [Setup.HANDOFF]).cell.setup is Setup.HANDOFF
