"""Questions of a search that knows nothing of rounds: it asks about one cell after another, as if all were known.

What is not known yet is collected, and ends the search with `Pending`. When everything that was collected has been run,
the same search starts anew and comes further. So searches that do not depend on each other run side by side, and the
answer of a search follows from the store alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import TypeAdapter

from harness.environments.lockfile import Published
from harness.environments.uv.errors import UvFailure
from harness.execution.session import Asked, Session
from harness.execution.work import Origin, Work
from harness.matrix.plan import Planned
from harness.matrix.schema import Matrix
from harness.model import digest
from harness.store.envelope import RecordKind
from harness.verdicts.judge import Verdict

PUBLISHED = RecordKind(name="published", adapter=TypeAdapter(tuple[Published | None]))
"""The newest version that satisfies a requirement; None in it where there is none."""


class Pending(Exception):  # noqa: N818 -- no error: the search goes on after the next round
    """A cell that a search asks about is not known yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoSuchVersion:
    """An answer of the index: it has no version that satisfies the requirement."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NotAnswered:
    """No answer: the index is in trouble, or was not asked. It says nothing about what is published."""

    why: str


class Questions:
    """One pass of a search, or of several, over a session."""

    def __init__(
        self, session: Session, *, acts: bool = True, cross_checked: bool = False, origin: Origin = Origin.TRIAL
    ) -> None:
        """Without `acts`, or if the session does not act, nothing is collected: unknown cells are `not run yet`."""
        self.session = session
        self.acts = acts and session.acts
        self._cross_checked = cross_checked
        self._origin = origin
        self._unknown: dict[Asked, None] = {}
        self.fresh: set[Asked] = set()
        """Cells asked about so far for which this session has run tasks."""

    @property
    def matrix(self) -> Matrix:
        """What is asked about, and how."""
        return self.session.matrix

    def ask(self, planned: Sequence[Planned], *, exclude_newer: str | None = None) -> list[Verdict]:
        """What becomes of `planned`, in their order; cells with one id differ in nothing but their variants.

        Releases younger than the date `exclude_newer` do not count; None for what the matrix says.

        Raises:
            Pending: something has to run first.
            ConfigError: a version that nobody publishes.
        """
        asked = [Asked(planned=one, exclude_newer=exclude_newer) for one in planned]
        verdicts = self.session.known(asked, cross_checked=self._cross_checked, acts=self.acts)
        if verdicts is None:
            self._unknown |= dict.fromkeys(asked)
            raise Pending
        self.fresh |= self.session.trials.intersection(asked)
        return verdicts

    def work(self) -> Work:
        """What has to run before a next pass comes further."""
        return replace(self.session.unknown(list(self._unknown), cross_checked=self._cross_checked), origin=self._origin)

    def published(self, requirement: str, python: str) -> Published | NoSuchVersion | NotAnswered:
        """The newest version that satisfies `requirement` where uv looks, recorded: today's answer stands until a refresh."""
        interpreter = self.session.interpreter(python)
        if interpreter is None:
            return NotAnswered(why=f"no CPython {python} on this machine")
        uv, answers = self.session.uv, self.session.answers
        key = digest(["published", requirement, interpreter.version, uv.identity(answers.store.root)])
        known = answers.get(PUBLISHED, key, ask=self.acts)
        if known is not None:
            return known[0] or NoSuchVersion()
        name = canonicalize_name(Requirement(requirement).name)
        if not self.acts or answers.provisional or name in self.session.silent:
            return NotAnswered(why=self.session.silent.get(name) or "it was not asked")
        try:
            found = uv.published(requirement, interpreter)
        except UvFailure as failure:
            self.session.silent[name] = str(failure)
            return NotAnswered(why=str(failure))
        answers.put(PUBLISHED, key, (found,))
        return found or NoSuchVersion()
