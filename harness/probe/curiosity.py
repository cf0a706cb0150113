"""What packages wanted to know of others while they were imported: they may remember the answer."""

from __future__ import annotations

import importlib.abc
import importlib.metadata
import sys
from typing import Any

_ELSEWHERE = ("importlib_metadata", "pkg_resources")
"""What answers such questions as well, and is not listened to."""


class Curiosity(importlib.abc.MetaPathFinder):
    """Listens, in a `with`, to what is searched for and asked."""

    def __init__(self) -> None:
        # The interpreter looked for these when it started.
        self.sought = {"sitecustomize", "usercustomize"}
        """Top-level modules that were searched for, found or not."""
        self.tried: set[str] = set()
        """Those among them that were searched for in order to import something."""
        self.asked: set[tuple[str, str]] = set()
        """Distributions whose metadata was looked up, and the top-level module of who did it."""
        self.groups: set[str] = set()
        """Groups of entry points that all distributions were asked for."""
        self._listed = False

    def __enter__(self) -> Curiosity:  # noqa: PYI034 - typing has no Self before 3.11
        distribution = importlib.metadata.Distribution
        self._real = {name: distribution.__dict__[name] for name in ("from_name", "discover")}

        def from_name(cls: Any, /, name: str) -> Any:
            self.asked.add((name, _asker()))
            return self._real["from_name"].__func__(cls, name)

        def discover(cls: Any, /, **of: Any) -> Any:
            # Through from_name it is a search for one name, which is noted already.
            if not _called_by("from_name"):
                self._note_listing()
            return self._real["discover"].__func__(cls, **of)

        distribution.from_name = classmethod(from_name)  # type: ignore[assignment, method-assign]
        distribution.discover = classmethod(discover)  # type: ignore[assignment, method-assign]
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(self)
        for name, real in self._real.items():
            setattr(importlib.metadata.Distribution, name, real)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        """Note what is searched for and leave it to the others to find it."""
        del path, target
        name = fullname.partition(".")[0]
        self.sought.add(name)
        # importlib.util.find_spec only looks, and is not between these two.
        if sys._getframe(2).f_code.co_name == "_find_and_load_unlocked":  # noqa: SLF001 - there is no other way to a caller
            self.tried.add(name)

    def boundless(self) -> str:
        """Why it cannot be said what was asked; empty where it can."""
        if self._listed:
            return "it has looked through all distributions"
        return next((f"it has loaded {name}, which knows all distributions" for name in _ELSEWHERE if name in sys.modules), "")

    def _note_listing(self) -> None:
        caller = _called_by("entry_points")
        group = caller.f_locals.get("params", {}).get("group") if caller else None
        if group is None:
            self._listed = True
        else:
            self.groups.add(group)


def _called_by(function: str) -> Any:
    """Return the frame of this function of importlib.metadata among the callers, if there is one."""
    frame = sys._getframe(2)  # noqa: SLF001 - there is no other way to a caller
    while frame.f_back is not None and _module(frame).startswith(("importlib", __name__)):
        if frame.f_code.co_name == function and _module(frame).startswith("importlib"):
            return frame
        frame = frame.f_back
    return None


def _asker() -> str:
    """Return the top-level module that a call into importlib.metadata comes from."""
    frame = sys._getframe(2)  # noqa: SLF001 - there is no other way to a caller
    while frame.f_back is not None and _module(frame).startswith("importlib"):
        frame = frame.f_back
    return _module(frame).partition(".")[0]


def _module(frame: Any) -> str:
    return str(frame.f_globals.get("__name__", ""))
