"""Records of a store, read and rewritten as somebody does who can compute a checksum."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from harness.store.envelope import RecordKind


def records(store: Path, kind: str) -> list[Path]:
    """The files in `store` that hold records of that kind."""
    return [path for path in sorted((store / "results").glob("??/*.json")) if json.loads(path.read_bytes())["kind"] == kind]


def value(path: Path) -> Any:
    """What the record in the file at `path` holds."""
    return json.loads(path.read_bytes())["value"]


def rewrite(path: Path, change: Callable[[Any], Any]) -> None:
    """Replace a record's value by what `change` returns for it; the record verifies."""
    record = json.loads(path.read_bytes())
    path.write_bytes(seal(record["kind"], record["key"], change(record["value"])))


def seal(kind: str, key: str, value: Any) -> bytes:
    """The record of any value."""
    return RecordKind(name=kind, adapter=TypeAdapter(Any)).seal(key, value)
