"""The models under test, by family. Each is built from a config, seeded, without any download."""

from __future__ import annotations

from typing import Any, Callable

from ...failures import NotRun
from . import marian
from .seq2seq import Seq2Seq

_FAMILIES: dict[str, Callable[[str, int], Seq2Seq]] = {"marian": marian.build}


def build(model: dict[str, Any], attention: str | None = None) -> Seq2Seq:
    """Build `{"family", "profile", "seed"}`; KeyError where either name is unknown to this probe."""
    if attention is not None:
        raise NotRun(f"attention {attention!r}: not chosen yet")
    return _FAMILIES[model["family"]](model["profile"], model["seed"])
