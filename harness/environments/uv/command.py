"""One call of uv: the folder it runs in, the files it reads, and how it ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from harness import disk_space
from harness.environments.interface import FailureType, ProviderFailure
from harness.environments.lockfile import lock_text, requirements_text
from harness.environments.uv.errors import classify, unpublished
from harness.environments.uv.variables import environment
from harness.errors import UvError
from harness.foreign_text import redacted
from harness.locked import Lock
from harness.subprocesses import ExitReason, Supervisor, temporary_in

_MEMORY = 16 * 10**9
"""Bytes that uv may use."""


def find_uv() -> str:
    """The binary that the `uv` package ships.

    Raises:
        UvError: the package is not installed beside the harness.
    """
    try:
        import uv  # noqa: PLC0415 -- a missing uv must give a sentence, not a traceback at import

        return os.fsdecode(uv.find_uv_bin())
    except (ImportError, FileNotFoundError) as error:
        raise UvError(f"uv was not found ({error}); install it beside the harness: pip install uv") from None


@contextlib.contextmanager
def neutral_folder(temporary: Callable[[], contextlib.AbstractContextManager[Path]]) -> Iterator[Path]:
    """A folder with empty settings: uv reads the first settings that it finds there and in the folders above."""
    with temporary() as folder:
        (folder / "uv.toml").touch()
        (folder / "tmp").mkdir()
        yield folder


def call(
    binary: str,
    arguments: Sequence[str],
    folder: Path,
    children: Supervisor,
    *,
    seconds: float,
    environ: Mapping[str, str] | None = None,
    requested: Iterable[str] = (),
) -> str:
    """Run uv in a neutral folder for at most `seconds`, and return its output.

    Raises:
        ProviderFailure: the exit code is not 0. Its `unpublished` is one of the requirements `requested`, or None.
    """
    log = folder / "uv.log"
    ended = children.run(
        # Before the command: `uv tool run` would pass what follows to the tool.
        [binary, "--color", "never", "--no-progress", *arguments],
        env={**(environment() if environ is None else environ), **temporary_in(folder / "tmp")},
        cwd=folder,
        log=log,
        time_limit=seconds,
        memory_limit=_MEMORY,
    )
    text = redacted(log.read_text(encoding="utf-8", errors="replace").strip())
    if ended.ending is not ExitReason.EXITED:
        message = f"uv {arguments[0]} {arguments[1]}: {ended.ending} after {seconds:g} s\n{text}"
        raise ProviderFailure(FailureType.INFRASTRUCTURE, message)
    if ended.code and not text and disk_space.nearly_full(folder):
        # Its log lies on that disk, so uv could not say it.
        text = disk_space.FULL
    if ended.code < 0:
        raise ProviderFailure(FailureType.INFRASTRUCTURE, f"uv was killed by signal {-ended.code}\n{text}")
    if ended.code:
        message = text or f"uv exited with code {ended.code} and printed nothing"
        raise ProviderFailure(classify(text), message, unpublished(text, requested))
    return text


def write(path: Path, content: Lock | Iterable[str]) -> None:
    """Write a file that uv reads: a lock, or requirements. Nothing else writes such a file.

    Raises:
        UvError: a line would be anything but a requirement of a distribution that an index has.
    """
    try:
        text = lock_text(content) if isinstance(content, Lock) else requirements_text(content)
    except ValueError as error:
        raise UvError(f"a requirement is not handed to uv: {error}") from None
    path.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Turn the ValueError of a reader of uv's output into a ProviderFailure, which proves nothing about versions."""
    try:
        yield
    except ValueError as error:
        raise ProviderFailure(FailureType.INFRASTRUCTURE, f"what uv wrote cannot be read: {error}") from None
