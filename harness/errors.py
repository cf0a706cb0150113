"""What can go wrong, one class per way, each with the exit code that `main()` turns it into.

A failing *combination* is not an error: it is a result (see `model.StageResult`). These classes are for input that
cannot be used and for trouble with the tool's own surroundings.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator


class HarnessError(Exception):
    """Base of everything this package raises on purpose; `str()` is the sentence the user reads."""

    exit_code = 2


class ConfigError(HarnessError):
    """matrix.toml cannot be used: names the file, the place in it, what was found and what was expected."""

    def __init__(self, file: str, place: str, problem: str) -> None:
        where = f"{file}: {place}" if place else file
        super().__init__(f"{where}: {problem}")


class UnpublishedError(ConfigError):
    """An axis names a distribution, or a version of one, that nobody publishes where uv looked."""

    def __init__(self, file: str, name: str, version: str, cell: str) -> None:
        self.name, self.version = name, version
        self.what = f"{name} {version} is not published" if version else f"nobody publishes a distribution named {name!r}"
        where = f" (first met in cell {cell})" if version else ""
        super().__init__(file, f"axes.{name}", f"{self.what} where uv looked{where}")


class SelectionError(HarnessError):
    """A `--select` or `--exclude` expression, or a cell id, that names nothing in this matrix."""


class VersionsError(HarnessError):
    """A set of versions (a lock, a requirements file, an environment, an option) that cannot be read or is not enough."""


class ShardError(HarnessError):
    """A `--shard` that cannot be dealt out, or results of shards that cannot be made one report."""


class UvError(HarnessError):
    """uv itself is missing, too old, or was called wrongly by us: nothing can be resolved or installed."""


class StoreError(HarnessError):
    """The results folder cannot be read or written."""


class ReportError(HarnessError):
    """The report cannot be written; the results are kept in the store, so writing it again costs nothing."""


class DiskFullError(HarnessError):
    """A disk is full. What was finished is in the store; nothing is begun any more, and what failed meanwhile is not stored."""

    exit_code = 3


class NothingObservedError(HarnessError):
    """No variant was seen to work or to fail, and the reports folder has a report of a run that saw some: it is kept."""

    exit_code = 3


class Interrupted(HarnessError):  # noqa: N818 -- not an error of anybody
    """Ctrl-C or SIGTERM: what had finished is in the store, and the next run goes on from there."""

    exit_code = 130


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted for a Ctrl-C in the block, wherever it comes, and for a child that was killed by it."""
    try:
        yield
    except (KeyboardInterrupt, InterruptedError):
        raise Interrupted("interrupted; what was finished is kept, and the same command goes on from there") from None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """How a sentence ends that names something unknown: with what is like it, or with what there is."""
    there = sorted(set(known))
    close = difflib.get_close_matches(name, there, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; expected one of {', '.join(there[:12])}{', …' if len(there) > 12 else ''}"
