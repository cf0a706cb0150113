"""Which module a failure lacks, where the environment holds no module of that name, and who could name its distribution.

Evidence for the host (diagnose/remedies/missing.py), which decides whether anything is added. Never raises.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import re
from typing import Any, Iterator

_NO_MODULE = re.compile(r"No module named '?([A-Za-z_]\w*)")
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "google": "protobuf",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Module: the distribution that has it, where the names differ."""
_REQUIREMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def missing_module(exc: BaseException) -> dict[str, Any]:
    """Return `{"missing": {"module", "distribution", "named"}}`, or nothing where no module is missing.

    `distribution` is the one that would have the module; `named` says whether the metadata of one that is installed requires
    it, for whichever extra or platform.
    """
    for name in _names(exc):
        if not _is_there(name):
            distribution = _DISTRIBUTIONS.get(name, _canonical(name))
            return {"missing": {"module": name, "distribution": distribution, "named": distribution in _required()}}
    return {}


def _names(exc: BaseException) -> Iterator[str]:
    """Yield the modules that `exc`, and what it was raised for, could not import: their first parts."""
    seen: list[BaseException] = []
    pending: list[BaseException | None] = [exc]
    while pending:
        one = pending.pop(0)
        if one is None or one in seen:
            continue
        seen.append(one)
        if isinstance(one, ModuleNotFoundError) and one.name:
            yield one.name.partition(".")[0]
        with contextlib.suppress(Exception):  # the text of a package's exception is code of that package
            for found in _NO_MODULE.finditer(str(one)):
                yield found[1]
        pending += [getattr(one, "original", None), one.__cause__, one.__context__]


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _required() -> set[str]:
    """Return the names that installed distributions require."""
    found = set()
    for distribution in importlib.metadata.distributions():
        with contextlib.suppress(Exception):  # damaged metadata of a distribution is not what failed here
            for text in distribution.requires or ():
                name = _REQUIREMENT.match(text)
                if name:
                    found.add(_canonical(name[0]))
    return found


def _canonical(name: str) -> str:
    """Return a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
