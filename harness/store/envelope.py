"""Records: what the store keeps under a key, in an envelope that proves what it is and that it is whole.

    {"kind": "lock", "key": "<digest>", "checksum": "<digest>", "value": …}

The checksum covers kind, key and the bytes of the value as they stand in the file. So a flipped bit, a record in another
one's place and a record of another kind are noticed before the value is even parsed. It guards against accidents; it is
no signature, and somebody who wants to write a record can.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from harness.model import DIGEST

LIMIT = 64 * 2**20
"""Bytes of the largest record that is read: a lock with the hashes of 100 distributions has half a megabyte."""

T = TypeVar("T")

_HEAD = re.compile(rf'\{{"kind": "([a-z-]{{1,32}})", "key": "({DIGEST})", "checksum": "{DIGEST}", "value": '.encode())
_TAIL = b"}\n"

_OLDER = re.compile(rb'\{"(artifact|limits|lock|backend)": |\["')


class DamagedRecordError(Exception):
    """The content of a file is not the record that it should be; `str()` says why, as the end of a sentence about it."""


class OlderRecordError(DamagedRecordError):
    """A value without an envelope, as the store held before there were any. A store may be full of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordKind(Generic[T]):
    """What a record is about, and the type of its value."""

    name: str
    """Lower-case letters and hyphens; part of the file, so it stays."""
    adapter: TypeAdapter[T]

    def seal(self, key: str, value: T) -> bytes:
        """The record of `value` under `key`, as the file's content.

        A string may hold halves of surrogate pairs (undecodable file names in messages do); they are kept as they are.
        """
        # Not as pydantic's own JSON: that makes null of nan, and something else of half of a surrogate pair.
        plain = self.adapter.dump_python(value)
        body = json.dumps(plain, ensure_ascii=False, sort_keys=True, default=_date).encode("utf-8", "surrogatepass")
        return _head(self.name, key, body) + body + _TAIL

    def unseal(self, key: str, content: bytes) -> T:
        """The value in the record `content`.

        Raises:
            DamagedRecordError: it is not a whole record of this kind and key, or its value is of another type.
        """
        name, body = opened(key, content)
        if name != self.name:
            raise DamagedRecordError(f"is a record of another kind: {name!r}, not {self.name!r}")
        return self.parsed(body)

    def parsed(self, body: bytes) -> T:
        """The value whose bytes `opened` gave.

        Raises:
            DamagedRecordError: it is of another type.
        """
        try:
            # Not pydantic's own parser: it refuses half of a surrogate pair.
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
    """(name of its kind, bytes of its value) of the record `content`, which is said to be that of `key`.

    Raises:
        DamagedRecordError: it is not a whole record, or that of another key.
    """
    head = _HEAD.match(content)
    if head is None or not content.endswith(_TAIL):
        if _OLDER.match(content) and content.endswith((b"}", b"]")):
            raise OlderRecordError("has no checksum: it is of an older version of the harness")
        raise DamagedRecordError("is not a whole record")
    name, there = head[1].decode(), head[2].decode()
    body = content[head.end() : -len(_TAIL)]
    if content[: head.end()] != _head(name, there, body):
        raise DamagedRecordError("does not match its checksum")
    if there != key:
        raise DamagedRecordError(f"is the record of another key ({there})")
    return name, body


def _date(value: object) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a record")


def _head(name: str, key: str, body: bytes) -> bytes:
    checksum = hashlib.blake2b(f"{name} {key} ".encode(), digest_size=16)
    checksum.update(body)
    return f'{{"kind": "{name}", "key": "{key}", "checksum": "{checksum.hexdigest()}", "value": '.encode()
