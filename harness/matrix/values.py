"""The values that matrix.toml may hold, each with a reader.

A reader raises ValueError, which says what was expected; pydantic adds the place in the file (see load.py).
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from packaging.version import Version
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from harness.model import ABSENT
from harness.packaging_values import exact_version, quoted, requirement_line, specifier_set
from harness.quantities import seconds, size

POLICIES = ("latest", "latest-per-minor", "latest-per-major", "all", "oldest")
"""What a selector keeps of the published versions its specifier admits."""


def _exact_or_selector(text: str) -> str:
    if text == ABSENT:
        return text
    spec, semicolon, policy = (part.strip() for part in (f";{text}" if text.strip() in POLICIES else text).partition(";"))
    if not semicolon:
        try:
            return exact_version(spec)
        except ValueError:
            raise ValueError(
                "expected an exact version such as '2.1.2' or a selector such as '>=2.1,<3; latest-per-minor', "
                f"not {quoted(text)}"
            ) from None
    try:
        specifier_set(spec)
    except ValueError:
        raise ValueError(f"expected version bounds such as '>=4.36,<6' before ';', not {quoted(spec)}") from None
    if policy not in POLICIES:
        raise ValueError(f"expected one of {', '.join(POLICIES)} after ';', not {quoted(policy)}")
    return f"{spec}; {policy}"


def _specifier(text: str) -> str:
    """Bounds; a bare version means exactly that version, as in asv's exclude rules."""
    with contextlib.suppress(ValueError):
        return f"=={exact_version(text)}"
    try:
        return str(specifier_set(text))
    except ValueError:
        raise ValueError(f"expected a version or bounds such as '<2.4', not {quoted(text)}") from None


def version_or_absent(text: str) -> str:
    """An exact version, or `absent`."""
    return text if text == ABSENT else exact_version(text)


def place(text: str) -> str:
    """A path, a URL, or another argument of a process, without control characters."""
    if not text or any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError(f"expected a path or a URL, not {quoted(text)}")
    return text


def with_home(place: str) -> Path:
    """`place` with `~` expanded; unchanged if there is no such user (`~nobody/x`)."""
    return Path(os.path.expanduser(place))  # noqa: PTH111 -- pathlib's raises a RuntimeError


def time_limit(text: str | float) -> float:
    """A duration in seconds, more than 0."""
    if not (limit := seconds(text)):
        raise ValueError(f"expected a duration such as '90s', '5m' or '1h', not {quoted(text)}")
    return limit


def listed(value: object) -> object:
    """`value`, in a list if it is a single value."""
    return [value] if isinstance(value, (str, int)) and not isinstance(value, bool) else value


def once(values: list[Any]) -> list[Any]:
    """Refuse a value that is listed twice: variants or cells would share a name."""
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"expected each value once; {value!r} is there {values.count(value)} times")
    return values


def version_key(axis: str, value: str) -> object:
    """Equal for values of an axis that mean the same version: `2.1` is 2.1.0, but Python `3.11` is any 3.11."""
    return value if axis == "python" or value == ABSENT or ";" in value else Version(value)


def _quoted(value: object) -> object:
    """Refuse versions without quotes: TOML reads 2.10 as the number 2.1."""
    values = listed(value)
    for item in values if isinstance(values, list) else [values]:
        if not isinstance(item, str):
            raise ValueError(f"expected versions in quotes, such as '3.11', not the {type(item).__name__} {item!r}")  # noqa: TRY004 -- pydantic reports ValueError
    return values


def jobs(value: object) -> object:
    """A number of probes at once, or `auto`."""
    if value != "auto" and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError(f"expected a number of probes, 1 or more, or 'auto', not {value!r}")
    return value


def ir_version(value: object) -> object:
    """An IR version to set, or `stamped` to keep what the exporter wrote."""
    if value != "stamped" and (not isinstance(value, int) or isinstance(value, bool) or value < 3):
        raise ValueError(f"expected an IR version from 3 on, or 'stamped', not {value!r}")
    return value


_NEWEST_OPSET = 1000
"""Far above every published opset; each number of a range becomes a variant."""

COMBINATIONS = 1_000_000
"""The most cells, and the most variants, that a matrix may have: each is an object in memory."""


def opsets(value: object) -> object:
    """Single opsets, and ranges such as `"12-20"`, as one list; ranges may overlap."""
    numbers: list[object] = []
    for item in value if isinstance(value, list) else [value]:
        match = re.fullmatch(r"([0-9]{1,4})\s*-\s*([0-9]{1,4})", item) if isinstance(item, str) else None
        if match and int(match[1]) <= int(match[2]) <= _NEWEST_OPSET:
            numbers += range(int(match[1]), int(match[2]) + 1)
        elif isinstance(item, int) and not isinstance(item, bool) and item <= _NEWEST_OPSET:
            numbers.append(item)
        else:
            raise ValueError(f"expected opsets such as 17, or a range such as '12-20', not {quoted(item)}")
    return list(dict.fromkeys(numbers))


NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
Name = Annotated[str, Field(pattern=f"^{NAME.pattern}$", max_length=100)]
"""A value of a variant: it becomes part of an id, and of a folder's name."""
AxisValue = Annotated[
    str,
    AfterValidator(_exact_or_selector),
    WithJsonSchema({"type": "string", "pattern": rf"^[^;]*(;\s*({'|'.join(POLICIES)})\s*)?$"}),
]
AxisValues = Annotated[list[AxisValue], BeforeValidator(_quoted), Field(min_length=1)]
Bounds = Annotated[str, AfterValidator(_specifier)]
RequirementText = Annotated[str, AfterValidator(requirement_line)]
VersionOrAbsent = Annotated[str, AfterValidator(version_or_absent)]
Place = Annotated[str, AfterValidator(place)]
Once = AfterValidator(once)
Opsets = Annotated[list[int], BeforeValidator(opsets, json_schema_input_type=list[int] | str)]
Jobs = Annotated[int | Literal["auto"], BeforeValidator(jobs)]
IrVersion = Annotated[int | Literal["stamped"], BeforeValidator(ir_version)]
TimeLimit = Annotated[float, BeforeValidator(time_limit, json_schema_input_type=float | str)]
Bytes = Annotated[int, BeforeValidator(size, json_schema_input_type=int | str)]
