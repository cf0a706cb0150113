"""Recorded answers of indexes: locks, and look-ups of published versions.

With `--offline` uv chooses from its cache, which may be older than what is published. Such an answer is provisional: it is
recorded under a key of its own. Later runs with `--offline` and reports use it, and a run that asks the index does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from harness.hashing import digest
from harness.store.envelope import RecordKind
from harness.store.store import Store

T = TypeVar("T")


class IndexAnswers:
    """The answers for one run. With `refresh` the answers of earlier runs do not count: each question is asked anew."""

    def __init__(self, store: Store, *, refresh: bool = False, provisional: bool = False) -> None:
        """`provisional` is for a run that asks no index although its sources have one."""
        self.store = store
        self.provisional = provisional
        self._refresh = refresh
        self._fresh: set[str] = set()
        """Keys of the answers of this run."""

    def get(self, kind: RecordKind[T], key: str, *, ask: bool, usable: Callable[[T, str], bool] = lambda *_: True) -> T | None:
        """The answer under `key`; None if there is none, or if the caller may `ask` and must ask anew.

        `usable` decides by the value, and its key in the store, whether it counts.
        """
        if ask and self._refresh and key not in self._fresh:
            return None
        for place in (key, _provisional(key)) if self.provisional else (key,):
            answer = self.store.get(kind, place)
            if answer is not None and usable(answer, place):
                return answer
        return None

    def before(self, kind: RecordKind[T], key: str) -> T | None:
        """The answer that `put` will replace."""
        return self.store.get(kind, self._place(key))

    def put(self, kind: RecordKind[T], key: str, value: T) -> None:
        """Record an answer."""
        self._fresh.add(key)
        self.store.put(kind, self._place(key), value)

    def _place(self, key: str) -> str:
        return _provisional(key) if self.provisional else key


def _provisional(key: str) -> str:
    return digest(["provisional", key])
