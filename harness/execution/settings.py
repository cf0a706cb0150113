"""What the command line says about a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.matrix.shard import Shard


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Options of a command; paths are as given, lists are selection expressions."""

    config: Path = Path("matrix.toml")
    store: Path | str = Path(".harness")
    """A folder, or a URL that fsspec knows."""
    executor: str = "local"
    """Or `dask`, or `dask:ADDRESS`."""
    insecure: bool = False
    """Whether others may be able to reach that scheduler."""
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    cell: str | None = None
    """The id of the only selected cell, or a pattern for it."""
    shard: Shard | None = None
    """The share of the cells that this process runs; None for all."""
    jobs: int | str | None = None
    """Probes at once; None for what the matrix says."""
    offline: bool = False
    force: bool = False
    retry: tuple[str, ...] = ()
    """Statuses (`error`, `flaky`): results with one of them are made again."""
    refresh: bool = False
    disk_check: bool = True
    """Whether a run ends before it fetches what the disk will not hold."""
    keep_envs: bool = False
    no_forks: bool = False
    """Whether every probe is a process that was started for it (execution/process/forks.py)."""
    sandbox: str = "auto"
    """How probes are confined: `auto`, `require` or `off` (execution/process/sandbox.py)."""
    allow_pickle: bool = False
    """Whether a checkpoint may have pickled weights."""
    model: str | None = None
    """Instead of `[probe] model`; a folder is relative to the current one."""
    profile: str | None = None
    strategy: str = "full"
    """`pairwise` runs few cells first, and then those that the results suggest (execution/search/search.py)."""
    audit: float = 0.0
    """The share of the cells, 0 to 1, that is run again from scratch and compared (execution/audit.py)."""
    budget: float | None = None
    """Seconds after which no task begins."""
    remedies: bool = True
    """Whether changes are tried on what fails, and reported."""
    close_boundaries: tuple[str, ...] | None = None
    """The axes on which the boundaries of rules are closed (diagnose/rules/boundaries.py); empty for all axes."""

    @property
    def invalidates(self) -> bool:
        """Whether stored results are made again."""
        return self.force or bool(self.retry)

    @property
    def searches_remedies(self) -> bool:
        """Whether changes are tried: that rests on every cell of the matrix, and needs time."""
        return self.remedies and self.shard is None and self.budget is None and self.strategy == "full"

    @property
    def reports_remedies(self) -> bool:
        """Whether the report names remedies: the cells of one shard are no basis for that."""
        return self.remedies and self.shard is None
