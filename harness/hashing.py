"""Names of contents: the canonical JSON of a value, and its digest. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import StringConstraints

DIGEST = "[0-9a-f]{32}"
"""The results of `digest`, as a regular expression. Keys, artifacts and logs have such names, and no others."""

Digest = Annotated[str, StringConstraints(pattern=f"^{DIGEST}$")]
"""A digest in data that is validated."""

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

_IS_DIGEST = re.compile(DIGEST).fullmatch


def is_digest(name: str) -> bool:
    """Whether `name` has the form of a digest."""
    return _IS_DIGEST(name) is not None


def digest(value: object) -> str:
    """A stable name for a JSON-able value: 128 bits of SHA-256 over its canonical JSON, in hexadecimal."""
    return _named(canonical(value))


def canonical(value: object) -> str:
    """The canonical JSON of `value`."""
    return _CANONICAL.encode(value)


def digest_with(items: Sequence[object], last: str) -> str:
    """The digest of a list: `items`, one at least, and an item that many lists have, given as its canonical JSON."""
    return _named(f"{canonical(items)[:-1]},{last}]")


def _named(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
