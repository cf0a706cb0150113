"""Templates: what they show is escaped, and a user may replace one."""

from __future__ import annotations

import pytest
from markupsafe import Markup
from values import report, reported_cell

from harness.errors import ReportError
from harness.report import templating
from harness.report.formats import format_named
from harness.report.pages import matrix


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_TEMPLATES", str(tmp_path))
    return tmp_path


def test_what_is_shown_is_visible_and_escaped_but_for_markup(own):
    (own / "x.html").write_text("{{ text }} {{ markup }} {{ number }}")
    made = templating.render("x.html", text="<b>\u202e https://u:p@h", markup=Markup("<i>"), number=1)
    assert made == "&lt;b&gt;\\u202e https://***@h <i> 1"


def test_a_template_of_the_user_replaces_ours(own):
    (own / "badge.svg").write_text("{{ text }}: {{ colour }}")
    page = matrix.page(report(reported_cell()))
    assert format_named("badge").render(page) == "1 of 1 work: #009e73"
    assert format_named("svg").render(page).startswith("<svg")


def test_a_template_may_extend_ours(own):
    (own / "report.html").write_text('{% extends "shipped/report.html" %}{% block pins %}<p>ours</p>{% endblock %}')
    text = format_named("html").render(matrix.page(report(reported_cell())))
    assert "<p>ours</p>" in text
    assert 'id="pins"' not in text
    assert "<h1>1 of 1 combination work</h1>" in text


def test_a_style_of_the_user_is_the_one_that_the_policy_lets_in(own):
    page = matrix.page(report(reported_cell()))
    before = format_named("html").render(page)
    (own / "style.css").write_text("body { color: red }")
    after = format_named("html").render(page)
    assert "<style>body { color: red }</style>" in after
    policies = [text.partition("style-src ")[2].partition(";")[0] for text in (before, after)]
    assert len(set(policies)) == 2
    assert all("unsafe" not in policy for policy in policies)


@pytest.mark.parametrize("text", ["{% if %}", "{{ nothing.of_this }}", '{% extends "nowhere.html" %}', "\udcff"])
def test_a_wrong_template_is_an_error_that_names_it(own, text):
    (own / "badge.svg").write_text(text, errors="surrogateescape")
    with pytest.raises(ReportError, match=r"the template badge\.svg cannot be used: "):
        format_named("badge").render(matrix.page(report(reported_cell())))


def test_a_folder_that_is_not_there(monkeypatch):
    monkeypatch.setenv("HARNESS_TEMPLATES", "/nowhere/at/all")
    with pytest.raises(ReportError, match="HARNESS_TEMPLATES names /nowhere/at/all, which is not a folder"):
        templating.source("page.js")
