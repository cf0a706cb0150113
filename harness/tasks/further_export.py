"""The same export once more, in a process of its own: an exporter may write another graph in each process."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model import Variant
from harness.tasks.export import Export
from harness.tasks.keys import key_of
from harness.tasks.repetitions import TIMES_IF_CHANCE

LAST_ATTEMPT = TIMES_IF_CHANCE + 1
"""The number of the one that is made when everything else has run."""


def again_key(key: str, attempt: int) -> str:
    """The key of what that attempt has left, beside the export under `key`."""
    return key_of("exported again", key, attempt)


@dataclass(frozen=True, kw_only=True)
class ExportAgain(Export):
    """Variants of an export once more, under keys of their own."""

    may_fork = False  # forks of one server share what an exporter may draw, such as the seed of hashes
    attempt: int
    """From 1."""

    def variant_key(self, variant: Variant) -> str:
        """See Export."""
        return again_key(super().variant_key(variant), self.attempt)

    @property
    def claim(self) -> str:
        """See Task."""
        return again_key(self.key, self.attempt)
