"""The share of a matrix that a machine runs, of several."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.errors import ShardError

GITHUB_JOBS = 256
"""The most jobs that one matrix of GitHub Actions may have."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The `number`th of `of` shares, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse(text: str) -> Shard:
    """`2/3` as a Shard.

    Raises:
        ShardError: it is no such text.
    """
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ShardError(f"expected the number of a shard and how many there are, 1/3 to 3/3 for example, not {text!r}")
    return Shard(int(match[1]), int(match[2]))
