"""Where fake packages and the fake probe leave notes for tests: a folder beside the store that confined probes may write to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.execution.process import sandbox
from harness.probe.wire import Confinement

NOTES = "notes"
"""Beside a store."""
STARTS = "probe-starts.jsonl"
"""In a store, for programs beside these tests."""

LIBRARY = Path(__file__).parent / "__pycache__" / "standard-library"
"""The fake probe has this name too."""


def starts_of(store: Path) -> Path:
    """The file in which the fake probe notes its starts (it has these names too)."""
    notes = store.parent / NOTES
    return notes / f"{store.name}-starts.jsonl" if notes.is_dir() else store / STARTS


def allowing(rights: Callable[..., Confinement] = sandbox.rights, *, in_store: bool = False) -> Callable[..., Confinement]:
    """`sandbox.rights`, and what the fake probe writes: the folder of notes, its bytecode of the standard library, and
    `in_store` the file of starts there."""

    def allowed(*given: object, **named: object) -> Confinement:
        found = rights(*given, **named)
        store = named["store"].root  # type: ignore[attr-defined]
        LIBRARY.mkdir(parents=True, exist_ok=True)
        places = [store.parent / NOTES, LIBRARY]
        if in_store:
            (store / STARTS).touch()
            places.append(store / STARTS)
        return {**found, "write": [*found["write"], *(str(path) for path in places if path.exists())]}

    return allowed
