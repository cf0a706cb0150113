"""The module that a failing variant lacks, as the probe noticed it. Pure."""

from __future__ import annotations

from harness.verdicts.judge import VariantVerdict


def missing_module(failing: VariantVerdict) -> str | None:
    """The module that the failure lacks, and no distribution of the cell has; None where that is not what is wrong."""
    found = noticed(failing).get("module")
    return found if isinstance(found, str) else None


def noticed(failing: VariantVerdict) -> dict[str, object]:
    """What the probe noticed of it: module, distribution, and whether the lock names that."""
    found = failing.last.data.get("missing")
    return found if isinstance(found, dict) else {}
