"""Which versions of PyTorch, Transformers, ONNX and onnxruntime work together? Start with docs/start.md."""

# The interface for programs (docs/api.md). Its module is imported when one of its names is used: the command line imports
# this package for its version, and must be quick.
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.api import (
        Checked,
        CheckResult,
        HarnessError,
        Plan,
        PlannedCell,
        Report,
        ReportDifference,
        ReportedCell,
        ReportedVariant,
        Status,
        check,
        compare,
        load_report,
        plan,
        rows,
        run,
    )

__version__ = "0.1.0"

__all__ = [
    "CheckResult",
    "Checked",
    "HarnessError",
    "Plan",
    "PlannedCell",
    "Report",
    "ReportDifference",
    "ReportedCell",
    "ReportedVariant",
    "Status",
    "check",
    "compare",
    "load_report",
    "plan",
    "rows",
    "run",
]


if not TYPE_CHECKING:  # it would make a type checker believe any name

    def __getattr__(name: str) -> object:
        """A name of the interface, or no attribute: `from harness import errors` asks for one too, before it imports."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415

        return getattr(import_module("harness.api"), name)


def __dir__() -> list[str]:
    """The names of the interface too, for completion."""
    return [*__all__, "__version__"]
