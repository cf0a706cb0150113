"""The formats of a page, one module each. The registry names their classes; a module is imported when its format is used."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.report.formats.interface import Format

FORMATS: dict[str, str] = {
    "text": "harness.report.formats.text:TextFormat",
    "json": "harness.report.formats.json_data:JsonFormat",
    "markdown": "harness.report.formats.markdown:MarkdownFormat",
    "html": "harness.report.formats.html:HtmlFormat",
    "svg": "harness.report.formats.svg:SvgFormat",
    "badge": "harness.report.formats.badge:BadgeFormat",
    "github": "harness.report.formats.github:GithubFormat",
    "csv": "harness.report.formats.comma_separated:CsvFormat",
    "junit": "harness.report.formats.junit:JUnitFormat",
    "sarif": "harness.report.formats.sarif:SarifFormat",
}
"""The name in `--format NAME` → its class (interface.py). Nothing is imported here: `--help` lists the names alone."""


def format_named(name: str) -> Format:
    """The format with a name in `FORMATS`."""
    made: Format = pkgutil.resolve_name(FORMATS[name])()
    return made
