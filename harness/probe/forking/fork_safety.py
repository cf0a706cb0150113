"""Whether a process that has imported packages may be forked: a fork must not differ from a process that was started."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from ..distributions import loaded_files
from .process_control import children


class ProcessState:
    """State that a fork would share with other forks, or lack, if an import changed it. A server that is a fork looks again."""

    def __init__(self) -> None:
        self.added: dict[str, str] = {}
        """Variables that imports have set, here and before the fork."""
        self._folders: list[str] = []
        """Working, home and temporary folders, of this process and of its ancestors among the servers."""

    def record(self) -> None:
        """Record the state before the imports."""
        self._environ = {name: value for name, value in os.environ.items() if name not in self.added}
        self._files = self._open_files()
        self._folder = str(Path.cwd())
        self._here = set(os.listdir())  # noqa: PTH208 - names are all that is needed
        self._folders += [self._folder, os.environ["HOME"], os.environ["TMPDIR"]]

    def changed(self) -> str:
        """Return what the imports have changed; empty if nothing."""
        self.added = {name: value for name, value in os.environ.items() if name not in self._environ}
        if {name: os.environ.get(name) for name in self._environ} != self._environ:
            return "it has changed variables"
        if any(folder in value for value in self.added.values() for folder in self._folders):
            return "it has set a variable to a folder of its own"
        if opened := self._open_files() - self._files:
            return f"it has opened files: {', '.join(sorted(opened)[:3])}"
        if len(list(Path("/proc/self/task").iterdir())) > 1:
            return "it has started threads"
        if children():
            return "it has started processes"
        if str(Path.cwd()) != self._folder:
            return "it has gone to another working folder"
        if set(os.listdir()) != self._here:  # noqa: PTH208
            return "it has left files in its working folder"
        if special := [path for folder in ("HOME", "TMPDIR") for path in Path(os.environ[folder]).rglob("*") if _special(path)]:
            return f"it has left what cannot be copied: {special[0]}"
        return ""

    @staticmethod
    def _open_files() -> set[str]:
        found = set()
        for descriptor in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # the descriptor of this listing
                # A name in /dev says nothing: a file may lie in /dev/shm.
                if not stat.S_ISCHR(descriptor.stat().st_mode):
                    found.add(os.readlink(str(descriptor)))
        return found


def _special(path: Path) -> bool:
    """Whether it is a socket, a pipe or a device."""
    return not (path.is_symlink() or path.is_dir() or path.is_file())


def loaded_unshared(others: list[str]) -> str:
    """Return what was loaded from the folders `others`, which forks replace; empty if nothing."""
    unshared = tuple(os.path.realpath(folder) + os.sep for folder in others)
    files = [file for file in loaded_files() if file.startswith(unshared)]
    return f"it has loaded what is not shared: {', '.join(files[:3])}" if files else ""
