"""The module that is missing in a failing variant, as the probe reports it. Pure."""

from __future__ import annotations

from harness.verdicts.judge import VariantVerdict


def missing_module(failing: VariantVerdict) -> str | None:
    """The module that is missing, and that no distribution of the cell has; None if the failure has another reason."""
    module = noticed(failing).get("module")
    return module if isinstance(module, str) else None


def noticed(failing: VariantVerdict) -> dict[str, object]:
    """The probe's report: module, its distribution, and whether the lock names that."""
    missing = failing.last.data.get("missing")
    return missing if isinstance(missing, dict) else {}
