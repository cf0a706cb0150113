"""The folders of forks, while they lie in a folder of their confined server.

A process that was confined cannot be allowed more later, nor can its forks. So what a fork is to write to is moved to where
its server may write, with a link in its place, and moved back when the fork has ended. Each fork gives up the folders of the
others itself.
"""

from __future__ import annotations

import contextlib
import itertools
import stat
import threading
from collections.abc import Sequence
from pathlib import Path


class LentFolders:
    """Thread-safe."""

    def __init__(self, homes: Sequence[Path]) -> None:
        """`homes` are the server's folders. A fork's lies beside one of them, on the same file system."""
        self._homes = homes
        self._places: dict[Path, Path] = {}
        """Folder → where it is meanwhile."""
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def take(self, folders: Sequence[Path]) -> list[tuple[str, str]]:
        """Move `folders`; returns (old name, where it is) of each."""
        moved = []
        with self._lock:
            for folder in folders:
                home = next(home for home in self._homes if home.parent == folder.parent)
                place = self._places[folder] = home / f"fork-{next(self._numbers)}"
                folder.rename(place)
                folder.symlink_to(place)
                moved.append((str(folder), str(place.resolve())))
        return moved

    def give_back(self, folders: Sequence[Path] | None = None) -> None:
        """Move `folders`, or all that are here, back to their place, unless nobody waits for them any more."""
        with self._lock:
            for folder in list(self._places) if folders is None else folders:
                place = self._places.pop(folder, None)
                with contextlib.suppress(OSError):
                    if place:
                        folder.unlink()
                        place.rename(folder)
                        # The server could put anything in its place, and the harness works on what is there now.
                        if not stat.S_ISDIR(folder.lstat().st_mode):
                            folder.unlink()
                            folder.mkdir()
