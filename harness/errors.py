"""The errors of the harness, each with the exit code of the command.

A failing *combination* is no error, but a result (see `model.StageResult`). These classes are for input that cannot be
used, and for failures of the harness and its machine.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator


class HarnessError(Exception):
    """Base class of all errors that the harness raises; `str()` is the sentence for the user."""

    exit_code = 2


class ConfigError(HarnessError):
    """matrix.toml cannot be used; the message has the file, the place in it, what was found and what was expected."""

    def __init__(self, file: str, place: str, problem: str) -> None:
        where = f"{file}: {place}" if place else file
        super().__init__(f"{where}: {problem}")


class UnpublishedError(ConfigError):
    """No index has a distribution, or a version of one, and what is asked cannot be answered without it."""

    def __init__(self, file: str, name: str, version: str, cell: str, hint: str = "", *, tool: str = "uv") -> None:
        """`hint` is the end of the sentence, such as the versions that are published; `tool` has looked for it."""
        self.name, self.version = name, version
        self.summary = not_published(name, version, tool) if version else nobody_publishes(name, tool)
        where = f" (first met in cell {cell})" if version else ""
        super().__init__(file, f"axes.{name}", self.summary + where + hint)


def nobody_publishes(name: str, tool: str = "uv") -> str:
    """The sentence about a name that no index has where `tool` looked."""
    return f"no index that {tool} searched has a {'distribution' if tool == 'uv' else 'package'} named {name!r}"


def not_published(name: str, version: str, tool: str = "uv") -> str:
    """The sentence about a version that no index has where `tool` looked."""
    return f"{name} {version} is not published where {tool} looked"


class SelectionError(HarnessError):
    """A `--select` or `--exclude` expression, or a cell id, matches nothing in this matrix."""


class VersionsError(HarnessError):
    """A set of versions (a lock, a requirements file, an environment, an option) cannot be read, or lacks a version."""


class MessageError(HarnessError):
    """A text that is to be looked up is missing, or cannot be read."""


class ShardError(HarnessError):
    """A `--shard` is impossible, or results of shards cannot be merged."""


class UvError(HarnessError):
    """uv is missing or too old, or it was called wrongly: nothing can be resolved or installed."""


class SandboxError(HarnessError):
    """Probes are to be confined (`--sandbox require`), and this machine does not offer enough for that."""


class StoreError(HarnessError):
    """The store cannot be read or written."""


class OtherStoreError(StoreError):
    """A worker stores its results where this run does not see them."""


class ReportError(HarnessError):
    """A report cannot be read or written. The results are in the store, so writing it again costs nothing."""


class ModelFileError(HarnessError):
    """A file cannot be read, or is no ONNX model."""


class DiskFullError(HarnessError):
    """A disk is full. What was finished is in the store; what failed meanwhile is not stored, and nothing else is started."""

    exit_code = 3


class NoRoomError(HarnessError):
    """A disk will not hold what is to be fetched; nothing was fetched. Options name other folders, or have it begin."""

    exit_code = 3


class NothingObservedError(HarnessError):
    """No variant was observed, and the reports folder has a report in which some were; that report is kept."""

    exit_code = 3


class Interrupted(HarnessError):  # noqa: N818 -- it is no error
    """Ctrl-C or SIGTERM. What was finished is in the store, and the next run goes on from there."""

    exit_code = 130


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted for a Ctrl-C in the block, and for a child process that it killed."""
    try:
        yield
    except (KeyboardInterrupt, InterruptedError):
        raise Interrupted("interrupted; finished results are kept, and the same command continues from there") from None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: a known name that is similar, or the known names."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; expected one of {', '.join(names[:12])}{', …' if len(names) > 12 else ''}"
