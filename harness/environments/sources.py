"""What a run takes from its machine, decided once: interpreters, and the index of torch."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import TypeAdapter

from harness import disk_space
from harness.environments import interpreters
from harness.environments.interface import ProviderFailure
from harness.environments.uv import variables
from harness.environments.uv.client import Uv
from harness.errors import DiskFullError
from harness.hashing import digest
from harness.model import Interpreter
from harness.store.envelope import RecordKind
from harness.store.store import Store


def downloads_refused(setting: str, *, offline: bool) -> str | None:
    """What keeps uv from installing interpreters, as a clause; None if nothing does. `setting` is `[run] python-downloads`."""
    if setting == "never":
        return '[run] python-downloads is "never"'
    if (users := variables.python_downloads()) in {"manual", "never"}:
        return f"uv's own setting python-downloads is {users!r}"
    return "no network is asked (--offline)" if offline else None


NOT_NOW = "a run lets uv install it"
"""The clause for commands that install nothing."""


class Pythons:
    """The interpreters of this machine, which are looked for once, and those that uv adds to them."""

    def __init__(self, uv: Uv, *, refused: str | None = NOT_NOW, note: Callable[[str], None] = lambda _: None) -> None:
        """`refused` is what keeps uv from installing one, as a clause; None lets it. `note` receives a line about each."""
        self._uv = uv
        self._refused = refused
        self._note = note
        self._found: list[Interpreter] | None = None
        self._chosen: dict[str, Interpreter | None] = {}
        self._failed: dict[str, str] = {}
        """Version → why uv could not install it, a sentence."""

    def find(self, version: str) -> Interpreter | None:
        """The interpreter for a version on the python axis, or None; uv installs one if there is none and it may.

        Raises:
            ProviderFailure: uv cannot list interpreters.
            DiskFullError: there is no room for one.
        """
        found = self._of_machine(version)
        if found or self._refused or version in self._failed:
            return found
        self._note(f"no CPython {version} on this machine: uv installs one ([run] python-downloads)")
        try:
            self._uv.install_python(version)
        except ProviderFailure as failure:
            if disk_space.says_full(str(failure)):
                raise DiskFullError(str(failure)) from None
            self._failed[version] = _sentence(str(failure))
            self._note(self.why_missing(version))
            return None
        self._found, self._failed[version] = None, "it is not where uv looks for interpreters"
        self._chosen.clear()
        return self._of_machine(version)

    def why_missing(self, version: str) -> str:
        """See `interpreters.Interpreters`."""
        missing = f"no CPython {version} on this machine (uv and pyenv were asked)"
        if version in self._failed:
            return f"{missing}, and uv could not install one: {self._failed[version]}"
        return f"{missing}; {self._refused}, and 'uv python install {version}' gets one"

    def present(self, versions: Iterable[str]) -> list[Interpreter]:
        """The interpreters for those of `versions` that this machine has by now."""
        return [python for version in versions if (python := self._of_machine(version))]

    def _of_machine(self, version: str) -> Interpreter | None:
        if self._found is None:
            self._found = [*self._uv.interpreters(), *interpreters.in_pyenv(), interpreters.running()]
        if version not in self._chosen:
            self._chosen[version] = interpreters.choose(version, self._found)
        return self._chosen[version]


def _sentence(text: str) -> str:
    """The first and the last link of the chain of causes that uv writes, one a line."""
    links = [" ".join(link.split()) for link in re.split(r"\n\s*cause:", text.removeprefix("error:"))]
    return ": ".join(dict.fromkeys((links[0], links[-1])))


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
