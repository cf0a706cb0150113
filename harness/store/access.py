"""What a command may do to a store, and where it reports damage."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum


class Access(IntEnum):
    """What a command may do to a store; each value includes those before it."""

    ADD = 1
    """Add records. What is there stays as it is, damaged or left over: `plan`, `report`, `explain`."""
    REPLACE = 2
    """Replace records as well: `plan --refresh`."""
    REMOVE = 3
    """Remove as well what is damaged or was left in flight: commands that run something."""


Note = Callable[[str], None]
"""Receives a sentence for the user about damage in the store."""


def ignore(_text: str) -> None:
    """Receive a sentence and do nothing with it."""
