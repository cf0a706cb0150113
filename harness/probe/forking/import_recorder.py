"""What packages look up about other packages while they are imported: they may remember the answer."""

from __future__ import annotations

import importlib.abc
import importlib.metadata
import sys
from typing import Any

_UNRECORDED = ("importlib_metadata", "pkg_resources")
"""Packages that answer such questions as well, and are not recorded."""


class ImportRecorder(importlib.abc.MetaPathFinder):
    """Records, in a `with` block, the modules and the distributions that are looked up."""

    def __init__(self) -> None:
        # The interpreter looked for these when it started.
        self.sought = {"sitecustomize", "usercustomize"}
        """Top-level modules that were searched for, found or not."""
        self.tried: set[str] = set()
        """Those among them that were searched for in order to import something."""
        self.versions: set[tuple[str, str]] = set()
        """(distribution, top-level module of the caller) for each look-up of metadata."""
        self.groups: set[str] = set()
        """Groups of entry points that were looked up in all distributions."""
        self._listed = False

    def __enter__(self) -> ImportRecorder:  # noqa: PYI034 - typing has no Self before 3.11
        distribution = importlib.metadata.Distribution
        self._original = {name: distribution.__dict__[name] for name in ("from_name", "discover")}

        def from_name(cls: Any, /, name: str) -> Any:
            self.versions.add((name, _calling_package()))
            return self._original["from_name"].__func__(cls, name)

        def discover(cls: Any, /, **criteria: Any) -> Any:
            # Through from_name it is a search for one name, which is recorded already.
            if not _called_by("from_name"):
                self._record_listing()
            return self._original["discover"].__func__(cls, **criteria)

        distribution.from_name = classmethod(from_name)  # type: ignore[assignment, method-assign]
        distribution.discover = classmethod(discover)  # type: ignore[assignment, method-assign]
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(self)
        for name, original in self._original.items():
            setattr(importlib.metadata.Distribution, name, original)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        """Record the search, and leave it to the other finders."""
        del path, target
        name = fullname.partition(".")[0]
        self.sought.add(name)
        # importlib.util.find_spec only looks: it is not called by this function.
        if sys._getframe(2).f_code.co_name == "_find_and_load_unlocked":  # noqa: SLF001 - there is no other way to a caller
            self.tried.add(name)

    def unknown(self) -> str:
        """Return why the record is incomplete; empty if it is complete."""
        if self._listed:
            return "it has looked through all distributions"
        return next((f"it has loaded {name}, which knows all distributions" for name in _UNRECORDED if name in sys.modules), "")

    def _record_listing(self) -> None:
        caller = _called_by("entry_points")
        group = caller.f_locals.get("params", {}).get("group") if caller else None
        if group is None:
            self._listed = True
        else:
            self.groups.add(group)


def _called_by(function: str) -> Any:
    """Return the frame of this function of importlib.metadata among the callers, None if there is none."""
    frame = sys._getframe(2)  # noqa: SLF001 - there is no other way to a caller
    while frame.f_back is not None and _module(frame).startswith(("importlib", __name__)):
        if frame.f_code.co_name == function and _module(frame).startswith("importlib"):
            return frame
        frame = frame.f_back
    return None


def _calling_package() -> str:
    """Return the top-level module that called importlib.metadata."""
    frame = sys._getframe(2)  # noqa: SLF001 - there is no other way to a caller
    while frame.f_back is not None and _module(frame).startswith("importlib"):
        frame = frame.f_back
    return _module(frame).partition(".")[0]


def _module(frame: Any) -> str:
    return str(frame.f_globals.get("__name__", ""))
