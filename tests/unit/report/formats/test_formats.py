"""What the formats make of each kind of block."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from rich.console import Console
from toy_format import BytesFormat

from harness.model import Status
from harness.report.formats import format_named
from harness.report.formats.step_output import StepOutput
from harness.report.page import (
    Example,
    Item,
    Items,
    Look,
    Page,
    Paragraph,
    Quote,
    Section,
    Span,
    Table,
    code,
    items,
    joined,
    strong,
)

PAGE = Page(
    title="The answer",
    blocks=[
        Paragraph(text=joined("read ", code("a|b"), ", ", strong("twice"), Span(" [or] `not`", Look.QUOTED))),
        Table(header=["name", "of\nit"], rows=[["short"], [code("c"), Span("works", status=Status.WORKS)]]),
        Items(items=[Item(text="tight", blocks=[items("inner")])]),
        Section(
            title="Rest",
            blocks=[
                Table(header=["rule", "explains", "empty"], rows=[["r", "all", ""]], records=True),
                Items(items=[Item(text="loose", blocks=[Quote(text="one `line`"), Example(cell="id", log="log")])]),
                Quote(text="two\n```lines"),
            ],
        ),
        Section(title="More", blocks=[Paragraph(text="details")], detail=True),
    ],
    summary="in short",
    data={"status": Status.WORKS, "nan": float("nan")},
    source=None,
    options=" --config c",
)


def test_markdown():
    assert format_named("markdown").render(PAGE) == (
        "# The answer\n\n"
        "read `a|b`, **twice** \\[or] 'not'\n\n"
        "| name   | of it   |\n|--------|---------|\n| short  |         |\n| `c`    | works   |\n\n"
        "- tight\n  - inner\n\n"
        "## Rest\n\n"
        "| rule   | explains   | empty   |\n|--------|------------|---------|\n| r      | all        |         |\n\n"
        "- loose\n\n  > `one 'line'`\n\n  for example `id`; in full in `log`\n\n\n"
        "````text\ntwo\n```lines\n````\n\n"
        "## More\n\n"
        "details\n"
    )


def test_text():
    text = format_named("text").render(PAGE)
    assert text.startswith("The answer\nread a|b, twice [or] `not`\n")
    assert text.endswith(
        "  tight\n    inner\n\n"
        "Rest\n  r\n    explains: all\n  loose\n    one `line`\n    python -m harness explain id --config c\n"
        "  two\n  ```lines\n\n"
        "in short\n"
    )
    assert "details" not in text


def test_a_short_row_speaks_under_the_last_heading():
    text = format_named("text").render(
        Page(title="", blocks=[Table(header=["a", "b", "c"], rows=[["x", "rest"]])], data=None, source=None)
    )
    (row,) = [line for line in text.splitlines() if "rest" in line]
    assert [entry.strip() for entry in row.strip("│").split("│")] == ["x", "-", "rest"]


def test_json():
    assert json.loads(format_named("json").render(PAGE)) == {"status": "works", "nan": None}


def test_an_output_is_one_line_whatever_the_answer():
    assert StepOutput().render(PAGE) == "answer=The answer\n"
    assert StepOutput().render(replace(PAGE, answer="SAFE\nexit-code=0\r\x1b")) == "answer=SAFE exit-code=0\\x0d\\x1b\n"


def test_a_format_may_give_bytes():
    stdout = io.TextIOWrapper(io.BytesIO())
    BytesFormat().show(PAGE, Console(file=stdout))
    assert stdout.buffer.getvalue() == b"\xffThe answer"
