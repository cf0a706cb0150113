"""What a stage can give, checked where a result is read from outside: records of a store, events of a probe."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from harness.model import StageResult, Status


class Finding(TypedDict):
    """What was noticed about a graph (probe/findings.py)."""

    rule: str
    message: str
    limit: NotRequired[int | None]
    """What was measured, of the rules `ir-above-runtime` and `opset-above-runtime`."""


class StageData(TypedDict, total=False):
    """What the harness reads of a stage's data. A stage may say more, a probe of one's own too, which is only shown."""

    findings: list[Finding]
    peak_memory: Annotated[int, Field(ge=0, le=2**60)]
    """Bytes."""
    reason: str
    """Why it was not run."""
    open: bool
    """Whether a run would say more than that."""
    outcomes: list[str]
    """Of a flaky result, how the processes ended."""
    missing: dict[str, Any]
    """The module that the failure lacks: verdicts/missing_module.py."""
    ir: Annotated[int, Field(ge=0, le=10**6)] | None
    node: dict[str, Any] | None
    max_abs_diff: Annotated[float, Field(allow_inf_nan=False)] | None


_validate_data = TypeAdapter(StageData).validator.validate_python
"""Not the adapter's own, which takes as long again: it is done for each stage of each record."""


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
"""What one stage gave, where that is read from outside: it is what a stage can give, or a validation error."""
