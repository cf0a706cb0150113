"""Another version on one axis: of another patch, minor or major release."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from packaging.version import Version

from harness.diagnose.remedies.interface import Attempt, Change, RemedyKind, Trials, since
from harness.diagnose.remedies.version_steps import StepSize, distance, step_size
from harness.environments.lockfile import PublishedVersion
from harness.matrix.values import version_key
from harness.model import Cell, Stage
from harness.packaging_values import after, release_text
from harness.verdicts.judge import Verdict

BIG = 200 * 10**6
"""Bytes: a version that no cell has is not tried if one of its files is larger."""


class AxisVersion(RemedyKind):
    """Versions that cells of the matrix have go before those of an index."""

    reach = since(Stage.RESOLVE)
    keeps_cell = False

    def __init__(self, name: str, size: StepSize) -> None:
        self.name = name
        self.is_only_observed = size is StepSize.MAJOR
        self._size = size

    def search(self, attempt: Attempt, trials: Trials) -> Attempt | None:
        """Try one version after the other; a cell that was observed costs nothing, and so goes first."""
        there = self.of_cells(attempt.planned.cell, trials.near)
        observed = [change for change in there if _is_observed(change, attempt, trials.near)]
        others = [] if self.is_only_observed else [change for change in there if change not in observed]
        published = self._of_index(attempt.planned.cell, trials) if trials.asks_index else ()
        for change in itertools.chain(observed, others, published):
            if (found := trials.first_that_works([(change,)])) is not None:
                return found
        return None

    def between_versions(self, axis: str, failing: str, working: str) -> Change | None:
        """The change, if the step has the size of this kind."""
        return self._change(axis, working) if step_size(failing, working) is self._size else None

    def of_cells(self, cell: Cell, near: Sequence[Verdict]) -> list[Change]:
        """Changes to the versions that the cells of `near` have, the nearest first."""
        changes = []
        for axis in ("python", *dict(cell.pins)):
            own = str(cell.version(axis))
            able = [verdict for verdict in near if not verdict.resolved.unpublished]
            there = {version for verdict in able if (version := verdict.cell.version(axis))}
            versions = {version for version in there if version_key(axis, version) != version_key(axis, own)}
            changes += [change for version in versions if (change := self.between_versions(axis, own, version))]
        return sorted(changes, key=lambda change: distance(cell, *(change.pin or ("", ""))))

    def requirements(self, cell: Cell, axis: str) -> list[str]:
        """What an index is asked for: the newest patch; or the next minor release, then the newest of the major one."""
        own = str(cell.version(axis))
        epoch, (major, minor) = Version(own).epoch, (*Version(own).release, 0)[:2]
        lines = ((major, minor), (major, minor + 1), (major + 1,))
        this, following, above = (release_text(epoch, numbers) for numbers in lines)
        if self._size is StepSize.MAJOR:
            return []
        if self._size is StepSize.PATCH:
            return [f"{axis}{after(own)},=={this}.*"]
        # `>` leaves out post-releases of the own version, which are patch releases.
        return [f"{axis}>{own},=={following}.*", f"{axis}>{own},<{above}"]

    def _of_index(self, cell: Cell, trials: Trials) -> Iterator[Change]:
        """Changes to versions that an index has, with files that are not big; a file of unknown size is on this machine."""
        for axis in dict(cell.pins):
            for requirement in self.requirements(cell, axis):
                release = trials.published(requirement, cell.python)
                if isinstance(release, PublishedVersion) and (release.size or 0) <= BIG:
                    yield self._change(axis, release.version)

    def _change(self, axis: str, version: str) -> Change:
        return Change(kind=self, pin=(axis, version))


PATCH = AxisVersion("patch release", StepSize.PATCH)
MINOR = AxisVersion("minor release", StepSize.MINOR)
MAJOR = AxisVersion("major release", StepSize.MAJOR)


def _is_observed(change: Change, attempt: Attempt, near: Sequence[Verdict]) -> bool:
    """Whether a cell of `near` shows what becomes of the variant with `change`."""
    planned, variant = change.applied(attempt.planned, attempt.verdict.variant)
    cell = planned.cell
    same = [
        verdict
        for verdict in near
        if (verdict.cell.python, verdict.cell.pins, verdict.cell.setup) == (cell.python, cell.pins, cell.setup)
    ]
    return any(other.variant == variant and not other.open for verdict in same for other in verdict.variants)
