"""Verdicts for a search, which is written as if every cell were known already.

A cell that is not known yet is collected, and ends the pass of the search with `Pending`. When all collected cells have
run, the same search starts anew and gets further. So independent searches run side by side, and the result of a search
follows from the store alone.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from harness.environments.interface import ProviderFailure
from harness.environments.lockfile import Published
from harness.execution.extra_cells import ExtraCell
from harness.execution.session import Session
from harness.execution.work import Origin, Work
from harness.matrix.plan import Planned
from harness.matrix.schema import Matrix
from harness.model import canonical, digest_with
from harness.packaging_values import required_name
from harness.store.envelope import RecordKind
from harness.verdicts.judge import Verdict

PUBLISHED = RecordKind(name="published", adapter=TypeAdapter(tuple[Published | None]))
"""The newest version that satisfies a requirement; None in it where there is none."""


class Pending(Exception):  # noqa: N818 -- no error: the search goes on after the next round
    """A cell that a search needs is not known yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoSuchVersion:
    """The index answered: it has no version that satisfies the requirement."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NotAnswered:
    """The index gave no answer, or was not asked. It says nothing about what is published."""

    why: str


class Questions:
    """One pass of a search, or of several, over a session."""

    def __init__(
        self, session: Session, *, acts: bool = True, cross_checked: bool = False, origin: Origin = Origin.TRIAL
    ) -> None:
        """Without `acts`, or if the session does not act, nothing is collected: missing cells are `not run yet`."""
        self.session = session
        self.acts = acts and session.acts
        self._cross_checked = cross_checked
        self._origin = origin
        self._unknown: dict[ExtraCell, None] = {}
        self.fresh: set[ExtraCell] = set()
        """Cells of this pass for which this session has run tasks."""

    @property
    def matrix(self) -> Matrix:
        """The matrix of the session."""
        return self.session.matrix

    @functools.cached_property
    def _sources(self) -> str:
        """What a look-up depends on besides its question, as canonical JSON."""
        return canonical(self.session.uv.identity(self.session.answers.store.root))

    def ask(self, planned: Sequence[Planned], *, exclude_newer: str | None = None) -> list[Verdict]:
        """The verdicts on `planned`, in their order. Cells with the same id differ only in their variants.

        Releases from the date `exclude_newer` on do not count; None for the matrix's own date.

        Raises:
            Pending: something has to run first.
            ConfigError: a version that nobody publishes.
        """
        cells = [ExtraCell(planned=item, exclude_newer=exclude_newer) for item in planned]
        verdicts = self.session.extra_verdicts(cells, cross_checked=self._cross_checked, acts=self.acts)
        if verdicts is None:
            self._unknown |= dict.fromkeys(cells)
            raise Pending
        self.fresh |= self.session.trials.intersection(cells)
        return verdicts

    def work(self) -> Work:
        """What is to run before the next pass gets further."""
        return replace(self.session.extra_work(list(self._unknown), cross_checked=self._cross_checked), origin=self._origin)

    def published(self, requirement: str, python: str) -> Published | NoSuchVersion | NotAnswered:
        """The newest version that satisfies `requirement` where uv looks, recorded: the answer stands until a refresh."""
        interpreter = self.session.interpreter(python)
        if interpreter is None:
            return NotAnswered(why=f"no CPython {python} on this machine")
        uv, answers = self.session.uv, self.session.answers
        key = digest_with(["published", requirement, interpreter.version], self._sources)
        known = answers.get(PUBLISHED, key, ask=self.acts)
        if known is not None:
            return known[0] or NoSuchVersion()
        name = required_name(requirement)
        if not self.acts or answers.provisional or name in self.session.unanswered:
            return NotAnswered(why=self.session.unanswered.get(name) or "it was not asked")
        try:
            found = uv.published(requirement, interpreter)
        except ProviderFailure as failure:
            self.session.unanswered[name] = str(failure)
            return NotAnswered(why=str(failure))
        answers.put(PUBLISHED, key, (found,))
        return found or NoSuchVersion()
