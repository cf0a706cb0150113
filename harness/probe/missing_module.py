"""Which module a failure lacks, if the environment holds no module of that name, and which distribution has it.

Evidence for the host (diagnose/remedies/missing.py), which decides whether a distribution is added. Never raises.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import re
from typing import Any, Iterator

from .messages import text_of

_NO_MODULE = re.compile(r"No module named '?([A-Za-z_]\w*)")
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "google": "protobuf",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Module → the distribution that has it, if the names differ."""
_REQUIREMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def missing_module(exc: BaseException) -> dict[str, Any]:
    """Return `{"missing": {"module", "distribution", "named"}}`, or nothing if no module is missing.

    `distribution` is the one that would have the module. `named`: whether an installed distribution requires it in its
    metadata, for any extra or platform.
    """
    for name in _names(exc):
        if not _is_present(name):
            distribution = _DISTRIBUTIONS.get(name, _canonical(name))
            return {"missing": {"module": name, "distribution": distribution, "named": distribution in _required()}}
    return {}


def _names(exc: BaseException) -> Iterator[str]:
    """Yield the top-level modules that `exc`, or an exception that led to it, could not import."""
    seen: list[BaseException] = []
    pending: list[BaseException | None] = [exc]
    while pending:
        error = pending.pop(0)
        if error is None or any(error is known for known in seen):
            continue
        seen.append(error)
        if isinstance(error, ModuleNotFoundError) and error.name:
            yield error.name.partition(".")[0]
        for found in _NO_MODULE.finditer(text_of(error)):
            yield found[1]
        pending += [getattr(error, "original", None), error.__cause__, error.__context__]


def _is_present(name: str) -> bool:
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
