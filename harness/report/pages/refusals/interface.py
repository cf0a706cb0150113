"""The words for one kind of refusal; adding a kind is a file like the others here, and a line in the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.decide.model_support import Reading
from harness.model import Stage
from harness.report.page import Span, Text
from harness.report.readings import STATUS
from harness.report.tables import counted

R = TypeVar("R")
"""The type of the refusals."""

_VERSIONS = 8
"""Versions that are named."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusalWords(Generic[R]):
    """What a refusal of one kind comes to."""

    stage: Stage | None
    """Where it fails; None where that may be any."""
    basis: str
    """How it was measured."""
    reason: Callable[[R], str]
    """Why it fails, as the end of a sentence: `IR version 10, where 9 is the largest`."""
    lines: Callable[[R], Iterator[Text]]
    """What is known about it, the answer first."""


def working(kept: str, changed: str, counts: Mapping[str, int]) -> Text:
    """With which versions of `changed` the published cells work that have `kept`; `counts` has their numbers."""
    if not counts:
        return f"no published report has a cell with {kept} that works"
    shown = [f"{version} ({counted(count, 'cell')})" for version, count in list(counts.items())[:_VERSIONS]]
    more = f", and {len(counts) - _VERSIONS} more" if len(counts) > _VERSIONS else ""
    return Span(f"{kept} works with {changed} {', '.join(shown)}{more}", status=STATUS[Reading.READS])
