"""Versions of a matrix that no index has: each costs its cells, and the user reads one line about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packaging.version import Version

from harness import source_lines
from harness.environments.interface import ProviderFailure
from harness.environments.resolved import Resolved
from harness.errors import UnpublishedError, not_published
from harness.execution.session import Session
from harness.model import ABSENT, Interpreter
from harness.stack import tool_of


def notes(session: Session, resolved: Sequence[Resolved]) -> Iterator[str]:
    """A sentence for each version that no index has: its place in the matrix, what is published beside it, how many cells.

    Raises:
        UnpublishedError: no version of its axis is published, which is a mistake in the matrix, or it is on no axis.
    """
    lost: dict[tuple[str, str], list[Resolved]] = {}
    for cell in resolved:
        if cell.unpublished:
            lost.setdefault(cell.unpublished, []).append(cell)
    file = session.settings.config
    for (name, version), cells in lost.items():
        found = ", ".join(_nearest(session, name, version, cells[0].interpreter))
        hint = f"; the nearest: {found}" if found else ""
        if all((name, other) in lost for other in session.axes.get(name, ()) if other != ABSENT):
            raise UnpublishedError(file.name, name, version, cells[0].cell.id, hint, tool=tool_of(name))
        line = source_lines.line_in(file, name, version)
        place = f"{file.name}: axes.{name}: {not_published(name, version, tool_of(name))}" + (f" (line {line})" if line else "")
        count = "1 cell is" if len(cells) == 1 else f"{len(cells)} cells are"
        yield f"{place}{hint}; {count} not run"


def _nearest(session: Session, name: str, version: str, python: Interpreter | None) -> list[str]:
    """The published versions on both sides of a version, the older first; fewer if there are none, or no index answers."""
    public = Version(version).public
    try:
        assert python is not None
        provider, asked_for = session.provider(name, python)
        found = [provider.newest(name, f"<={public}", asked_for), provider.oldest(name, f">={public}", asked_for)]
    except ProviderFailure:
        return []
    return list(dict.fromkeys(filter(None, found)))
