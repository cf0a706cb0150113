"""Annotations of a workflow on GitHub, and the summary of its job."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.report.formats import format_named
from harness.report.formats.github import JobSummary
from harness.report.page import Annotation, Block, Page, Paragraph, Section, Table

PAGE = Page(title="The answer", summary="in short", data=None, source=None)


@pytest.mark.parametrize(
    ("annotations", "lines"),
    [
        ([], "::notice title=export-matrix::The answer%0Ain short\n"),
        (
            [Annotation(level="error", title="a: b, c", text="100%\n::error::x")],
            "::error title=a%3A b%2C c::100%25%0A\\x3a:error::x\n",
        ),
        (
            [Annotation(level="warning", title="t", text="x", file="a,b/c:d.txt\n", line=3)],
            "::warning file=a%2Cb/c%3Ad.txt%0A,line=3,title=t::x\n",
        ),
        ([Annotation(level="notice", title="t", text="x", file="f")], "::notice file=f,title=t::x\n"),
    ],
)
def test_annotations(annotations, lines):
    assert format_named("github").render(replace(PAGE, annotations=annotations)) == lines


@pytest.mark.parametrize(("count", "left"), [(10, None), (11, 2), (40, 31)])
def test_of_more_than_ten_annotations_the_last_says_how_many_are_left_out(count, left):
    annotations = [Annotation(level="warning", title="t", text=str(number)) for number in range(count)]
    lines = str(format_named("github").render(replace(PAGE, annotations=annotations))).splitlines()
    assert len(lines) == 10
    assert lines[:9] == [f"::warning title=t::{number}" for number in range(9)]
    last = (
        "::warning title=t::9"
        if left is None
        else (f"::notice title=export-matrix::{left} more annotations are left out here; the job summary has all of it")
    )
    assert lines[9] == last


def section(title: str, letters: int) -> Section:
    return Section(title=title, blocks=[Paragraph(text="ä" * (letters // 2))])


def test_a_summary_that_fits_is_the_page_in_markdown():
    page = replace(PAGE, blocks=[section("a", 900_000)])
    assert JobSummary().render(page) == format_named("markdown").render(page)


def test_a_summary_keeps_what_fits_and_says_what_is_left_out():
    blocks: list[Block] = [
        section("first", 500_000),
        section("large", 600_000),
        Table(header=["a"], rows=[["x" * 600_000]]),
        section("small", 100),
    ]
    text = JobSummary().render(replace(PAGE, blocks=blocks))
    assert 500_000 < len(text.encode()) < 1_000_000
    assert [line for line in text.splitlines() if line.startswith("#")] == ["# The answer", "## first", "## small"]
    assert text.splitlines()[2] == (
        "A job summary has room for 1 MB. Left out here: large; 1 more table or list. All of it is what the same command "
        "prints with `--format markdown`, and of a report also `matrix.md`."
    )


def test_a_summary_names_few_of_many_sections():
    text = JobSummary().render(replace(PAGE, blocks=[section(f"s{number:02}", 990_000) for number in range(15)]))
    assert "Left out here: s01; s02; s03; s04; s05; s06; s07; s08; s09; s10; 4 more sections. All" in text
    assert len(text.encode()) < 1_000_000
