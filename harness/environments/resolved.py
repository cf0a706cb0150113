"""A planned cell with its lock, or with the reason why it has none."""

from __future__ import annotations

from dataclasses import dataclass

from harness.environments.layers import Closure
from harness.hashing import digest
from harness.locked import Lock
from harness.matrix.plan import Planned
from harness.model import Cell, Interpreter, Setup, StageResult


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """A planned cell with its lock, or with the reason why it has none."""

    planned: Planned
    interpreter: Interpreter | None
    result: StageResult
    export: Lock | None = None
    """What the export process can import."""
    run: Lock | None = None
    """What the run process can import: onnxruntime, numpy and their requirements."""
    packages: Closure | None = None
    """The packages of a runtime that is no distribution of Python; None for onnxruntime."""
    dropped: tuple[tuple[str, str], ...] = ()
    """See `Lock.dropped`."""
    foreign: bool = False
    """Whether a lock was merged from another store and not solved here; then nothing is installed from it."""
    unpublished: tuple[str, str] | None = None
    """The distribution and its version that no index has, if that is why there is no lock."""

    @property
    def cell(self) -> Cell:
        """The cell itself."""
        return self.planned.cell

    @property
    def sides(self) -> dict[str, Lock]:
        """The locks of the two environments of a handoff cell; empty for a together cell, which has one environment."""
        if self.cell.setup is Setup.TOGETHER or self.export is None or self.run is None:
            return {}
        return {"export": self.export, "run": self.run}

    @property
    def lock(self) -> Lock | None:
        """The whole lock: of the one environment, or of both sides (with the run side's version if they differ)."""
        if self.export is None or self.run is None:
            return None
        merged = {pinned.name: pinned for side in (self.export, self.run) for pinned in side.distributions}
        return Lock(distributions=tuple(merged[name] for name in sorted(merged)))

    @property
    def versions(self) -> dict[str, str]:
        """Name → version of the whole lock, and of a runtime that is no distribution of Python; empty without a lock."""
        found = self.lock.versions if self.lock else {}
        runtime = self.cell.runtime
        return {**found, runtime.name: runtime.version} if found and self.packages and runtime else found

    @property
    def digest(self) -> str | None:
        """Identifies all that may be installed for the cell; None without a lock."""
        lock = self.lock
        if lock is None:
            return None
        return digest([lock.digest, self.packages.lock.digest]) if self.packages else lock.digest
