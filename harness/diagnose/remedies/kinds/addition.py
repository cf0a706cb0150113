"""A distribution that is missing, added.

The name of a module comes out of an error message, which a package under test words as it likes, and what is added is
installed and imported. So a distribution is added only if the project knows it, or if a distribution of the lock names
it in its own metadata (`Requires-Dist`, extras included): those are as trustworthy as that distribution. Any other
module is named in the report, and nothing is installed for it.
"""

from __future__ import annotations

from packaging.utils import is_normalized_name

from harness.diagnose.remedies.interface import TOGETHER, Attempt, Change, RemedyKind, Trials, since
from harness.environments.lockfile import PublishedVersion
from harness.model import Stage
from harness.stack import KNOWN
from harness.verdicts.judge import VariantVerdict


class Addition(RemedyKind):
    """The failure names the module; after the first, another one may be missing."""

    name = "addition"
    reach = since(Stage.IMPORT)
    is_named_by_failure = True

    def search(self, attempt: Attempt, trials: Trials) -> Attempt | None:
        """Add the missing distribution, then the one that is missing with it."""
        for _ in range(TOGETHER):
            found = missing_distribution(attempt.verdict)
            if found is None or found in attempt.planned.added or not attempt.cell.resolved.result.ok:
                return None
            _, name = found
            if not isinstance(trials.published(name, attempt.planned.cell.python), PublishedVersion):
                return None
            changes = (*attempt.changes, Change(kind=self, added=found))
            works, made = trials.first_that_works([changes]), trials.made(changes)
            if works or made is None:
                return works
            attempt = made
        return None


ADDITION = Addition()


def missing_distribution(failing: VariantVerdict) -> tuple[str, str] | None:
    """(side, distribution) to add; the side is `export` or `run`. None if nothing is missing, or it may not be added."""
    found = failing.missing
    name = found.get("distribution")
    if not isinstance(name, str) or not is_normalized_name(name) or not (name in KNOWN or found.get("named") is True):
        return None
    return ("run" if _is_on_run_side(failing) else "export"), name


def _is_on_run_side(failing: VariantVerdict) -> bool:
    order = list(Stage)
    message = failing.error.message if failing.error else ""
    loads = order.index(failing.last.stage) >= order.index(Stage.LOAD)
    return loads or (failing.last.stage is Stage.IMPORT and message.startswith("import onnxruntime"))
