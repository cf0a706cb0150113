"""The events that a probe writes (probe/journal.py), as the host reads them: what is none is refused."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from harness.model import Stage, StageResult
from harness.stage_data import CheckedResult


class _Begin(TypedDict):
    event: Literal["begin"]
    stage: Stage
    subject: str | None
    time: Annotated[float, Field(allow_inf_nan=False)]


class _Doing(TypedDict):
    event: Literal["doing"]
    doing: str


class _Error(TypedDict):
    type: str
    message: str
    traceback: str | None


class _End(TypedDict):
    event: Literal["end"]
    stage: Stage
    subject: str | None
    status: Literal["works", "fails", "error", "not-run"]
    seconds: float
    error: _Error | None
    data: dict[str, Any]


class _Left(TypedDict):
    event: Literal["left"]
    code: int


class _Done(TypedDict):
    event: Literal["done"]
    subject: str | None
    distributions: dict[str, str]
    peak_rss: Annotated[int, Field(ge=0, le=2**60)]


_EVENT: TypeAdapter[Any] = TypeAdapter(Annotated[_Begin | _Doing | _End | _Left | _Done, Field(discriminator="event")])
"""What probe/journal.py writes; what else is in an event is left out."""

RESULT: TypeAdapter[StageResult] = TypeAdapter(CheckedResult)
"""What an `end` says of its stage."""


def event_in(line: str) -> dict[str, Any]:
    """The event in a line of the file.

    Raises:
        ValueError, RecursionError: it is none.
    """
    # Not pydantic's own parser: it refuses half of a surrogate pair.
    found: dict[str, Any] = _EVENT.validate_python(json.loads(line))
    return found
