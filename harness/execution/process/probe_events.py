"""The events that a probe writes (probe/wire.py), as the host reads them: what is none is refused."""

from __future__ import annotations

import functools
import json
import operator
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from harness.model import Stage, StageResult
from harness.probe import wire
from harness.stage_data import CheckedResult, validated

_EVENTS = (
    validated(wire.Begin, stage=Stage, time=Annotated[float, Field(allow_inf_nan=False)]),
    validated(wire.Doing),
    validated(wire.End, stage=Stage, error=validated(wire.Error, traceback=str | None) | None),
    validated(wire.Left),
    validated(wire.Done, peak_rss=Annotated[int, Field(ge=0, le=2**60)]),
)
_annotated: Any = Annotated
_EVENT: TypeAdapter[Any] = TypeAdapter(_annotated[functools.reduce(operator.or_, _EVENTS), Field(discriminator="event")])
"""What probe/wire.py declares; what else is in an event is left out."""

_SERVER_EVENTS = (
    validated(wire.ServerReady),
    validated(wire.ServerForked),
    validated(wire.ServerLeft, code=Annotated[int, Field(ge=-255, le=255)]),
)
_SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(
    _annotated[functools.reduce(operator.or_, _SERVER_EVENTS), Field(discriminator="event")]
)
"""What a fork server and its forks say of themselves."""

RESULT: TypeAdapter[StageResult] = TypeAdapter(CheckedResult)
"""What an `end` says of its stage."""


def server_event_in(line: bytes) -> dict[str, Any]:
    """The event in a line of a fork server.

    Raises:
        ValueError, RecursionError: it is none.
    """
    found: dict[str, Any] = _SERVER_EVENT.validate_python(json.loads(line))
    return found


def event_in(line: str) -> dict[str, Any]:
    """The event in a line of the file.

    Raises:
        ValueError, RecursionError: it is none.
    """
    # Not pydantic's own parser: it refuses half of a surrogate pair.
    found: dict[str, Any] = _EVENT.validate_python(json.loads(line))
    return found
