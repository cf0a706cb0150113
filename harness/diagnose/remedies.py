"""What mends a failure: changes tried in order of cost, each by running it, until one works.

What a change gave is stored like any result. So a lab that does not act comes the same way to the same end, as far as
the store reaches: a report tells what a run has found out, and there is no record of remedies that could go stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.diagnose.changes import Change, Remedy
from harness.lab import Lab
from harness.model import Stage, Status, Variant
from harness.plan import Planned
from harness.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What some changes together gave."""

    changes: tuple[Change, ...]
    status: Status
    stage: Stage | None
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """Everything that was tried on one variant of one cell, in this order."""

    trials: tuple[Trial, ...]
    remedy: Remedy | None

    @property
    def open(self) -> bool:
        """Whether more may come of it: something has not been run yet, or ended in an error, which proves nothing."""
        return self.remedy is None and any(trial.status in {Status.NOT_RUN, Status.ERROR} for trial in self.trials)


def search(lab: Lab, planned: Planned, variant: Variant, *, near: Sequence[Verdict] = (), first: Sequence[Remedy] = ()) -> Search:
    """The cheapest change, or changes, with which `variant` of the cell works; `.remedy` is None where none was found.

    `near` are cells of which something is known: the nearest that works shows what is different here, and their versions
    are the first that are tried instead. `first` are remedies that mended the same elsewhere, and go before all others.

    Raises:
        Interrupted: Ctrl-C; what was finished is stored.
    """
    raise NotImplementedError
