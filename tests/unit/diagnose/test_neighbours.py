"""The closest cells are those that a look at all of them finds."""

from __future__ import annotations

import random

from values import reported_cell

from harness.diagnose.neighbours import ByAxes

AXES = ("torch", "transformers", "onnx", "onnxruntime")


def test_the_closest_are_those_that_a_look_at_all_finds():
    chance = random.Random(7)
    chosen = {tuple(f"1.{chance.randrange(4)}" for _ in AXES) for _ in range(60)}
    cells = [reported_cell(**dict(zip(AXES, versions, strict=True))) for versions in sorted(chosen)]
    versions = {cell.id: tuple(cell.pins.values()) for cell in cells}
    able = chance.sample(cells, 20)
    index = ByAxes(able, versions)
    for cell in cells:
        steps = {
            other.id: sum(a != b for a, b in zip(versions[cell.id], versions[other.id], strict=True))
            for other in able
            if other.id != cell.id
        }
        assert [other.id for other in index.closest(cell)] == [name for name, n in steps.items() if n == min(steps.values())]


def test_without_others_there_is_none():
    cell = reported_cell()
    assert ByAxes([cell], {cell.id: ("1",)}).closest(cell) == []
