"""Another version of a distribution that no axis pins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from packaging.requirements import Requirement

from harness.diagnose.remedies import lock_diff
from harness.diagnose.remedies.interface import Attempt, Change, RemedyKind, Trials, since
from harness.environments.lockfile import Published
from harness.execution.questions import NotAnswered
from harness.model import Stage
from harness.verdicts.judge import Verdict
from harness.verdicts.missing_module import missing_module


class SecondaryPin(RemedyKind):
    """Suspects are the differences from the nearest cell that works, then from the same cell on the day of its newest pin."""

    name = "secondary pin"
    # A further bound leaves a resolver no more solutions than it had.
    reach = since(Stage.INSTALL)

    def search(self, attempt: Attempt, trials: Trials) -> Attempt | None:
        """Hold the suspects at the versions of a cell that works."""
        # No version of another distribution is why a module is missing.
        if missing_module(attempt.verdict) is not None:
            return None
        resolved, error = attempt.cell.resolved, attempt.verdict.error
        working = lock_diff.nearest(resolved, attempt.verdict.variant, trials.near)
        found = self._hold(attempt, lock_diff.suspects(resolved, working.resolved if working else None, error), trials)
        if found is None and (dated := _on_day_of_newest_pin(attempt, trials)):
            found = self._hold(attempt, lock_diff.suspects(resolved, dated.resolved, error), trials)
        return found

    def _hold(self, attempt: Attempt, suspects: Sequence[lock_diff.LockSuspect], trials: Trials) -> Attempt | None:
        """One suspect at a time, then all together; what is proven is held as loosely as it may be."""
        held = {Requirement(bound).name for change in attempt.changes for bound in change.bounds}
        suspects = [suspect for suspect in suspects if suspect.name not in held]
        exact = [bound for suspect in suspects if (bound := suspect.exactly)]
        for suspect in suspects:
            proven = self._bounded(attempt, trials, suspect.exactly) if suspect.exactly else None
            if proven or not suspect.exactly:
                for bound in suspect.wider:
                    if (wider := self._bounded(attempt, trials, bound)) is not None:
                        return wider
            if proven:
                return proven
        return self._bounded(attempt, trials, *exact) if len(exact) > 1 else None

    def _bounded(self, attempt: Attempt, trials: Trials, *bounds: str) -> Attempt | None:
        return trials.first_that_works([(*attempt.changes, Change(kind=self, bounds=bounds))])


SECONDARY_PIN = SecondaryPin()


def _on_day_of_newest_pin(attempt: Attempt, trials: Trials) -> Verdict | None:
    """The cell without anything younger than its newest pin, if that is another lock, and works."""
    cell = attempt.planned.cell
    found = [trials.published(f"{name}=={version}", cell.python) for name, version in cell.pins]
    newest = max((release.day for release in found if isinstance(release, Published) and release.day), default=None)
    if newest is None or attempt.cell.resolved.lock is None or any(isinstance(answer, NotAnswered) for answer in found):
        return None
    return trials.on_day(attempt, (dt.date.fromisoformat(newest) + dt.timedelta(days=1)).isoformat())
