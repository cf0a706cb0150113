"""The page for a browser, as far as no browser is needed; tests/browser has the rest."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace

import pytest
from values import report, reported_cell, reported_variant

from harness.model import Cause, Certainty, Stage, Status
from harness.report.formats import format_named
from harness.report.page import Example, Page, Paragraph, Quote, Section, Table, code, items, strong
from harness.report.pages import matrix
from harness.verdicts.report_schema import Report

FAILS = reported_variant(
    Status.FAILS, Stage.LOAD, layout="merged", cause=Cause.FORMAT_GATE, certainty=Certainty.PROVEN, error="Unsupported IR",
    signature="0123456789ab", strategy="cached", attention="default", outcomes=[], unanswered=[],
)  # fmt: skip


def render(page: Page) -> str:
    return str(format_named("html").render(page))


def data_of(made: Report) -> dict:
    """The data of the page's script."""
    packed = re.search(r'type="text/plain">([^<]+)<', render(matrix.page(made)))
    assert packed
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


@pytest.fixture
def two() -> Report:
    works = reported_cell(onnx="1.15.0")
    return report(works, reported_cell(FAILS, status=Status.FAILS), recommended={"1.16.3": works.id})


def test_the_policy_names_the_script_and_the_style_and_nothing_else(two):
    text = render(matrix.page(two))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert directives.pop(directive) == f"'sha256-{digest}'"
    assert directives == {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}
    assert " style=" not in text
    assert "http" not in re.sub(r"(?s)<(style|script).*?</\1>", "", text).replace("http-equiv", "")


def test_what_the_page_shows_in_its_own_way_is_not_there_twice(two):
    text = render(matrix.page(two))
    assert text.count("<h2") == len(set(re.findall("<h2[^>]*>.*?</h2>", text)))
    assert re.findall("<h2[^>]*>([^<]*)</h2>", text) == [
        "Pin this", "Every combination", "Causes", "What did not work, and why", "",
    ]  # fmt: skip


def test_what_another_section_says_stands_below_the_map(two):
    page = matrix.page(two)
    more = Section(title="What changed", blocks=[Paragraph(text="nothing")])
    text = render(replace(page, blocks=[*page.blocks, more]))
    assert text.index("Every combination") < text.index("<h2>What changed</h2>") < text.index("<p>nothing</p>")


def test_every_block_of_another_page():
    blocks = [
        Paragraph(text=[strong("so", Status.WORKS), " it `is`"]),
        Section(title="a < b", blocks=[Quote(text="one\n  two"), items("x", code("y"))]),
        Table(header=["h"], rows=[["1"]]),
        Table(header=["h", "i"], rows=[["whole row"]]),
        Example(cell="py311 x", log="logs/load-0123456789ab.log"),
        Example(cell="c", log="javascript:x"),
    ]
    text = render(Page(title="the answer", blocks=blocks, summary="at last", data=None, source=None))
    for expected in (
        "<h1>the answer</h1>",
        '<p><strong class="status works">so</strong> it <code>is</code></p>',
        "<h2>a &lt; b</h2>",
        "<pre>one\n  two</pre>",
        "<li>x</li>",
        "<li><code>y</code></li>",
        '<th scope="col">h</th>',
        '<td colspan="2">whole row</td>',
        '<a href="#cell=py311%20x">py311 x</a>; in full in <a href="logs/load-0123456789ab.log">',
        "in full in <code>javascript:x</code>",
        "<p><strong>at last</strong></p>",
        "script-src 'none'",
    ):
        assert expected in text, expected


def test_the_data_has_each_text_once_and_what_filters_need(two):
    data = data_of(replace(two, cells=[*two.cells, reported_cell(FAILS, status=Status.FAILS, torch="2.6.0")]))
    texts = [node for node in data["nodes"] if isinstance(node, str)]
    assert len(texts) == len(set(texts))
    filters = {name: (values, kind) for name, values, kind in data["filters"]}
    assert filters["torch"] == (["2.1.2", "2.6.0"], "cell")
    assert filters["layout"] == (["merged", "pair"], "variant")
    assert filters["stage"] == (["load"], "end")
    assert filters["cause"] == (["format gate"], "end")
    assert "exporter" not in filters
    assert len(data["variants"]) == len(data["sets"]) == 2
    ids = [data["nodes"][cell[0]] for cell in data["cells"]]
    assert ids == ["3.11-2.1.2-4.46.3-1.15.0-1.16.3", "3.11-2.1.2-4.46.3-1.16.2-1.16.3", "3.11-2.6.0-4.46.3-1.16.2-1.16.3"]


def test_foreign_text_in_the_data_is_visible_and_without_secrets(two):
    odd = replace(FAILS, error="a\u202eb https://u:s3kr3t@h \udcff", evidence=["x\u200by"])
    data = data_of(replace(two, cells=[two.cells[0], replace(two.cells[1], variants=[odd])]))
    text = json.dumps(data, ensure_ascii=False)
    assert "a\\\\u202eb https://***@h \\\\udcff" in text
    assert "x\\\\u200by" in text
