"""The pages and pictures beside the published reports are what the templates make of these reports."""

from __future__ import annotations

import base64
import gzip
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.report import history
from harness.report.formats import format_named
from harness.report.pages import matrix
from harness.verdicts import report_file

REPORTS = Path(__file__).resolve().parents[3] / "reports"
PUBLISHED = [REPORTS / "matrix.json", REPORTS / "variants" / "matrix.json.gz"]
NAMES = {"html": "matrix.html", "svg": "matrix.svg", "badge": "matrix.badge.svg"}


def made(path: Path) -> dict[Path, str]:
    """File → content of what stands beside a report."""
    report = report_file.read(path)
    page = replace(matrix.page(report), trend=history.trend(path.parent, report))
    return {path.parent / name: str(format_named(chosen).render(page)) for chosen, name in NAMES.items()}


def expanded(text: str) -> str:
    """`text` with its data as JSON: releases of zlib compress in other ways."""
    return re.sub(r'(?<=type="text/plain">)[^<]+', lambda data: gzip.decompress(base64.b64decode(data[0])).decode(), text)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_they_are_made_of_the_report(path, monkeypatch):
    """To make them anew: write what `made` returns for each of `PUBLISHED`."""
    monkeypatch.setattr("sys.argv", ["harness"])
    monkeypatch.delenv("HARNESS_STARTED_BY", raising=False)
    for file, text in made(path).items():
        assert expanded(file.read_text(encoding="utf-8")) == expanded(text), file


def test_a_case_of_the_catalogue_keeps_its_data_alone():
    assert [path for name in NAMES.values() for path in (REPORTS / "catalogue").rglob(name)] == []
