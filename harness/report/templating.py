"""The templates of pages and pictures. A file of the same name in the folder `HARNESS_TEMPLATES` replaces one.

Everything that a template shows is escaped for HTML and made visible, unless it is `Markup`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined, TemplateError
from markupsafe import Markup

from harness.errors import ReportError
from harness.foreign_text import visible
from harness.report.page import marked
from harness.report.published_logs import is_published

VARIABLE = "HARNESS_TEMPLATES"
_OWN = FileSystemLoader(Path(__file__).parent / "templates")


def render(name: str, **values: Any) -> str:
    """The template `name`, filled. Raises ReportError where a user's folder, or a template in it, is wrong."""
    try:
        return _environment().get_template(name).render(values)
    except (TemplateError, UnicodeError) as error:
        raise ReportError(f"the template {name} cannot be used: {type(error).__name__}: {error}") from None


def source(name: str) -> Markup:
    """The text of a file among the templates that is none itself: a style sheet, a script. Raises ReportError as `render`."""
    environment = _environment()
    try:
        assert environment.loader
        return Markup(environment.loader.get_source(environment, name)[0])  # noqa: S704 -- it is ours, or the user's
    except (TemplateError, UnicodeError) as error:
        raise ReportError(f"the template {name} cannot be used: {type(error).__name__}: {error}") from None


def _environment() -> Environment:
    loaders = [_OWN, PrefixLoader({"shipped": _OWN})]
    if folder := os.environ.get(VARIABLE):
        if not Path(folder).is_dir():
            raise ReportError(f"{VARIABLE} names {folder}, which is not a folder")
        loaders.insert(0, FileSystemLoader(folder))
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"marked": marked, "kind": lambda block: type(block).__name__, "fragment": _fragment}
    made.tests["published"] = is_published
    return made


def _fragment(cell: str) -> str:
    """The end of an address that opens `cell` on the page, which knows it as it is shown."""
    return f"#cell={quote(visible(cell))}"


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
