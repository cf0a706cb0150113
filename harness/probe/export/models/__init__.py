"""The models under test, by family. Each is built from a config, seeded, without any download."""

from __future__ import annotations

from typing import Any, Callable

from . import marian
from .seq2seq import Seq2Seq

_FAMILIES: dict[str, Callable[[str, int], Seq2Seq]] = {"marian": marian.build}


def build(model: dict[str, Any]) -> Seq2Seq:
    """Build `{"family", "profile", "seed"}`; KeyError where either name is unknown to this probe."""
    return _FAMILIES[model["family"]](model["profile"], model["seed"])
