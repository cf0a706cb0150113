"""What a command may do to a store, and where it reports damage."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum


class Access(IntEnum):
    """What a command may do to a store; each value includes the ones before it."""

    ADD = 1
    """Add records; replace and remove nothing, not even what is damaged: `plan`, `report`, `explain`."""
    REPLACE = 2
    """Also replace records: `plan --refresh`."""
    REMOVE = 3
    """Also remove what is damaged, and what ended processes have left: commands that run something."""


Note = Callable[[str], None]
"""Receives a sentence for the user about damage in the store."""
