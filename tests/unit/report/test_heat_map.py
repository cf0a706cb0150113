"""The layout of the heat map: where each cell stands, and how it looks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from values import report, reported_cell, reported_variant

from harness.model import Setup, Stage, Status
from harness.report.heat_map import LOOKS, Shade, detail, legend, panels, shade, tally

WORKS = reported_variant()
FAILS = reported_variant(Status.FAILS, Stage.EXPORT, layout="merged")
LATER = reported_variant(Status.FAILS, Stage.LOAD, layout="no-cache")
NOT_RUN = reported_variant(Status.NOT_RUN, Stage.EXPORT, layout="merged")


@pytest.mark.parametrize(
    ("variants", "status", "expected", "below"),
    [
        ([WORKS], Status.WORKS, Shade.WORKS, ""),
        ([WORKS, NOT_RUN], Status.WORKS, Shade.WORKS, ""),
        ([WORKS, FAILS, NOT_RUN], Status.WORKS, Shade.PARTLY, "1/2"),
        ([WORKS, reported_variant(Status.ERROR, Stage.LOAD)], Status.WORKS, Shade.PARTLY, "1/2"),
        ([FAILS, LATER], Status.FAILS, Shade.FAILS, "load"),
        ([FAILS], Status.WORKS_WITH_REMEDY, Shade.REMEDY, ""),
        ([reported_variant(Status.FLAKY, Stage.DECODE)], Status.FLAKY, Shade.FLAKY, "decode"),
        ([reported_variant(Status.ERROR, Stage.INSTALL)], Status.ERROR, Shade.ERROR, "install"),
        ([NOT_RUN], Status.NOT_RUN, Shade.NOT_RUN, ""),
    ],
)
def test_a_cell_has_a_shade_and_what_stands_below_the_letter(variants, status, expected, below):
    cell = reported_cell(*variants, status=status)
    assert (shade(cell), detail(cell)) == (expected, below)


def test_what_is_inferred_is_a_question():
    assert detail(replace(reported_cell(NOT_RUN, status=Status.NOT_RUN), inferred="works")) == "works?"


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_each_shade_has_a_letter_and_a_colour_of_its_own_on_which_black_is_read():
    assert set(LOOKS) == set(Shade)
    for part in range(3):
        assert len({look[part] for look in LOOKS.values()}) == len(Shade)
    for look in LOOKS.values():
        assert (luminance(look.colour) + 0.05) / (luminance("#111111") + 0.05) >= 4.5


def test_every_cell_stands_in_its_place():
    cells = [
        reported_cell(torch=torch, transformers=transformers, onnxruntime=runtime)
        for torch in ("2.10.0", "2.9.0")
        for transformers, runtime in (("4.46.3", "1.16.3"), ("4.46.3", "1.20.1"), ("5.0.0", "1.20.1"))
    ]
    (panel,) = panels(report(*cells))
    assert panel.columns == [("4.46.3", ["1.16.3", "1.20.1"]), ("5.0.0", ["1.20.1"])]
    assert panel.starts == {0, 2, 3}
    assert [(outer, [inner for inner, _ in rows]) for outer, rows in panel.rows] == [
        ("2.9.0", ["1.16.2"]),
        ("2.10.0", ["1.16.2"]),
    ]
    assert panel.cells == [*cells[3:], *cells[:3]]
    assert panel.title == ""


def test_a_place_without_a_cell_is_empty():
    cells = [reported_cell(transformers="4.46.3", onnxruntime="1.16.3"), reported_cell(transformers="4.46.3", onnx="1.9")]
    (panel,) = panels(report(*cells[:1], replace(cells[1], pins={**cells[1].pins, "onnxruntime": "1.20.1"})))
    ((_, rows),) = panel.rows
    assert [[bool(square) for square in squares] for _, squares in rows] == [[False, True], [True, False]]


def test_every_other_axis_and_the_setup_make_panels_with_what_tells_them_apart():
    plain, later = reported_cell(), reported_cell(python="3.12")
    handoff = replace(later, id="handoff", environment=Setup.HANDOFF)
    other = reported_cell(optimum="1.23.3")
    made = report(plain, later, handoff, other)
    made = replace(made, axes={**made.axes, "optimum": ["absent", "1.23.3"]})
    assert [panel.title for panel in panels(made)] == [
        "Python 3.11 · optimum absent · together",
        "Python 3.11 · optimum 1.23.3 · together",
        "Python 3.12 · optimum absent · together",
        "Python 3.12 · optimum absent · handoff",
    ]
    assert sorted(cell.id for panel in panels(made) for cell in panel.cells) == sorted(cell.id for cell in made.cells)


def test_a_matrix_without_transformers():
    (panel,) = panels(report(reported_cell(transformers=None)))
    assert panel.columns == [("absent", ["1.16.3"])]


def test_the_legend_counts_what_there_is():
    made = report(reported_cell(), reported_cell(WORKS, FAILS, onnx="1"), reported_cell(FAILS, status=Status.FAILS, onnx="2"))
    assert legend(made) == [(Shade.WORKS, 1), (Shade.PARTLY, 1), (Shade.FAILS, 1)]
    assert tally(made) == "works: 1, works in part: 1, fails: 1"


def test_each_runtime_has_panels_of_its_own():
    node = {"onnxruntime": None, "onnxruntime-node": "1.16.3"}
    cells = [
        reported_cell(),
        replace(reported_cell(**node), environment=Setup.HANDOFF),
        replace(reported_cell(**node | {"onnxruntime-node": "1.30.0"}), environment=Setup.HANDOFF),
    ]
    python, javascript = sorted(panels(report(*cells)), key=lambda panel: panel.runtime)
    assert (python.title, javascript.title) == ("together · onnxruntime", "handoff · onnxruntime-node")
    assert (python.columns, javascript.columns) == ([("4.46.3", ["1.16.3"])], [("4.46.3", ["1.16.3", "1.30.0"])])
    assert [cell for panel in (python, javascript) for cell in panel.cells] == cells
