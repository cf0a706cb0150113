"""What indexes answered, by key: locks, and look-ups of published versions. Recorded until a run asks anew.

With `--offline` uv chooses from what its cache holds, which may be older than what is published. Such an answer is
provisional: it is recorded under a key of its own, later runs with `--offline` and reports know it, and a run that asks
the index does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from harness.model import digest
from harness.store.envelope import RecordKind
from harness.store.store import Store

T = TypeVar("T")


class IndexAnswers:
    """The records of one run. With `refresh` those of earlier runs do not count: each question is asked once more."""

    def __init__(self, store: Store, *, refresh: bool = False, provisional: bool = False) -> None:
        """`provisional` says that this run asks no index although its sources have one."""
        self.store = store
        self.provisional = provisional
        self._refresh = refresh
        self._asked: set[str] = set()

    def get(self, kind: RecordKind[T], key: str, *, ask: bool, usable: Callable[[T, str], bool] = lambda *_: True) -> T | None:
        """What is recorded under `key`; None where nothing is, or where the caller is to `ask` anew.

        `usable` says of a value, and of the key that it has in the store, whether it counts.
        """
        if ask and self._refresh and key not in self._asked:
            return None
        for place in (key, _provisional(key)) if self.provisional else (key,):
            found = self.store.get(kind, place)
            if found is not None and usable(found, place):
                return found
        return None

    def before(self, kind: RecordKind[T], key: str) -> T | None:
        """What `put` will replace."""
        return self.store.get(kind, self._place(key))

    def put(self, kind: RecordKind[T], key: str, value: T) -> None:
        """Record an answer."""
        self._asked.add(key)
        self.store.put(kind, self._place(key), value)

    def _place(self, key: str) -> str:
        return _provisional(key) if self.provisional else key


def _provisional(key: str) -> str:
    return digest(["provisional", key])
