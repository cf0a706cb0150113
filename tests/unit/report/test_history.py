"""history.jsonl: a line for each run; whatever else stands in the file, no line is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from values import report, reported_cell, reported_variant

from harness.errors import ReportError
from harness.model import Stage, Status
from harness.report import history
from harness.report.formats import format_named
from harness.report.pages import history as pages
from harness.verdicts.report_schema import Report

CELL = "py311-t2150-r1163"


def line(number: int = 0, cells: dict[str, dict[str, str | None]] | None = None, **given: Any) -> str:
    """The line of a run on a day."""
    values = {
        "schema": 1,
        "id": f"run{number}",
        "time": f"2026-01-0{number + 1}T00:00:00+00:00",
        "newest": None,
        "harness": "0.1.0",
        "uv": "0.9.1",
        "platform": "Linux",
        "probe": "f" * 16,
        "torch": "cpu",
        "cells": cells or {"works": {CELL: "1a2b3c4d"}},
    }
    return json.dumps(values | given)


def written(folder: Path, *lines: str) -> history.History:
    (folder / "history.jsonl").write_text("\n".join(lines) + "\n")
    return history.read(folder)


def matrix(*, count: int = 1) -> Report:
    cells = [replace(reported_cell(onnx=f"1.{number}"), lock="0123456789abcdef" * 2) for number in range(count)]
    return report(*cells)


def test_a_line_has_what_a_run_came_to(tmp_path):
    failing = replace(reported_cell(reported_variant(Status.FAILS, Stage.LOAD), status=Status.FAILS, onnx="1.15.0"), lock=None)
    made = report(matrix().cells[0], failing)
    assert history.append(made, tmp_path) == tmp_path / "history.jsonl"
    (run,) = history.read(tmp_path).runs
    assert (run.platform, run.probe, run.torch) == (made.platform, made.probe.id, "cpu")
    assert run.cells == {Status.WORKS: {made.cells[0].id: "01234567"}, Status.FAILS: {failing.id: None}}
    assert run.uv.startswith("0.")


def test_appending_keeps_every_byte_that_is_there(tmp_path):
    path = tmp_path / "history.jsonl"
    for before in (b"", b"<<<<<<< HEAD\n", b'{"cut', b"\xff\xfe\n"):
        path.write_bytes(before)
        history.append(matrix(), tmp_path)
        assert path.read_bytes().startswith(before)
        assert len(history.read(tmp_path).runs) == 1


def test_the_same_results_are_no_second_line_and_results_that_were_made_again_are(tmp_path):
    made = matrix()
    again = replace(made, generated="2026-01-02T00:00:00+00:00")
    added = [history.append(one, tmp_path) is not None for one in (made, made, again, again, made)]
    assert added == [True, False, True, False, True]


def test_nothing_observed_is_no_line(tmp_path):
    for status in (Status.ERROR, Status.NOT_RUN):
        assert history.append(report(reported_cell(reported_variant(status), status=status)), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_cell_is_known_by_its_versions_and_where_a_line_has_none_by_its_id(tmp_path):
    def run(number: int, **named: str) -> str:
        cells = {"works": {name: f"lock{number}" for name in ("t22", "t220") if name in named or not named}}
        return line(number, cells, versions=named)

    old, first, second = run(0), run(1, t220="2.20"), run(2, t22="2.2", t220="2.20")
    found = written(tmp_path, old, first, second, run(3, t220="2.2"))
    assert [entry.run.id for entry in history.entries(found, "t22")] == ["run0", "run2", "run3"]
    # The newest run with an id says which cell it is.
    assert [(entry.run.id, entry.lock) for entry in history.entries(found, "t220")] == [
        ("run0", "lock0"),
        ("run2", "lock2"),
        ("run3", "lock3"),
    ]


def test_ten_thousand_cells_are_at_most_1_2_megabytes(tmp_path):
    names = [f"py311-t2150-tf5230-o1232-r{number:05}-handoff" for number in range(10_000)]
    cells = [replace(matrix().cells[0], id=name) for name in names]
    path = history.append(report(*cells), tmp_path)
    assert path
    assert path.stat().st_size <= 1_200_000
    assert history.statuses(history.read(tmp_path), names[-1]) == [Status.WORKS]


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("elsewhere"), os.mkfifo, lambda path: path.mkdir()])
def test_what_is_no_regular_file_is_not_written(tmp_path, make):
    make(tmp_path / "history.jsonl")
    with pytest.raises(ReportError, match=r"the run cannot be added to|not a regular file"):
        history.append(matrix(), tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_lines_are_read_by_time_each_once(tmp_path):
    found = written(tmp_path, line(2), line(0), line(2), "", line(1, time="2026-01-02T00:00:00Z"))
    assert [run.id for run in found.runs] == ["run0", "run1", "run2"]
    assert found.skipped == ()


def test_no_file_is_an_empty_history(tmp_path):
    assert history.read(tmp_path) == history.History(runs=(), skipped=())


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("<<<<<<< HEAD", "it is a mark of a merge conflict"),
        ("=======", "it is a mark of a merge conflict"),
        (line(1)[:-20], "Invalid JSON: "),
        ('"a"', "Input should be an object"),
        (line(1, schema=2), "schema: Input should be 1"),
        (line(1, time="yesterday"), "time: String should match pattern"),
        (line(1, {"perfect": {CELL: None}}), "cells.perfect.[key]: Input should be 'works'"),
        (line(1, {"works": {CELL: "0" * 9}}), f"cells.works.{CELL}: String should have at most 8 characters"),
        (line(1, {"works": {CELL: None}, "fails": {CELL: None}}), "a cell has two statuses"),
        (line(0, uv="0.9.2"), "an earlier line has its id, and says something else"),
    ],
)
def test_a_damaged_line_is_named_and_the_others_are_read(tmp_path, damage, why):
    found = written(tmp_path, line(0), damage, line(2))
    assert [run.id for run in found.runs] == ["run0", "run2"]
    (text,) = found.skipped
    assert text.startswith(f"line 2 of {tmp_path / 'history.jsonl'} is skipped: {why}")


@pytest.mark.parametrize("extra", [0, 1, 7])
def test_a_line_that_is_too_long_is_skipped_whole(tmp_path, monkeypatch, extra):
    monkeypatch.setattr(history, "LINE_LIMIT", len(line(0)) + 1)
    found = written(tmp_path, line(0), line(1) + " " * (len(line(0)) * extra + 1), line(2))
    assert [run.id for run in found.runs] == ["run0", "run2"]
    assert found.skipped[0].endswith(f"is skipped: it has more than {history.LINE_LIMIT} bytes")


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    os.mkfifo(tmp_path / "history.jsonl")
    with pytest.raises(ReportError, match="not a regular file"):
        history.read(tmp_path)


def test_what_changed_between_the_runs_of_a_cell(tmp_path):
    found = written(
        tmp_path,
        line(0),
        line(1, {"works": {"another": None}}),
        line(2, {"fails": {CELL: "5e6f7a8b"}}, uv="0.9.2"),
        line(3, {"fails": {CELL: None}}, uv="0.9.2", probe="e" * 16, platform="macOS", torch="default index", harness="0.2.0"),
    )
    assert history.statuses(found, CELL) == [Status.WORKS, Status.FAILS, Status.FAILS]
    assert [entry.changed for entry in history.entries(found, CELL)] == [
        (),
        ("status works → fails", "lock 1a2b3c4d → 5e6f7a8b", "uv 0.9.1 → 0.9.2"),
        (
            "lock 5e6f7a8b → none",
            f"probe {'f' * 16} → {'e' * 16}",
            "platform Linux → macOS",
            "torch from cpu → default index",
            "harness 0.1.0 → 0.2.0",
        ),
    ]


def test_the_page_says_since_when_a_cell_is_as_it_is(tmp_path):
    cells = [{"fails": {CELL: None}}, {"works": {CELL: None}}, {"fails": {CELL: None}}, {"fails": {CELL: None}}]
    page = pages.page(written(tmp_path, *(line(day, found) for day, found in enumerate(cells))), CELL)
    text = format_named("text").render(page)
    assert text.startswith(f"{CELL}: fails since 2026-01-03T00:00:00+00:00, in 2 of 4 runs\n")
    data = json.loads(format_named("json").render(page))
    assert [run["status"] for run in data["runs"]] == ["fails", "works", "fails", "fails"]
    assert data["runs"][1]["changed"] == ["status fails → works"]


def test_foreign_text_only_shows(tmp_path):
    hostile = "\x1b]0;x\x07<img src=x> ![x](h)\n::error::x https://u:s3kr3t@h `"
    found = written(tmp_path, line(0), line(1, platform=hostile, uv=hostile), line(2, time=hostile))
    for name in ("text", "markdown"):
        text = format_named(name).render(pages.page(found, CELL))
        assert "img src" in text
        assert [mark for mark in ("\x1b", "\n::", "s3kr3t") if mark in text] == []
        assert name == "text" or "<img" not in text


def test_two_branches_are_merged_without_a_conflict(tmp_path):
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    def add(number: int) -> None:
        with (tmp_path / "history.jsonl").open("a") as file:
            file.write(line(number) + "\n")
        git("add", ".")
        git("commit", "-m", f"run {number}")

    root = Path(__file__).parents[3]
    shutil.copy(root / ".gitattributes", tmp_path)
    git("init", "-b", "main")
    add(0)
    git("checkout", "-b", "other")
    add(1)
    git("checkout", "main")
    add(2)
    git("merge", "other")
    found = history.read(tmp_path)
    assert ([run.id for run in found.runs], found.skipped) == (["run0", "run1", "run2"], ())


def test_the_runs_in_numbers_end_with_the_report(tmp_path):
    def counts(made: Report) -> list[tuple[str, int, int]]:
        return [(count.time, count.works, count.cells) for count in history.trend(tmp_path, made)]

    made = replace(matrix(count=3), generated="2026-01-05T00:00:00+00:00")
    assert counts(made) == []
    runs = [line(0), line(1, {"works": {CELL: None}, "fails": {"another": None}, "works-with-remedy": {"third": None}})]
    written(tmp_path, *runs)
    earlier = [("2026-01-01T00:00:00+00:00", 1, 1), ("2026-01-02T00:00:00+00:00", 1, 3)]
    assert counts(made) == [*earlier, ("2026-01-05T00:00:00+00:00", 3, 3)]
    assert counts(replace(made, generated=None)) == earlier
    # The run that made this report has added its line.
    same = line(2, {"works": dict.fromkeys("abc")}, newest=made.generated)
    written(tmp_path, *runs, same)
    assert counts(made) == [*earlier, ("2026-01-03T00:00:00+00:00", 3, 3)]
    assert len(counts(matrix())) == 4
    written(tmp_path, *(line(n, time=f"2026-01-01T00:{n % 60:02}:00Z") for n in range(80)))
    assert len(counts(made)) == history.TREND


def test_a_history_that_cannot_be_read_draws_nothing(tmp_path):
    os.mkfifo(tmp_path / "history.jsonl")
    assert history.trend(tmp_path, matrix()) == []
