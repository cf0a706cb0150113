"""How large the page of a report is, and how fast: bytes, first paint and the time of a filter, in headless Chromium.

    python benchmarks/page.py [CELLS …]

Needs playwright and Chromium. A filter's time ends when the browser has painted what it left.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from playwright.sync_api import Browser, sync_playwright
from synthetic_report import synthetic

from harness.report.formats import format_named
from harness.report.pages import matrix

FILTERS = (("torch", 1), ("torch", 0), ("exporter", 1), ("exporter", 2), ("stage", 1), ("exporter", 0), ("stage", 0))
"""(name, which of its values), one after the other."""
FILTER = """([name, number]) => new Promise((done) => {
  const select = document.querySelector(`select[name=${name}]`);
  const start = performance.now();
  select.selectedIndex = number;
  select.dispatchEvent(new Event("change", { bubbles: true }));
  const painted = new MessageChannel();
  painted.port1.onmessage = () => done(performance.now() - start);
  requestAnimationFrame(() => painted.port2.postMessage(null));
})"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def measure(browser: Browser, path: Path) -> tuple[float, float, list[float]]:
    """Milliseconds until the first paint, until the filters are there, and of each filter, with the map in sight."""
    page = browser.new_page()
    page.goto(path.as_uri(), wait_until="commit")
    page.wait_for_selector("#filters:not([hidden])", timeout=120_000)
    ready = page.evaluate("performance.now()")
    page.evaluate("document.querySelector('.map').scrollIntoView()")
    page.wait_for_timeout(1_000)
    times = [page.evaluate(FILTER, [name, number]) for name, number in FILTERS]
    paint = page.evaluate(PAINT)
    page.close()
    return paint, ready, times


def main(sizes: list[int]) -> None:
    """Print a row for each size."""
    print("| cells | bytes | rendered in s | first paint ms | filters there ms | a filter ms, median and most |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for cells in sizes:
            page = matrix.page(synthetic(cells))
            start = time.perf_counter()
            text = format_named("html").render(page)
            seconds = time.perf_counter() - start
            path = Path(folder) / f"{cells}.html"
            path.write_text(str(text), encoding="utf-8")
            paint, ready, times = measure(browser, path)
            print(
                f"| {cells:,} | {path.stat().st_size:,} | {seconds:.1f} | {paint:.0f} | {ready:.0f} "
                f"| {statistics.median(times):.0f}, {max(times):.0f} |",
                flush=True,
            )
        browser.close()


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [100, 1_000, 10_000])
