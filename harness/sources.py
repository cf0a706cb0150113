"""What a run takes from its surroundings, decided once: which interpreters there are, and where torch comes from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from harness import interpreters, locks
from harness.matrix import Matrix
from harness.model import Interpreter, digest
from harness.plan import Planned
from harness.uv import Uv


class Pythons:
    """The interpreters of this machine, looked for once."""

    def __init__(self, uv: Uv) -> None:
        self._uv = uv
        self._found: list[Interpreter] | None = None

    def find(self, wanted: str) -> Interpreter | None:
        """The interpreter for a version on the python axis, or None."""
        if self._found is None:
            self._found = [*self._uv.interpreters(), *interpreters.in_pyenv(), interpreters.running()]
        return interpreters.choose(wanted, self._found)


def with_torch_backend(
    planned: Sequence[Planned], config: Matrix, uv: Uv, pythons: Pythons, say: Callable[[str], None], *, refresh: bool
) -> Uv:
    """`uv` with the source of torch decided for this run, and said in one line."""
    setting = config.uv.torch_backend
    if setting != "auto":
        return uv.with_torch_backend(None if setting == "default" else setting)
    store = uv.store
    key = digest(["torch-backend", uv.identity])
    record = store.get(key)
    if record is not None:
        remembered = uv.with_torch_backend(record["backend"])
        if uv.offline or (not refresh and locks.all_known(planned, config, remembered, pythons.find)):
            say(f"torch: {_source(record['backend'])}, as decided on {record['when']}")
            return remembered
    python = next((found for item in planned if (found := pythons.find(item.cell.python))), None)
    backend = "cpu" if python and uv.cpu_builds_answer(python) else None
    store.put(key, {"backend": backend, "when": dt.datetime.now(dt.UTC).date().isoformat()})
    why = "PyTorch's own index answers" if backend else "PyTorch's own index did not answer within two seconds"
    say(f"torch: {_source(backend)} ({why}; [uv] torch-backend overrides)")
    return uv.with_torch_backend(backend)


def _source(backend: str | None) -> str:
    return f"{backend} builds from PyTorch's index" if backend else "the default index"
