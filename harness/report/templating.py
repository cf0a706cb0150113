"""The templates of pages and pictures.

Everything that a template shows is escaped for HTML and made visible, unless it is `Markup`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from markupsafe import Markup

from harness.errors import ReportError
from harness.foreign_text import visible

_OWN = FileSystemLoader(Path(__file__).parent / "templates")


def render(name: str, **values: Any) -> str:
    """The template `name`, filled. Raises ReportError where it cannot be used."""
    try:
        return _environment().get_template(name).render(values)
    except (TemplateError, UnicodeError) as error:
        raise ReportError(f"the template {name} cannot be used: {type(error).__name__}: {error}") from None


def _environment() -> Environment:
    return Environment(
        loader=_OWN,
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
