"""What a task will need in memory: what its like was seen to need, else a guess by the model's size."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import PAIR, resolved, result, tasks_of

from harness.matrix.schema import ProbeSection
from harness.model import Limits, Stage
from harness.store.store import Store
from harness.tasks.memory_need import Memory
from harness.tasks.records import Records


@pytest.fixture
def records(tmp_path):
    return Records(store=Store(tmp_path), limits=Limits(seconds=1, memory=1))


def test_a_base_export_is_not_a_tiny_one(records):
    cell = tasks_of(resolved())
    tiny, base, own = (
        Memory(probe, records) for probe in (ProbeSection(), ProbeSection(profile="base"), ProbeSection(module="mine.py"))
    )
    assert tiny.needed(cell.export) < base.needed(cell.export) == own.needed(cell.export)
    assert tiny.needed(cell.run) < tiny.needed(cell.export)
    assert base.needed(cell.installs[0]) == 0


def test_what_was_seen_counts_for_what_is_alike(records):
    cell, other = tasks_of(resolved()), tasks_of(resolved(torch="9.9"))
    memory = Memory(ProbeSection(), records)
    seen = replace(result(Stage.EXPORT), data={"peak_memory": 3_000_000_000})
    records.put(cell.export.variant_key(PAIR), [seen])
    memory.learn(cell.export)
    assert memory.needed(other.export) == pytest.approx(3.3e9)
    assert memory.needed(cell.run) == Memory(ProbeSection(), records).needed(cell.run)


def test_what_told_nothing_teaches_nothing(records):
    cell = tasks_of(resolved())
    memory = Memory(ProbeSection(), records)
    before = memory.needed(cell.run)
    memory.learn(cell.run)
    assert memory.needed(cell.run) == before
