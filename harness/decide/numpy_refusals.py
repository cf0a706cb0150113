"""Compiled modules that ask for a newer C interface than the numpy of a text has, against that of each release. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.decide import message_forms
from harness.decide.model_support import Reading
from harness.verdicts.numpy_interfaces import NumpyInterface

_ASKED, _FOUND = r"(?P<asked>0x[0-9a-f]{1,8})", r"(?P<found>0x[0-9a-f]{1,8})"
_API = (
    re.compile(rf"module compiled against API version {_ASKED} but this version of numpy is {_FOUND}"),
    re.compile(
        rf"compiled against NumPy C-API version {_ASKED} \([^()]{{1,60}}\) but the running NumPy has C-API version {_FOUND}"
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NumpyRefusal:
    """A compiled module that asks for more than the numpy of a text has."""

    asked: int
    """The version of the C interface that the module was compiled for."""
    found: int
    """That of the numpy."""
    having: tuple[str, ...]
    """The releases with the interface that was found."""
    readings: dict[str, Reading]
    """Measured release with the same ABI → READS: its interface is large enough."""


def numpy_refusals(text: str, interfaces: Callable[[], Mapping[str, NumpyInterface]]) -> list[NumpyRefusal]:
    """The refusals that `text` has, each once. `interfaces` reads what was measured, if a sentence needs it."""
    clean = " ".join(message_forms.cleaned(text).split())
    named = {(int(match["asked"], 16), int(match["found"], 16)) for pattern in _API for match in pattern.finditer(clean)}
    return [_refusal(asked, found, interfaces()) for asked, found in sorted(named) if asked > found]


def _refusal(asked: int, found: int, interfaces: Mapping[str, NumpyInterface]) -> NumpyRefusal:
    having = [version for version, own in interfaces.items() if own.api == found]
    binary = {interfaces[version].abi for version in having}
    return NumpyRefusal(
        asked=asked,
        found=found,
        having=tuple(having),
        readings={
            version: Reading.READS if own.api >= asked else Reading.REFUSES
            for version, own in interfaces.items()
            if own.abi in binary
        },
    )
