"""The heat map and the badge as SVG: well-formed, with the answer, and harmless."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hostile_report import hostile_report
from values import report, reported_cell, reported_variant

from harness.model import Setup, Stage, Status
from harness.report.formats import format_named
from harness.report.page import Page
from harness.report.pages import matrix
from harness.verdicts.report_schema import Report

SVG = "{http://www.w3.org/2000/svg}"
FAILS = reported_variant(Status.FAILS, Stage.LOAD, layout="merged")


def drawn(made: Report, name: str = "svg") -> ET.Element:
    return ET.fromstring(str(format_named(name).render(matrix.page(made))))


def texts(picture: ET.Element) -> list[str]:
    return ["".join(text.itertext()) for text in picture.iter(f"{SVG}text")]


def test_the_heat_map_has_a_square_with_letter_and_pattern_for_each_cell():
    cells = [
        reported_cell(reported_variant(), FAILS),
        reported_cell(onnxruntime="1.20.1"),
        reported_cell(FAILS, status=Status.FAILS, onnx="1.17"),
    ]
    picture = drawn(report(*cells))
    squares = [rect for rect in picture.iter(f"{SVG}rect") if rect.get("width") == "46"]
    assert [rect.get("fill") for rect in squares] == ["url(#partly)", "url(#works)", "url(#fails)"]
    assert {rect.get("id") for rect in picture.iter(f"{SVG}pattern")} >= {"partly", "works", "fails"}
    assert len({(rect.get("x"), rect.get("y")) for rect in squares}) == 3
    shown = texts(picture)
    assert shown[0] == "2 of 3 combinations work"
    assert {"P", "W", "F", "1/2", "load", "torch 2.1.2", "onnx 1.16.2", "onnx 1.17", "4.46.3", "1.20.1"} <= set(shown)
    assert picture.find(f"{SVG}desc").text == "works: 1, works in part: 1, fails: 1"


def test_everything_lies_inside_the_picture():
    cells = [reported_cell(torch=f"2.{minor}.0", onnxruntime=f"1.{minor}.0", transformers=f"4.{minor}.0") for minor in range(9)]
    picture = drawn(report(*cells))
    width, height = float(picture.get("width")), float(picture.get("height"))
    for group in picture.iter(f"{SVG}g"):
        left, top = map(float, re.findall(r"[\d.]+", group.get("transform")))
        for rect in group.iter(f"{SVG}rect"):
            assert left + float(rect.get("x")) + float(rect.get("width")) <= width
            assert top + float(rect.get("y") or 0) + float(rect.get("height")) <= height


def test_panels_stand_below_each_other():
    cells = [reported_cell(), reported_cell(python="3.12")]
    tops = [float(group.get("transform").split()[-1].rstrip(")")) for group in drawn(report(*cells)).iter(f"{SVG}g")][1:]
    assert len(tops) == 2
    assert tops[1] - tops[0] > 46 + 30


@pytest.mark.parametrize(
    ("cells", "colour", "text"),
    [
        ([reported_cell()], "#009e73", "1 of 1 work"),
        ([reported_cell(), reported_cell(reported_variant(), FAILS, onnx="1.17")], "#f0e442", "2 of 2 work"),
        ([reported_cell(FAILS, status=Status.FAILS)], "#d55e00", "0 of 1 work"),
    ],
)
def test_a_badge_is_green_only_where_everything_works(cells, colour, text):
    picture = drawn(report(*cells), "badge")
    assert [rect.get("fill") for rect in picture.iter(f"{SVG}rect")] == ["#444444", colour]
    assert texts(picture) == ["export-matrix", text]


@pytest.mark.parametrize("name", ["svg", "badge"])
def test_a_hostile_report_is_text_in_a_picture(name):
    hostile = hostile_report("2030</text><script>x</script>\u202e\x1b& https://u:s3kr3t@h")
    text = str(format_named(name).render(matrix.page(hostile)))
    picture = ET.fromstring(text)
    assert {element.tag.removeprefix(SVG) for element in picture.iter()} <= {
        "svg", "title", "desc", "style", "defs", "pattern", "path", "circle", "rect", "text", "g", "line",
    }  # fmt: skip
    assert not set("\u202e\x1b") & set(text)
    assert "s3kr3t" not in text


@pytest.mark.parametrize("name", ["svg", "badge"])
def test_the_picture_of_another_page_is_its_answer(name):
    answer = Page(title="SAFE: <1.17> & more", summary="in short", data=None, source=None)
    shown = texts(ET.fromstring(str(format_named(name).render(answer))))
    assert "SAFE: <1.17> & more" in shown
    assert ("in short" in shown) is (name == "svg")
    long = Page(title="x" * 500, data=None, source=None)
    assert float(ET.fromstring(str(format_named("badge").render(long))).get("width")) < 600


def test_a_handoff_is_named_where_there_are_both_setups():
    from dataclasses import replace

    cell = reported_cell()
    assert {"together", "handoff"} <= set(texts(drawn(report(cell, replace(cell, id="x", environment=Setup.HANDOFF)))))
