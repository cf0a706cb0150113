"""matrix.md."""

from __future__ import annotations

import re

import pytest
from values import rendered, report, reported_cell, reported_variant

from harness.model import Stage, Status
from harness.report.formats.markdown import inline, table
from harness.report.page import strong


def test_versions_stay_text():
    lines = table(["onnx", "n"], [["2.10", "1e5"], ["1.20", "007"]]).splitlines()
    assert [[entry.strip() for entry in line.strip("|").split("|")] for line in lines[2:]] == [["2.10", "1e5"], ["1.20", "007"]]


def test_a_pipe_and_a_line_break_do_not_end_a_table_cell():
    assert inline("a | b\nc", in_table=True) == "a \\| b c"
    assert inline("`a | b`", in_table=True) == "`a \\| b`"
    assert inline("`a | b`") == "`a | b`"  # outside of a table a backslash in code shows
    lines = table(["x"], [["a | b"]]).splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {2}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2 *a* b", r"2 \*a\* b"),
        ("_a_ torch_dtype __init__", r"\_a\_ torch_dtype \_\_init\_\_"),
        ("ask @alice, a@b.c", "ask `@alice,` `a@b.c`"),
        ("see (#12) a/b#3 GH-4", "see `(#12)` `a/b#3` `GH-4`"),
        ("$a$ and $HOME", "`$a$` and `$HOME`"),
        ("at https://h/a_b or www.h.org", "at `https://h/a_b` or `www.h.org`"),
        ("x.py:100: no, at 10:20:30", "`x.py:100:` no, at 10:20:30"),
        ("2026-11-30T22:36:26+00:00; :+1: :100:", "2026-11-30T22:36:26+00:00; `:+1:` `:100:`"),
        ("`a`@bob $`b`$", "`a@bob` `$b$`"),
        ("a ~b~ numpy~=1.26", r"a \~b\~ numpy~=1.26"),
        ("---", r"\---"),
        (" # a", r"\# a"),
        ("1. a", "&#49;. a"),
        ("a <b> &lt; [c](d)", r"a &lt;b> &amp;lt; \[c](d)"),
    ],
)
def test_foreign_text_shows_as_it_is(text, shown):
    assert inline(text) == shown
    assert inline(strong(f"a {text.strip()}")).startswith("**a ")


def test_a_report_without_failures_says_so():
    text = rendered(report(reported_cell()))
    assert "1 combination: 1 works." in text
    assert text.rstrip().endswith("Everything worked.")


def test_a_long_message_keeps_its_end():
    broken = reported_variant(Status.FAILS, Stage.LOAD, error="x" * 2000 + " `the point`", signature="s")
    text = rendered(report(reported_cell(broken, status=Status.FAILS)))
    (quoted,) = [line for line in text.splitlines() if line.startswith("  >")]
    assert len(quoted) < 500
    assert "the point" in quoted
    assert quoted.count("`") == 2
    assert "for example `3.11-2.1.2-4.46.3-1.16.2-1.16.3`\n" in text


def test_the_recommended_cell_stands_beside_its_onnxruntime():
    works, fails = (
        reported_cell(),
        reported_cell(reported_variant(Status.FAILS, Stage.LOAD), status=Status.FAILS, onnxruntime="1.9.0"),
    )
    text = rendered(report(works, fails, recommended={"1.16.3": works.id}))
    (row,) = [line for line in text.splitlines() if works.id in line and line.startswith("|")]
    assert re.search(r"1\.16\.3 .*3\.11 .*2\.1\.2 .*torchscript pair", row)
    assert re.search(r"\| 1\.9\.0 +\| none of these cells works", text)
