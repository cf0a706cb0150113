"""What is foreign, made safe to show."""

from __future__ import annotations

import io
import json
import re
import unicodedata

import pytest
from rich.table import Table
from rich.text import Text
from values import rendered, report, reported_cell, reported_variant, result

from harness import foreign_text
from harness.cli.console import console
from harness.foreign_text import comments, escaped_json, line, redacted, visible, without_secrets, without_userinfo
from harness.model import Stage, Status
from harness.packaging_values import index_requirement
from harness.report.formats.markdown import code, inline
from harness.verdicts.report_schema import ADAPTER
from harness.verdicts.reporting import opinion_text

UNSEEN = [
    chr(number)
    for number in range(0x110000)
    if unicodedata.category(chr(number)) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and chr(number) not in "\t\n"
]


def test_no_control_format_or_surrogate_character_is_left():
    assert visible("".join(UNSEEN).replace("\r\n", "")).isprintable()
    assert line("\t".join(UNSEEN)).isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\u202eb", "a\\u202eb"),
        ("\ud83d", "\\ud83d"),
        ("\U000e0041", "\\U000e0041"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("one\rtwo", "one\\x0dtwo"),
        ("\u2713 works \u00b7 na\u00efve \u2192", "\u2713 works \u00b7 na\u00efve \u2192"),
        ("a\n  ::set-output name=x::y", "a\n  \\x3a:set-output name=x::y"),
        ("\u00a0\u2003\t::error::y", "\u00a0\u2003\t\\x3a:error::y"),
        ("a ##[add-mask]y", "a #\\x23[add-mask]y"),
        ("a::b, ## [c] and # #[d]", "a::b, ## [c] and # #[d]"),
    ],
)
def test_what_does_not_show_is_written_as_an_escape(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:s3kr3t@h/simple", "http://***@h/simple"),
        ("https://s3kr3t@h", "https://***@h"),
        ("https://u:s3kr3t%40x@h/", "https://***@h/"),
        ("https://u:s3@kr3t@h/", "https://***@h/"),
        ("https://u:s3/kr3t@h/", "https://***@h/"),
        (
            "--index-url=https://u:s3kr3t@h --find-links https://:s3kr3t@i",
            "--index-url=https://***@h --find-links https://***@i",
        ),
        ("https://u:s3'kr3t@h/", "https://***@h/"),
        ("https://u:s3\\kr3t@h/ x", "https://***@h/ x"),
        ("https://u:s3'k/\\r3t@h/", "https://***@h/"),
        ("https://h/x?token=s3&page=2", "https://h/x?token=***&page=2"),
        ("https://h/x?a=1&access_token=s3#f", "https://h/x?a=1&access_token=***#f"),
        ("'https://h/x?password=s3'", "'https://h/x?password=***'"),
        ("https://h/x?api_key=s3;sig=s3", "https://h/x?api_key=***;sig=***"),
        ("https://h/x?X-Amz-Date=1&X-Amz-Signature=s3", "https://h/x?X-Amz-Date=1&X-Amz-Signature=***"),
        ("https://h/x?design=1&tokens=2 and token=3", "https://h/x?design=1&tokens=2 and token=3"),
        ("git+https://s3kr3t@h/x.git", "git+https://***@h/x.git"),
        ("https:/user:s3kr3t@h/simple", "https:/***@h/simple"),
        ("no file ./https:/s3kr3t@h/x.txt", "no file ./https:/***@h/x.txt"),
        ("'/work/nosuch:/u:s3/kr3t@b'", "'/work/nosuch:/***@b'"),
        ("gs:///user:s3kr3t@bucket/x", "gs:///***@bucket/x"),
        ('Invalid bucket name "user:s3kr3t@bucket": no', 'Invalid bucket name "***@bucket": no'),
        ("invalid address 'user:s3@kr3t@host:9/x'", "invalid address '***@host:9/x'"),
        ("cannot connect to `u%20x:s3kr3t@h`", "cannot connect to `***@h`"),
        ("http://127.0.0.1:8080/a@b and http://h/p@1", "http://127.0.0.1:8080/a@b and http://h/p@1"),
        ("https://h/x?jwt=s3.kr3t&a=1", "https://h/x?jwt=***&a=1"),
        (r"https:\/\/user:s3kr3t@h\/simple", r"https:\/\/***@h\/simple"),
        ("u=https%3A%2F%2Fuser%3As3kr3t%40h%2Fsimple&a=1", "u=https%3A%2F%2F***%40h%2Fsimple&a=1"),
        ("u=https%3a//user:s3kr3t@h/", "u=https%3a//***@h/"),
        ("Authorization: Basic dXNlcjpzM2tyM3Q= x", "Authorization: Basic *** x"),
        ("{'proxy-authorization': 'Bearer s3kr3t.s3-kr3t'}", "{'proxy-authorization': 'Bearer ***'}"),
    ],
)
def test_the_password_of_a_url_is_left_out(text, shown):
    assert redacted(text) == shown
    assert redacted(shown) == shown
    assert "s3" not in redacted(without_userinfo(text))
    assert json.loads(escaped_json(json.dumps(text))) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Name:'/layer.0/Add@7' and 'onnx::MatMul_12@x' and 'x.py:12'",
        "'torch @ https://h/torch-2.1-py3-none-any.whl' and torch@file:///x@y/torch.whl and file:/x@y and sqlite:////x@y",
        "write to <a@b.example> or 'a@b.example' or 'mailto:a@b.example', Maintainer:a@b.example",
        "'git@example.org:o/r' and 'python:3.11@sha256:00' and '127.0.0.1:9/a@b' and 'localhost:9/a@b'",
        r"'C:\x@y' and C:/x@y and PATH=/usr/bin:/opt/x@1/bin and at /x/y.py:3: a@b",
        "user: 'a' and: @b, '@a:b@', '::@', 'a:@b'",
        "Authorization: Basic authentication is required, authorization: bearer required, Authenticate: Basic realm=x1234567",
        "https%3A%2F%2Fh%2Fa%40b and a%40b and jwt=1 and the token 0123456789abcdef0123456789abcdef",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("part", "end"),
    [
        ("ab:/", "@"),
        ("ab:/x:", " @"),
        ("'ab:c@", ""),
        ("'ab", ":c@'"),
        ("ab:c@", "'"),
        ("a", ":/@"),
        ("://x:", " @"),
        ("://", "@"),
        ("://a@", ""),
        ("://a:1", "@"),
        ("?a", "="),
        ("?token=a", "="),
        (" ", "x"),
        ("#", "["),
        ("a", "@"),
        ("%3A%2F%2Fa", ""),
        ("%3A%2F%2F", "%40"),
        ("%40", ""),
        ("authorization: basic ", ""),
        ("authorization:", "basic a1"),
        ("authorization: basic a", ""),
        ("://a?", ""),
    ],
)
def test_no_text_keeps_anybody_waiting(part, end):
    shown = visible(part * 200_000 + end)
    assert visible(shown) == shown
    without_secrets(part * 200_000 + end)


SECRET = "https://user:" + "s3" * 200 + "@h/simple"


def test_what_is_cut_is_redacted_before():
    with pytest.raises(ValueError, match=r"\*\*\*@h/simple") as raised:
        index_requirement(f"torch @ {SECRET}/torch-2.1.2-py3-none-any.whl")
    assert "s3" not in str(raised.value)
    for before, after in [("x" * 480, "y" * 900), ("x" * 900, "y" * 480)]:
        failed = result(Stage.LOAD, Status.FAILS, f"{before} {SECRET} {after}")
        assert "s3" not in opinion_text(failed)
        given = {"strategy": "cached", "attention": "default", "outcomes": [], "unanswered": []}
        variant = reported_variant(Status.FAILS, Stage.LOAD, error=f"{before} {SECRET} {after}", **given)
        one = report(reported_cell(variant))
        assert "s3" not in str(ADAPTER.validate_json(ADAPTER.dump_json(one)).cells[0].variants[0].error)


@pytest.mark.parametrize("text", ["\u202e\x7f\U000e0041 \u2713", "\x7f", "a ##[error]b", "\\###[group]\\##[x"])
def test_json_keeps_every_character_and_shows_none_that_does_not_show(text):
    written = escaped_json(json.dumps(text, ensure_ascii=False))
    assert written.isprintable()
    assert "##[" not in written
    assert json.loads(written) == text


def test_a_report_with_half_of_a_surrogate_pair_can_be_written():
    broken = reported_variant(Status.FAILS, Stage.LOAD, error="a\ud83d\u202eb", signature="s")
    one = report(reported_cell(broken, status=Status.FAILS))
    assert json.loads(rendered(one, "json"))["cells"][0]["variants"][0]["error"] == "a\ud83d\u202eb"
    assert "a\\ud83d\\u202eb" in rendered(one)
    rendered(one).encode()


def test_a_comment_stays_one():
    assert comments(["a\nnumpy==1", "b\r-e ."]) == "# a numpy==1\n# b\\x0d-e .\n"


def printed(*objects: object) -> str:
    out = console(color="never", stderr=False)
    out.file = io.StringIO()
    out.print(*objects)
    return out.file.getvalue()


@pytest.mark.parametrize("text", ["[/]", "[bold]x[/bold]", "[link=http://h]x[/link]", ":bug:", "[/red]"])
def test_a_console_takes_no_text_for_markup(text):
    table = Table(title=text)
    table.add_column(text)
    table.add_row(text)
    assert printed(text) == f"{text}\n"
    assert printed(table).count(text) == 3


def test_a_console_shows_what_is_in_a_table_as_in_a_line():
    table = Table()
    table.add_column("\x1b[2Ja")
    table.add_row("b\u202e http://u:s3kr3t@h")
    shown = printed(table) + printed("\x1b[2Ja", "http://u:s3kr3t@h")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "s3kr3t" not in shown


def test_a_console_that_wraps_does_not_split_what_it_looks_for():
    out = console(color="never", stderr=False)
    out.file, out.width = io.StringIO(), 20
    out.print("see http://user:a-very-long-s3kr3t@h/simple")
    table = Table(title=Text(SECRET), caption=SECRET)
    table.add_column(SECRET, overflow="fold", width=12)
    table.add_row(Text(SECRET, style="bold"))
    table.add_row(SECRET, style="dim")
    out.print(table)
    assert "s3" not in "".join(re.findall(r"[a-z0-9]", out.file.getvalue()))
    assert out.file.getvalue().count("***@") == 6


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<img src=x>", "&lt;img src=x>"),
        ("</details><script>", "&lt;/details>&lt;script>"),
        ("a | b\n\nc", "a \\| b c"),
        ("![x](http://h) [y](z)", "`![x](http://h)` \\[y](z)"),
        ("# head", "\\# head"),
        ("- item", "\\- item"),
        ("1. item", "&#49;. item"),
        ("> quote", "\\> quote"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("one ` tick", "one ' tick"),
        ("```fence", "'fence"),
        ("`code | <b>` and <b>", "`code \\| <b>` and &lt;b>"),
        ("\\`<b>` x", "\\\\`<b>` x"),
        ("numpy<2, 2.10 and a_b", "numpy<2, 2.10 and a_b"),
        ("\u202e\x1b[2J", "\\u202e\\x1b\\[2J"),
    ],
)
def test_markdown_shows_what_it_is_given(text, shown):
    assert inline(text, in_table=True) == shown


def test_code_ends_where_it_is_to_end():
    assert code("a`b\n`c`") == "`a'b 'c'`"


PLACES = [
    "https://user:pass%2Fword-1@a.example/simple",
    "mine=https://token-of-mine@b.example/simple",
    "https://c.example/0123456789abcdef0123/simple?access=value-of-it&v=1",
    "https://d.example/5f0c1d2e-0000-4000-8000-123456789abc/nightly-cpu-builds-2024/torch",
    "https://[/",
    "wheels",
]


def test_the_secrets_of_places_are_left_out_wherever_they_stand():
    foreign_text.PLACE_SECRETS.add(PLACES, ["its-own-password", "short"])
    text = (
        "pass%2Fword-1, pass/word-1, (token-of-mine) d/0123456789abcdef0123 value-of-it /5f0c1d2e-0000-4000-8000-123456789abc/ "
        "its-own-password"
    )
    assert redacted(text) == "***, ***, (***) d/*** *** /***/ ***"
    stays = "a user, short, v=1, simple, torch, nightly-cpu-builds-2024, no token-of-mines, onnx::Add_5f0c1d2e"
    assert redacted(stays) == stays


def test_what_is_written_for_others_has_no_query():
    foreign_text.PLACE_SECRETS.add(PLACES)
    text = (
        'url = "https://u:s3kr3t@h/a.whl?sig=s3kr3t#sha256=00", why?, \'https://h/b?x=s3\', "https://c/0123456789abcdef0123/c"'
    )
    assert without_secrets(text) == 'url = "https://h/a.whl#sha256=00", why?, \'https://h/b\', "https://c/***/c"'
