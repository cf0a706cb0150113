"""The result of a stage, validated where it is read from outside: records of a store, events of a probe."""

from __future__ import annotations

from types import GenericAlias
from typing import Annotated, Any, get_type_hints

import typing_extensions
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from harness.model import StageResult, Status
from harness.probe import wire


def validated(fields: Any, **limits: Any) -> Any:
    """A TypedDict of the probe as pydantic needs it before Python 3.12, one of typing_extensions; with `limits` for fields."""
    make: Any = typing_extensions.TypedDict
    optional: Any = typing_extensions.NotRequired
    hints = {**get_type_hints(fields), **limits}
    return make(
        fields.__name__, {name: optional[hint] if name in fields.__optional_keys__ else hint for name, hint in hints.items()}
    )


_StageData = validated(
    wire.StageData,
    findings=GenericAlias(list, (validated(wire.PlacedFinding),)),
    peak_memory=Annotated[int, Field(ge=0, le=2**60)],
    ir=Annotated[int, Field(ge=0, le=10**6)] | None,
    max_abs_diff=Annotated[float, Field(allow_inf_nan=False)] | None,
)

_validate_data = TypeAdapter(_StageData).validator.validate_python
"""Not the adapter's own method, which takes twice as long: it is called for each stage of each record."""


def _checked(result: StageResult) -> StageResult:
    if result.status is Status.WORKS_WITH_REMEDY:
        raise ValueError("expected the status of a stage, not that of a cell")
    if result.error is None and result.status in _BY_ERROR:
        raise ValueError(f"expected an error beside the status {result.status.value}")
    try:
        _validate_data(result.data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"data.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return result


_BY_ERROR = frozenset({Status.FAILS, Status.ERROR})

CheckedResult = Annotated[StageResult, AfterValidator(_checked)]
"""The result of one stage, read from outside: what a stage can give, or a validation error."""
