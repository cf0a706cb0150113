"""Compiled modules that ask for another C interface than the numpy of a text has, against that of each release. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from harness.decide import message_forms
from harness.decide.model_support import Reading
from harness.verdicts.numpy_interfaces import NumpyInterface

_ASKED, _FOUND = r"(?P<asked>0x[0-9a-fA-F]{1,8})", r"(?P<found>0x[0-9a-fA-F]{1,8})"
_API = re.compile(rf"module compiled against API version {_ASKED} but this version of numpy is {_FOUND}")
_ANY_ABI = re.compile(
    rf"compiled against NumPy C-API version {_ASKED} \([^()]{{1,60}}\) but the running NumPy has C-API version {_FOUND}"
)
"""What a module says that was compiled with the headers of numpy 2: it runs with numpy 1 and 2."""
_ABI = re.compile(rf"module compiled against ABI version {_ASKED} but this version of numpy is {_FOUND}")
_NUMPY_2 = re.compile(r"\b_(?:ARRAY|UFUNC)_API not found\b")
"""What numpy 2 raises when it has printed that a module was compiled using NumPy 1.x; many leave that out."""
_EXPLAINED = re.compile(r"compiled using NumPy 1\.x")
_FIRST, _SECOND = 0x1000009, 0x2000000
"""The ABI of numpy 1 and of numpy 2 (reports/numpy.json)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NumpyRefusal:
    """A compiled module that asks for another interface than the numpy of a text has."""

    part: Literal["API", "ABI"]
    """What differs: the API only grows, and another ABI fits nothing."""
    asked: int
    """The version that the module was compiled for."""
    found: int
    """That of the numpy."""
    having: tuple[str, ...]
    """The releases with the version that was found."""
    readings: dict[str, Reading]
    """Measured release → READS: it has the ABI, or an API that is large enough; of an API, releases with the same ABI alone."""


def numpy_refusals(text: str, interfaces: Callable[[], Mapping[str, NumpyInterface]]) -> list[NumpyRefusal]:
    """The refusals that `text` has, each once. `interfaces` reads what was measured, if a sentence needs it."""
    clean = " ".join(message_forms.cleaned(text).split())
    named = {(*pair, bound) for pattern, bound in ((_API, True), (_ANY_ABI, False)) for pair in _numbers(pattern, clean)}
    others = _numbers(_ABI, clean)
    if _NUMPY_2.search(clean) and not _EXPLAINED.search(clean):
        others.add((_FIRST, _SECOND))
    return [
        *(_of_api(asked, found, interfaces(), bound=bound) for asked, found, bound in sorted(named) if asked > found),
        *(_of_abi(asked, found, interfaces()) for asked, found in sorted(others) if asked != found),
    ]


def _numbers(pattern: re.Pattern[str], text: str) -> set[tuple[int, int]]:
    return {(int(match["asked"], 16), int(match["found"], 16)) for match in pattern.finditer(text)}


def _of_abi(asked: int, found: int, interfaces: Mapping[str, NumpyInterface]) -> NumpyRefusal:
    return NumpyRefusal(
        part="ABI",
        asked=asked,
        found=found,
        having=tuple(version for version, own in interfaces.items() if own.abi == found),
        readings={version: Reading.READS if own.abi == asked else Reading.REFUSES for version, own in interfaces.items()},
    )


def _of_api(asked: int, found: int, interfaces: Mapping[str, NumpyInterface], *, bound: bool) -> NumpyRefusal:
    """With `bound` the module has the ABI of the numpy that was found; one older than all that were read has the first."""
    having = [version for version, own in interfaces.items() if own.api == found]
    binary = {interfaces[version].abi for version in having} or {_FIRST}
    alike = {version: own for version, own in interfaces.items() if own.abi in binary or not bound}
    return NumpyRefusal(
        part="API",
        asked=asked,
        found=found,
        having=tuple(having),
        readings={version: Reading.READS if own.api >= asked else Reading.REFUSES for version, own in alike.items()},
    )
