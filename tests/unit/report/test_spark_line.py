"""The line of the numbers of working combinations, run by run."""

from __future__ import annotations

from harness.report.page import RunCount
from harness.report.spark_line import HEIGHT, MARGIN, WIDTH, SparkLine


def line(*numbers: tuple[int, int]) -> SparkLine:
    return SparkLine(
        runs=[
            RunCount(time=f"2026-01-0{day}T10:00:00+00:00", works=works, cells=cells)
            for day, (works, cells) in enumerate(numbers, 1)
        ]
    )


def test_the_largest_run_fills_the_height_and_no_working_cell_is_the_bottom():
    made = line((0, 4), (4, 8), (8, 8))
    left, right, top, bottom = MARGIN, WIDTH - MARGIN, MARGIN, HEIGHT - MARGIN
    assert made.works == [(left, bottom), (WIDTH / 2, HEIGHT / 2), (right, top)]
    assert made.cells == [(left, HEIGHT / 2), (WIDTH / 2, top), (right, top)]


def test_runs_without_cells_are_a_line_at_the_bottom():
    assert {y for _, y in line((0, 0), (0, 0)).works} == {HEIGHT - MARGIN}


def test_in_words():
    made = line((78, 96), (80, 96))
    assert made.text == "78 of 96 on 2026-01-01, 80 of 96 on 2026-01-02"
    assert made.caption == "80 of 96 now; 78 of 96 on 2026-01-01, 1 run earlier"
    assert line((1, 2), (1, 2), (2, 2)).caption == "2 of 2 now; 1 of 2 on 2026-01-01, 2 runs earlier"
