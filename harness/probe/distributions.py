"""Which distributions this process really used.

The host keys its cache by the distributions that a job *can* use, and checks these keys against this list. So a shared library
that was only mapped (torch's CUDA parts, for example) counts like a module that was imported.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Iterator

_real_path = functools.lru_cache(maxsize=None)(os.path.realpath)


def imported_distributions() -> dict[str, str]:
    """Return normalised name → version of every distribution that owns a loaded module or a mapped file."""
    loaded = set(loaded_files())
    return {name: version for name, version, files in _all_installed() if not loaded.isdisjoint(files)}


def distributions_of(module: ModuleType) -> dict[str, str]:
    """Return normalised name → version of the distributions that own the files of `module`.

    Names do not tell (PIL is in pillow), and a namespace package is in several. A module of the standard library is in none.
    """
    file = _own(module, "__file__")
    if isinstance(file, str):
        path = _real_path(file)
        found = ((name, version) for name, version, files in _all_installed() if path in files)
    else:
        folders = tuple(_real_path(folder) + os.sep for folder in _own(module, "__path__") or ())
        found = (
            (name, version) for name, version, files in _all_installed() if any(path.startswith(folders) for path in files)
        )
    return dict(found)


def _own(module: ModuleType, name: str) -> Any:
    """Return an attribute that the module holds itself, or None.

    A lazy module imports something for any other attribute, and may fail at it: transformers 5.8 to 5.18 register such
    modules without a `__path__`, and look for that in torchvision.
    """
    return getattr(module, "__dict__", {}).get(name)


def _all_installed() -> Iterator[tuple[str, str, frozenset[str]]]:
    for folder in dict.fromkeys(sys.path):
        yield from _installed(folder)


def loaded_files() -> Iterator[str]:
    """Yield the real path of every module's file and of every mapped file, and the folders of namespace packages."""
    for module in list(sys.modules.values()):
        file = _own(module, "__file__")
        if isinstance(file, str):
            yield _real_path(file)
        else:
            with contextlib.suppress(KeyError):  # a namespace whose parent was taken out of sys.modules
                yield from map(_real_path, _own(module, "__path__") or ())
    with contextlib.suppress(OSError), Path("/proc/self/maps").open(encoding="utf-8", errors="replace") as maps:
        for line in maps:
            path = line.rstrip("\n").partition("/")[2]
            if "site-packages/" in path:
                yield _real_path("/" + path)


def uncompiled() -> list[str]:
    """Return the sources of all modules for which Python has found no bytecode, and could write none."""
    specs = [_own(module, "__spec__") for module in list(sys.modules.values())]
    found = [(getattr(spec, "origin", None), getattr(spec, "cached", None)) for spec in specs]
    return [source for source, cached in found if source and cached and not Path(cached).exists()]


@functools.lru_cache(maxsize=None)
def _installed(folder: str) -> tuple[tuple[str, str, frozenset[str]], ...]:
    """Return (normalised name, version, absolute paths of the files) of each distribution in `folder`.

    Read once, and not again by forks: nothing is installed meanwhile.
    """
    return tuple(
        (re.sub(r"[-_.]+", "-", name).lower(), distribution.version, _files(distribution))
        for distribution in importlib.metadata.distributions(path=[folder])
        if (name := distribution.metadata["Name"])
    )


def _files(distribution: importlib.metadata.Distribution) -> frozenset[str]:
    """Return the absolute paths that RECORD lists.

    RECORD is read as text: `Distribution.files` builds an object per line, which costs a second for torch.
    """
    root = os.path.realpath(str(distribution.locate_file("")))
    record = distribution.read_text("RECORD") or ""
    paths = (line.rsplit(",", 2)[0].strip('"') for line in record.splitlines())
    return frozenset(os.path.normpath(f"{root}/{path}") for path in paths)
