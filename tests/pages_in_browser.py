"""What the tests in a browser share: Debian's Chromium, driven by Playwright.

A page that logs an error or asks a network fails its test.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from harness.report.formats import format_named
from harness.report.pages import matrix
from harness.verdicts.report_schema import Report

READY = "#filters:not([hidden])"
LIMIT = 180_000
"""Milliseconds after which something will not come any more, on a machine that has much else to do."""
expect.set_options(timeout=LIMIT)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        text = "there is no chromium on the PATH (Debian: apt-get install chromium)"
        if "CI" in os.environ:
            pytest.fail(text)
        pytest.skip(text)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])  # CI is root, which has no sandbox
        yield browser
        browser.close()


Opened = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """`opened(text, fragment="", ready=True, blocked=False, **context)` shows the text of a page, and waits for its script.

    With `blocked`, what a policy blocks is no problem: the test has made it.
    """
    problems: list[str] = []
    contexts = []

    def show(text: str, fragment: str = "", *, ready: bool = True, blocked: bool = False, **context: Any) -> Page:
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        contexts.append(browser.new_context(**context))
        contexts[-1].set_default_timeout(LIMIT)
        page: Page = contexts[-1].new_page()
        if not blocked:
            page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("request", lambda request: problems.append(request.url))
        page.goto(f"{path.as_uri()}{fragment}")
        if ready:
            page.wait_for_selector(READY)
        return page

    yield show
    for context in contexts:
        context.close()
    own = (tmp_path / "page.html").as_uri()
    assert [problem for problem in problems if problem != "data:," and not problem.startswith(own)] == []  # the icon, the page


def html(report: Report) -> str:
    """The page of a report."""
    return str(format_named("html").render(matrix.page(report)))


def violations(page: Page) -> list[str]:
    """What axe-core finds."""
    return [f"{found['id']}: {found['nodes'][0]['html'][:200]}" for found in Axe().run(page).response["violations"]]
