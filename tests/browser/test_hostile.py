"""Nothing that others wrote does anything on the page: it is shown, and that is all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hostile_report import hostile_report
from pages_in_browser import Opened, html, violations
from playwright.sync_api import Page

from harness.report.formats import format_named
from harness.report.page import Page as Answer
from harness.report.page import Paragraph, Quote, Section, Table, code, items
from harness.verdicts.report_schema import Report

pytestmark = pytest.mark.browser

HOSTILE = (
    "2030</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>\"'><svg onload=window.pwned=1>"
    "<!--\u202e javascript:window.pwned=1 {{7*7}} https://u:s3kr3t@h"
)


@pytest.fixture(scope="module")
def hostile() -> Report:
    made = hostile_report(HOSTILE)
    cells = [replace(cell, id=f"{cell.id}{number}") for number, cell in enumerate(made.cells)]
    logs = ["javascript:window.pwned=1", "logs/../x.log", "https://h/x.log", "logs/load-0123456789ab.log", None]
    cells = [
        replace(cell, variants=[replace(variant, log=log) for variant in cell.variants])
        for cell, log in zip(cells, logs, strict=True)
    ]
    return replace(made, cells=cells)


def require_harmless(page: Page) -> None:
    assert page.evaluate("window.pwned") is None
    assert page.locator("img, iframe, object, svg").count() == 0
    assert page.locator("script").count() == 2
    text = page.evaluate("document.documentElement.textContent")
    assert "2030</script><script>window.pwned=1</script><img src=x" in text
    assert "\u202e" not in text
    assert "s3kr3t" not in page.content()
    assert "49" not in page.locator("h2").all_text_contents()
    for link in page.locator("a").evaluate_all("all => all.map((link) => link.getAttribute('href'))"):
        assert link.startswith("#cell=") or link == "logs/load-0123456789ab.log", link


def test_a_hostile_report(hostile, opened: Opened):
    page = opened(html(hostile))
    require_harmless(page)
    for number in range(5):
        page.locator(".heat tbody td").nth(number).click()
        assert page.locator("dialog h2").text_content().startswith("2030</script>")
        require_harmless(page)
        page.keyboard.press("Escape")
    assert violations(page) == []


def test_the_policy_is_in_force(hostile, opened: Opened):
    page = opened(html(hostile), blocked=True)
    blocked = page.evaluate("""async () => {
      const found = [];
      document.addEventListener("securitypolicyviolation", (event) => found.push(event.effectiveDirective));
      const script = document.createElement("script");
      script.textContent = "window.pwned = 1";
      document.body.append(script);
      const style = document.createElement("style");
      style.textContent = "body { display: none }";
      document.body.append(style);
      document.body.setAttribute("onclick", "window.pwned = 1");
      document.body.click();
      const image = new Image();
      image.src = "http://127.0.0.1:9/x.png";
      await fetch("http://127.0.0.1:9/").catch(() => {});
      await new Promise((done) => setTimeout(done, 100));
      return [...new Set(found)].sort();
    }""")
    assert blocked == ["connect-src", "img-src", "script-src-attr", "script-src-elem", "style-src-elem"]
    assert page.evaluate("window.pwned") is None


def test_a_page_of_another_command_has_no_script_and_is_as_harmless(opened: Opened):
    blocks = [
        Paragraph(text=HOSTILE),
        Section(title=HOSTILE, blocks=[Quote(text=HOSTILE), items(HOSTILE, code(HOSTILE))]),
        Table(header=["a", "b"], rows=[[HOSTILE, code(HOSTILE)], [HOSTILE]]),
    ]
    answer = Answer(title=HOSTILE, blocks=blocks, summary=HOSTILE, data=None, source=None)
    page = opened(str(format_named("html").render(answer)), ready=False)
    assert page.locator("script").count() == 0
    assert page.evaluate("window.pwned") is None
    assert page.locator("h1").text_content().startswith("2030</script><script>window.pwned=1</script><img src=x")
    assert violations(page) == []
