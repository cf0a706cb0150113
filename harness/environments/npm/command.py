"""One call of npm or node: where they are, the folder it runs in, and how it ends."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from harness import disk_space
from harness.environments.interface import FailureType, ProviderFailure
from harness.environments.npm.errors import failure
from harness.environments.npm.variables import environment
from harness.model import Interpreter
from harness.subprocesses import ExitReason, Supervisor

_MEMORY = 8 * 10**9
"""Bytes that npm may use."""

_NODE_SECONDS = 30.0

_QUIET = ("--json", "--loglevel=silent", "--logs-max=0", "--no-audit", "--no-fund", "--no-update-notifier", "--no-workspaces")
"""Options of every call: nothing on stderr, no log of its own, no question beside the one that is asked."""


def find(name: str) -> str | None:
    """The path of `node` or `npm`, as the shell would find it; None if there is none."""
    return shutil.which(name)


def node(binary: str, folder: Path, children: Supervisor) -> Interpreter:
    """The node that `binary` starts, which may be a shim of a version manager; `folder` is a temporary one.

    Raises:
        ProviderFailure: it does not start.
    """
    log = folder / "node.log"
    question = "JSON.stringify([process.versions.node, process.execPath])"
    ended = children.run(
        [binary, "--print", question],
        env=environment(),
        cwd=folder,
        log=log,
        time_limit=_NODE_SECONDS,
        memory_limit=_MEMORY,
    )
    try:
        version, path = json.loads(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1])
    except (ValueError, IndexError, TypeError):
        version, path = "", ""
    if ended.code or not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*", str(version)) or not Path(str(path)).is_file():
        raise ProviderFailure(FailureType.INFRASTRUCTURE, f"node does not start (exit code {ended.code})", tool="npm")
    return Interpreter(version=version, path=path)


def call(
    binary: str,
    arguments: Sequence[str],
    folder: Path,
    temporary: Path,
    children: Supervisor,
    *,
    seconds: float,
    requested: tuple[str, str] | None = None,
) -> str:
    """Run npm in `folder` for at most `seconds`, and return its output; `temporary` is a folder for its log.

    Raises:
        ProviderFailure: the exit code is not 0. Its `unpublished` is `requested` (package, version), or None.
    """
    log = temporary / "npm.log"
    ended = children.run(
        [binary, *arguments, *_QUIET],
        env=environment(),
        cwd=folder,
        log=log,
        time_limit=seconds,
        memory_limit=_MEMORY,
    )
    text = log.read_text(encoding="utf-8", errors="replace").strip()
    if ended.ending is not ExitReason.EXITED:
        message = f"npm {arguments[0]}: {ended.ending} after {seconds:g} s"
        raise ProviderFailure(FailureType.INFRASTRUCTURE, message, tool="npm")
    if ended.code and not text and disk_space.nearly_full(temporary):
        raise ProviderFailure(FailureType.INFRASTRUCTURE, disk_space.FULL, tool="npm")
    if ended.code < 0:
        raise ProviderFailure(FailureType.INFRASTRUCTURE, f"npm was killed by signal {-ended.code}", tool="npm")
    if ended.code:
        raise failure(text, dict([requested]) if requested else {})
    return text
