"""What a run takes from its machine, decided once: interpreters, and the index of torch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import TypeAdapter

from harness.environments import interpreters
from harness.environments.uv.client import Uv
from harness.hashing import digest
from harness.model import Interpreter
from harness.store.envelope import RecordKind
from harness.store.store import Store


class Pythons:
    """The interpreters of this machine; looked for once."""

    def __init__(self, uv: Uv) -> None:
        self._uv = uv
        self._found: list[Interpreter] | None = None
        self._chosen: dict[str, Interpreter | None] = {}

    def find(self, version: str) -> Interpreter | None:
        """The interpreter for a version on the python axis, or None."""
        if self._found is None:
            self._found = [*self._uv.interpreters(), *interpreters.in_pyenv(), interpreters.running()]
        if version not in self._chosen:
            self._chosen[version] = interpreters.choose(version, self._found)
        return self._chosen[version]

    def present(self, versions: Iterable[str]) -> list[Interpreter]:
        """The interpreters for those of `versions` that this machine has."""
        return [python for version in versions if (python := self.find(version))]


@dataclass(frozen=True, kw_only=True, slots=True)
class TorchBackend:
    """The recorded decision where torch comes from."""

    backend: Literal["cpu"] | None
    """None is the default index."""
    when: dt.date


TORCH_BACKEND = RecordKind(name="torch-backend", adapter=TypeAdapter(TorchBackend))


def with_torch_backend(
    uv: Uv, setting: str, store: Store, python: Interpreter | None, note: Callable[[str], None], *, refresh: bool
) -> Uv:
    """`uv` with the source of torch; `note` receives the decision in one line.

    `setting` is `[uv] torch-backend`. A recorded decision stands until `refresh`: keys depend on it, so another decision
    after one slow answer of an index would make every result unknown.
    """
    if setting != "auto":
        return replace(uv, torch_backend=None if setting == "default" else setting)
    key = digest(["torch-backend", uv.identity(store.root)])
    known = store.get(TORCH_BACKEND, key)
    if known is not None and (uv.offline or not refresh):
        note(f"torch: {_source(known.backend)}, as decided on {known.when} (--refresh asks again)")
        return replace(uv, torch_backend=known.backend)
    if uv.offline:
        return uv
    backend: Literal["cpu"] | None = "cpu" if python and uv.cpu_builds_answer(python) else None
    store.put(TORCH_BACKEND, key, TorchBackend(backend=backend, when=dt.datetime.now(dt.UTC).date()))
    reason = "PyTorch's own index answers" if backend else "PyTorch's own index did not answer within two seconds"
    note(f"torch: {_source(backend)} ({reason}; [uv] torch-backend overrides)")
    return replace(uv, torch_backend=backend)


def _source(backend: str | None) -> str:
    return f"{backend} builds from PyTorch's index" if backend else "the default index"
