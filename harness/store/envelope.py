"""Records: the values that the store keeps under keys, in an envelope with kind, key and checksum.

    {"kind": "lock", "key": "<digest>", "checksum": "<digest>", "value": …}

The checksum covers kind, key and the bytes of the value in the file. So a flipped bit, a record under another key and a
record of another kind are noticed before the value is parsed. It guards against accidents. It is no signature: anybody can
write a record with a right checksum.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from harness.hashing import DIGEST

LIMIT = 64 * 2**20
"""Bytes of the largest record that is read. A lock with the hashes of 100 distributions has half a megabyte."""

T = TypeVar("T")

_HEAD = re.compile(rf'\{{"kind": "([a-z-]{{1,32}})", "key": "({DIGEST})", "checksum": "{DIGEST}", "value": '.encode())
_TAIL = b"}\n"

_OLDER = re.compile(rb'\{"(artifact|limits|lock|backend)": |\["')


class DamagedRecordError(Exception):
    """A file does not hold the record that it should; `str()` is the end of a sentence about the file."""


class OlderRecordError(DamagedRecordError):
    """A value without an envelope, as older versions wrote it; a store may hold many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordKind(Generic[T]):
    """A kind of records, with the type of their values."""

    name: str
    """Lower-case letters and hyphens. It is part of every record, so it must not change."""
    adapter: TypeAdapter[T]

    def seal(self, key: str, value: T) -> bytes:
        """The record of `value` under `key`, as the content of a file.

        Halves of surrogate pairs in strings are kept; messages with undecodable file names have them.
        """
        # Not pydantic's own JSON: it writes null for nan, and changes halves of surrogate pairs.
        plain = self.adapter.dump_python(value)
        body = json.dumps(plain, ensure_ascii=False, sort_keys=True, default=_date).encode("utf-8", "surrogatepass")
        return _head(self.name, key, body) + body + _TAIL

    def unseal(self, key: str, content: bytes) -> T:
        """The value in the record `content`.

        Raises:
            DamagedRecordError: it is not a whole record of this kind and key, or its value has another type.
        """
        name, body = opened(key, content)
        if name != self.name:
            raise DamagedRecordError(f"is a record of another kind: {name!r}, not {self.name!r}")
        return self.parsed(body)

    def parsed(self, body: bytes) -> T:
        """The value with the bytes `body`, as `opened` returns them.

        Raises:
            DamagedRecordError: the value has another type.
        """
        try:
            # Not pydantic's own parser: it refuses halves of surrogate pairs.
            return self.adapter.validate_python(json.loads(body.decode("utf-8", "surrogatepass")), strict=False)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise DamagedRecordError(
                f"does not fit this version of the harness ({place or self.name}: {first['msg']})"
            ) from None
        except (ValueError, RecursionError) as error:
            raise DamagedRecordError(f"holds no value that can be read ({type(error).__name__})") from None


def opened(key: str, content: bytes) -> tuple[str, bytes]:
    """(name of the kind, bytes of the value) of the record `content` under `key`.

    Raises:
        DamagedRecordError: it is not a whole record, or has another key.
    """
    head = _HEAD.match(content)
    if head is None or not content.endswith(_TAIL):
        if _OLDER.match(content) and content.endswith((b"}", b"]")):
            raise OlderRecordError("has no checksum: it is of an older version of the harness")
        raise DamagedRecordError("is not a whole record")
    name, own_key = head[1].decode(), head[2].decode()
    body = content[head.end() : -len(_TAIL)]
    if content[: head.end()] != _head(name, own_key, body):
        raise DamagedRecordError("does not match its checksum")
    if own_key != key:
        raise DamagedRecordError(f"is the record of another key ({own_key})")
    return name, body


def _date(value: object) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be part of a record")


def _head(name: str, key: str, body: bytes) -> bytes:
    checksum = hashlib.blake2b(f"{name} {key} ".encode(), digest_size=16)
    checksum.update(body)
    return f'{{"kind": "{name}", "key": "{key}", "checksum": "{checksum.hexdigest()}", "value": '.encode()
