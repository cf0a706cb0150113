"""The page of a report in a browser: filters, the address, drill-down, keys, what axe-core finds, widths, without a script."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from pages_in_browser import Opened, html, violations
from playwright.sync_api import Page, expect
from synthetic_report import synthetic
from values import report, reported_cell, reported_variant

from harness.model import Cause, Certainty, Setup, Stage, Status
from harness.report.formats import format_named
from harness.report.page import RunCount
from harness.report.pages import matrix
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant, StageTime
from harness.verdicts.rule_model import Condition, ConditionKind, Rule

pytestmark = pytest.mark.browser

LOG = "logs/import-0123456789ab.log"


def variants(torch: str, transformers: str) -> list[ReportedVariant]:
    """Old torch: the exporter dynamo fails, and with new transformers everything."""
    if torch == "2.1.2" and transformers == "5.0.0":
        fails = {"stage": Stage.IMPORT, "cause": Cause.VERSION_CONFLICT, "error": "no attribute 'x'", "log": LOG}
        ends = [(Status.FAILS, fails)] * 2
    elif torch == "2.1.2":
        ends = [(Status.WORKS, {}), (Status.FAILS, {"stage": Stage.EXPORT, "cause": Cause.EXPORTER, "error": "no dynamo"})]
    else:
        ends = [(Status.WORKS, {})] * 2
    return [
        reported_variant(
            status, exporter=exporter, strategy="cached", attention="default", certainty=Certainty.PROVEN,
            signature="0123456789ab", outcomes=[], unanswered=[], stages=[StageTime(stage=Stage.INSTALL, seconds=1.5)], **given,
        )
        for exporter, (status, given) in zip(("torchscript", "dynamo"), ends, strict=True)
    ]  # fmt: skip


def cell(torch: str, transformers: str, onnxruntime: str) -> ReportedCell:
    held = variants(torch, transformers)
    status = Status.WORKS if held[0].status is Status.WORKS else Status.FAILS
    made = reported_cell(*held, status=status, torch=torch, transformers=transformers, onnxruntime=onnxruntime)
    return replace(made, resolved={"numpy": "1.26.4", **made.pins})


@pytest.fixture(scope="module")
def small() -> Report:
    """Two torch, two transformers, two onnxruntime: 4 cells work, 2 in part, 2 fail."""
    cells = [
        cell(torch, transformers, runtime)
        for torch in ("2.1.2", "2.6.0")
        for transformers in ("4.46.3", "5.0.0")
        for runtime in ("1.16.3", "1.20.1")
    ]
    rule = Rule(
        text="torch<2.6.0 ∧ transformers≥5.0.0 → import",
        atoms=[
            Condition(kind=ConditionKind.AXIS, name="torch", op="<", value="2.6.0"),
            Condition(kind=ConditionKind.AXIS, name="transformers", op=">=", value="5.0.0"),
        ],
        stage=Stage.IMPORT, signatures={}, variants=4, cells=2, alone=4, masked=0, examples=[], boundaries=[], alternatives=[],
    )  # fmt: skip
    newest = {runtime: f"3.11-2.6.0-5.0.0-1.16.2-{runtime}" for runtime in ("1.16.3", "1.20.1")}
    return replace(report(*cells, recommended=newest), rules=[rule])


FAILING = "3.11-2.1.2-5.0.0-1.16.2-1.16.3"


def squares(page: Page) -> list[str]:
    """The texts of what is shown of the map, out of sight too, which is drawn after what is in sight."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 20)))")
    return page.locator(".heat tbody td:not(.off)").evaluate_all("all => all.map(square => square.textContent)")


def choose(page: Page, **values: str) -> None:
    for name, value in values.items():
        page.locator(f"select[name={name}]").select_option(value)


def test_the_map_has_letters_and_no_cell_that_works_in_part_is_plain_green(small, opened: Opened):
    page = opened(html(small))
    assert squares(page) == ["P\n1/2", "P\n1/2", "F\nimport", "F\nimport", "W", "W", "W", "W"]
    assert page.locator("h1").text_content() == "6 of 8 combinations work"
    looks = page.locator(".heat tbody td").evaluate_all(
        "all => all.map(square => [getComputedStyle(square).backgroundColor, getComputedStyle(square).backgroundImage])"
    )
    assert len({tuple(look) for look in looks}) == 3
    assert looks[-1] == ["rgb(0, 158, 115)", "none"]


def test_filters_leave_what_matches_and_stand_in_the_address(small, opened: Opened):
    page = opened(html(small))
    choose(page, torch="2.1.2", status="works")
    assert squares(page) == ["P\n1/2", "P\n1/2"]
    expect(page.locator("#matching")).to_have_text("2 of 8 combinations shown")
    assert page.url.endswith("#torch=2.1.2&status=works")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("#matching")).to_have_text("8 of 8 combinations shown")
    choose(page, cause="version conflict")
    assert squares(page) == ["F\nimport"] * 2
    choose(page, cause="", verdict="works")
    assert squares(page) == ["W"] * 4


def test_the_map_of_one_exporter_is_about_that_exporter(small, opened: Opened):
    page = opened(html(small))
    choose(page, exporter="dynamo")
    assert squares(page) == ["F\nexport"] * 2 + ["F\nimport"] * 2 + ["W"] * 4
    choose(page, stage="export")
    assert squares(page) == ["F\nexport"] * 2
    choose(page, stage="", exporter="torchscript")
    assert squares(page) == ["W"] * 2 + ["F\nimport"] * 2 + ["W"] * 4
    choose(page, exporter="")
    assert squares(page)[0] == "P\n1/2"


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([("fails", "load"), ("error", "install")], "E\ninstall"),
        ([("fails", "load"), ("flaky", "decode")], "K\ndecode"),
        ([("flaky", "decode"), ("error", "load")], "E\nload"),
        ([("fails", "load"), ("not-run", "export", "the probe has no such layout")], "F\nload"),
        ([("fails", "load"), ("not-run", "export", "the budget was over")], "N"),
        ([("fails", "load"), ("not-run", "export", "not run yet")], "N"),
        ([("fails", "load"), ("not-run", "resolve", "nothing is built from source")], "N"),
        ([("fails", "load"), ("works", None), ("not-run", "export", "not run yet")], "P\n1/2"),
        # A diagnostic never decides.
        ([("fails", "load"), ("works", None, None, "feed-all")], "F\nload"),
        ([("error", "load"), ("fails", "decode", None, "feed-all")], "E\nload"),
        ([("fails", "decode", None, "feed-all")], "F\ndecode"),
    ],
)
def test_some_variants_come_to_what_a_cell_of_them_alone_would(opened: Opened, ends, expected):
    layouts = ("pair", "merged", "no-cache")
    held = [
        reported_variant(
            Status(status), stage and Stage(stage), exporter="dynamo", layout=layout, strategy="cached", attention="default",
            reason=next(iter(more), None), feedback=more[1] if len(more) > 1 else "keep-cross", outcomes=[], unanswered=[],
        )
        for layout, (status, stage, *more) in zip(layouts, ends, strict=False)
    ]  # fmt: skip
    page = opened(html(report(reported_cell(*variants("2.6.0", "4.46.3")[:1], *held))))
    choose(page, exporter="dynamo")
    assert squares(page) == [expected]


def test_a_click_explains_a_combination(small, opened: Opened):
    page = opened(html(small))
    page.locator(".heat tbody td.fails").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("h2")).to_have_text(f"{FAILING}: fails")
    text = dialog.inner_text()
    assert "Python 3.11, torch 2.1.2, transformers 5.0.0, onnx 1.16.2, onnxruntime 1.16.3, together" in text
    assert "cause: version conflict, proven" in text
    assert "no attribute 'x'" in text
    assert "nearest cell that works: 3.11-2.1.2-4.46.3-1.16.2-1.16.3; there transformers 4.46.3 instead of 5.0.0" in text
    assert f"python -m harness cell {FAILING}" in text
    assert dialog.get_by_role("link", name=LOG).get_attribute("href") == LOG
    dialog.get_by_text("Stages").click()
    row = dialog.get_by_role("row").nth(1)
    assert row.get_by_role("rowheader").text_content() == "torchscript-17-pair-keep-cross-numpy"
    assert row.get_by_role("cell").all_text_contents() == ["✓", "1.5 s", "fails", "", "", "", "", "", "", "1.0 s"]
    dialog.get_by_text("Lock").click()
    assert "numpy==1.26.4\ntorch==2.1.2" in dialog.inner_text()


def test_a_link_brings_back_the_filters_and_the_open_combination(small, opened: Opened):
    first = opened(html(small))
    choose(first, torch="2.1.2", exporter="dynamo")
    first.locator(".heat tbody td.fails").nth(2).click()
    fragment = first.url.partition("#")[2]
    page = opened(html(small), f"#{fragment}")
    assert page.locator("select[name=exporter]").input_value() == "dynamo"
    assert squares(page) == ["F\nexport"] * 2 + ["F\nimport"] * 2
    expect(page.get_by_role("dialog").locator("h2")).to_have_text(f"{FAILING}: fails")
    page.evaluate("location.hash = ''")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    expect(page.locator("#matching")).to_have_text("8 of 8 combinations shown")


def test_a_link_to_a_combination_leaves_the_filters_and_is_where_one_comes_back_to(small, opened: Opened):
    page = opened(html(small))
    choose(page, torch="2.1.2", exporter="dynamo")
    link = page.locator(".cards a").first
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").locator("h2")).to_have_text("3.11-2.6.0-5.0.0-1.16.2-1.16.3: works")
    assert page.url.endswith("#torch=2.1.2&exporter=dynamo&cell=3.11-2.6.0-5.0.0-1.16.2-1.16.3")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    expect(page.locator("#matching")).to_have_text("4 of 8 combinations shown")
    expect(link).to_be_focused()


def test_an_address_that_names_nothing_of_this_report_changes_nothing(small, opened: Opened):
    page = opened(html(small), "#torch=9.9&__proto__=x&cell=constructor&status=<img src=x onerror=alert(1)>")
    assert len(squares(page)) == 8
    expect(page.get_by_role("dialog")).not_to_be_visible()


def test_keys(small, opened: Opened):
    page = opened(html(small))
    assert page.locator(".heat td[tabindex]").count() == 1
    page.locator(".heat td[tabindex]").focus()
    here = "document.activeElement.title"
    assert page.evaluate(here) == "3.11-2.1.2-4.46.3-1.16.2-1.16.3: P 1/2"
    for key, place in (
        ("ArrowRight", "2.1.2-4.46.3-1.16.2-1.20.1"),
        ("ArrowDown", "2.6.0-4.46.3-1.16.2-1.20.1"),
        ("ArrowDown", "2.6.0-4.46.3-1.16.2-1.20.1"),
        ("End", "2.6.0-5.0.0-1.16.2-1.20.1"),
        ("Home", "2.6.0-4.46.3-1.16.2-1.16.3"),
        ("ArrowUp", "2.1.2-4.46.3-1.16.2-1.16.3"),
        ("ArrowLeft", "2.1.2-4.46.3-1.16.2-1.16.3"),
    ):
        page.keyboard.press(key)
        assert page.evaluate(here).startswith(f"3.11-{place}: "), key
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "close"
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    assert page.evaluate(here).startswith("3.11-2.1.2-4.46.3-1.16.2-1.16.3: ")
    choose(page, torch="2.6.0", onnxruntime="1.20.1")
    assert squares(page) == ["W"] * 2
    page.locator(".heat td[tabindex]").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(here).startswith("3.11-2.6.0-5.0.0-1.16.2-1.20.1: ")


@pytest.mark.parametrize("modifier", ["altKey", "ctrlKey", "metaKey", "shiftKey"])
def test_keys_of_the_browser_stay_its_own(small, opened: Opened, modifier):
    page = opened(html(small))
    square = page.locator(".heat td[tabindex]")
    square.focus()
    taken = square.evaluate(
        """(square, modifier) => ["ArrowLeft", "ArrowRight", "ArrowDown", "Home", "End", "Enter", " "].filter((key) =>
          !square.dispatchEvent(new KeyboardEvent("keydown", { key, [modifier]: true, bubbles: true, cancelable: true })))""",
        modifier,
    )
    assert taken == []
    expect(square).to_be_focused()
    expect(page.get_by_role("dialog")).not_to_be_visible()


def test_the_focus_goes_from_top_to_bottom(small, opened: Opened):
    page = opened(html(small))
    seen: list[str] = []
    while len(seen) < 30:
        page.keyboard.press("Tab")
        place = page.evaluate("document.activeElement.closest('.cards, #filters, .panel')?.className ?? ''")
        seen.append(place or page.evaluate("document.activeElement.closest('form')?.id ?? ''"))
    assert list(dict.fromkeys(seen))[:3] == ["cards", "filters", "panel ready"]
    assert seen.count("panel ready") == 1


def test_pins_are_copied(small, opened: Opened):
    page = opened(html(small), permissions=["clipboard-read", "clipboard-write"])
    page.locator(".cards article").first.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "torch==2.6.0\ntransformers==5.0.0\nonnx==1.16.2\nonnxruntime==1.16.3\nnumpy==1.26.4"


def test_what_is_copied_is_told_and_the_button_is_itself_again(small, opened: Opened):
    page = opened(html(small), permissions=["clipboard-read", "clipboard-write"])
    button, status = page.locator(".cards button").first, page.locator("main > [role=status]")
    page.clock.install()
    for _ in range(2):
        button.click()
        expect(button).to_have_text("Copied")
        expect(status).to_have_text("Copied")
    page.clock.run_for(60_000)
    assert (button.text_content(), status.text_content()) == ("Copy", "")
    page.locator(".heat tbody td").first.click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("dialog > [role=status]")).to_have_text("Copied")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("fragment", ["", f"#cell={FAILING}", "#exporter=dynamo&stage=export"])
def test_axe_finds_nothing(small, opened: Opened, scheme, fragment):
    page = opened(html(small), fragment, color_scheme=scheme)
    assert violations(page) == []
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 28)"}[scheme]


def test_on_a_phone_nothing_but_the_map_and_tables_is_wider_than_it(opened: Opened):
    page = opened(html(synthetic(300)), viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator(".map").last.scroll_into_view_if_needed()
    assert page.evaluate("document.querySelector('.panel .wide').scrollWidth") > 360
    page.locator(".heat tbody td.fails").first.click()
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 360


def test_the_names_of_rows_stay_where_a_wide_map_is_scrolled(opened: Opened):
    page = opened(html(synthetic(300)), viewport={"width": 360, "height": 740})
    page.locator(".map").last.scroll_into_view_if_needed()
    page.locator(".panel .wide").evaluate("wide => { wide.scrollLeft = wide.scrollWidth; }")
    name, last = (
        page.locator(".map")
        .last.locator("tr")
        .last.locator("th, td")
        .evaluate_all("cells => [cells[0], cells.at(-1)].map((cell) => cell.getBoundingClientRect().x)")
    )
    assert 0 <= name < last < 360


def test_without_a_script_everything_static_is_there(small, opened: Opened):
    page = opened(html(small), ready=False, java_script_enabled=False)
    text = page.locator("body").inner_text()
    assert "6 of 8 combinations work" in text
    assert "torch==2.6.0\ntransformers==5.0.0\nonnx==1.16.2\nonnxruntime==1.20.1" in text
    assert (
        "With torch older than 2.6.0 and transformers 5.0.0 or newer, everything that gets as far as import fails there" in text
    )
    assert page.locator(".heat tbody td").all_text_contents() == squares_of(small)
    expect(page.locator("#filters")).not_to_be_visible()
    assert page.get_by_role("button").count() == 0


def squares_of(made: Report) -> list[str]:
    return re.findall(r"<td class=\"(?:works|partly|fails)[^>]*>([^<]*)<", html(made).replace("&#10;", "\n"))


def test_axes_beyond_the_four_make_maps_of_their_own_and_filters(small, opened: Opened):
    cells = [replace(held, id=f"{held.id}-handoff", environment=Setup.HANDOFF) for held in small.cells]
    page = opened(html(replace(small, cells=[*small.cells, *cells])))
    assert page.locator(".panel h3").all_text_contents() == ["together", "handoff"]
    choose(page, setup="handoff", torch="2.1.2")
    expect(page.locator("#matching")).to_have_text("4 of 16 combinations shown")


def test_an_axis_with_the_name_of_something_else_is_a_filter_of_its_own(small, opened: Opened):
    cells = [
        replace(held, id=f"{held.id}-{n}", pins={**held.pins, "exporter": f"{n}.0", "setup": f"{n}.1", "cell": f"{n}.2"})
        for held in small.cells
        for n in (1, 2)
    ]
    page = opened(html(report(*cells)))
    labels = page.locator("#filters label").evaluate_all("all => all.map((label) => label.firstChild.data)")
    assert len(set(labels)) == len(labels)
    assert {"axis exporter", "exporter", "axis setup", "axis cell"} <= set(labels)
    page.locator('select[name="axis exporter"]').select_option("2.0")
    expect(page.locator("#matching")).to_have_text("8 of 16 combinations shown")
    choose(page, exporter="dynamo", stage="export")
    expect(page.locator("#matching")).to_have_text("2 of 16 combinations shown")
    page.locator('select[name="axis setup"]').select_option("1.1")
    expect(page.locator("#matching")).to_have_text("0 of 16 combinations shown")
    page.locator('select[name="axis setup"]').select_option("2.1")
    page.locator('select[name="axis cell"]').select_option("2.2")
    expect(page.locator("#matching")).to_have_text("2 of 16 combinations shown")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    again = opened(html(report(*cells)), f"#{page.url.partition('#')[2]}")
    expect(again.locator("#matching")).to_have_text("2 of 16 combinations shown")


def test_printed_it_has_its_colours_and_no_controls(small, opened: Opened):
    page = opened(html(small))
    page.emulate_media(media="print")
    expect(page.locator("#filters")).not_to_be_visible()
    expect(page.get_by_role("button").first).not_to_be_visible()
    assert page.locator(".heat tbody td").last.evaluate("square => getComputedStyle(square).printColorAdjust") == "exact"


@pytest.mark.parametrize(("scheme", "scripted"), [("light", True), ("dark", True), ("light", False)])
def test_the_line_of_the_runs(small, opened: Opened, scheme, scripted):
    runs = [RunCount(time=f"2026-01-0{n + 1}T10:00:00+00:00", works=n, cells=8) for n in (4, 5, 6)]
    text = str(format_named("html").render(replace(matrix.page(small), trend=runs)))
    page = opened(text, ready=scripted, color_scheme=scheme, java_script_enabled=scripted)
    named = "combinations that work, run by run: 4 of 8 on 2026-01-05, 5 of 8 on 2026-01-06, 6 of 8 on 2026-01-07"
    picture = page.get_by_role("img", name=named)
    expect(picture).to_be_visible()
    line = picture.locator("polyline.working")
    colours = {"light": "rgb(0, 80, 138)", "dark": "rgb(140, 200, 255)"}
    assert line.evaluate("line => getComputedStyle(line).stroke") == colours[scheme]
    page.get_by_text("3 runs", exact=True).click()
    assert page.locator(".trend tbody tr").last.inner_text().split() == ["2026-01-07", "10:00", "UTC", "6", "8"]
    if scripted:
        assert violations(page) == []
    page.emulate_media(media="print")
    expect(picture).to_be_visible()
    assert line.evaluate("line => getComputedStyle(line).stroke") == "rgb(0, 0, 0)"


def test_ten_thousand_combinations(opened: Opened):
    text = html(synthetic(10_000))
    assert len(text.encode()) <= 5_000_000
    page = opened(text)
    choose(page, torch="1.1.0", verdict="fails")
    shown, _, count, *_ = page.locator("#matching").inner_text().split()
    assert count == "10000"
    assert len(squares(page)) == int(shown) > 0
