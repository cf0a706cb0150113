"""A module that is missing: which distribution may be added for it. Pure.

The name of a module comes out of an error message, which a package under test words as it likes, and what is added is
installed and imported. So a distribution is added only if it is one of those that the project knows, or one that a
distribution of the lock names by its own metadata (`Requires-Dist`, extras included): whoever trusts that distribution
trusts those already. Any other module is named in the report, and nothing is installed for it.
"""

from __future__ import annotations

from packaging.utils import is_normalized_name

from harness.model import Stage
from harness.stack import KNOWN
from harness.verdicts.judge import VariantVerdict
from harness.verdicts.missing_module import noticed


def addition(failing: VariantVerdict) -> tuple[str, str] | None:
    """(side, distribution) to add for what is missing; the side is `export` or `run`. None where nothing may be added."""
    found = noticed(failing)
    name = found.get("distribution")
    if not isinstance(name, str) or not is_normalized_name(name) or not (name in KNOWN or found.get("named") is True):
        return None
    return ("run" if _on_the_run_side(failing) else "export"), name


def _on_the_run_side(failing: VariantVerdict) -> bool:
    order = list(Stage)
    message = failing.error.message if failing.error else ""
    loads = order.index(failing.last.stage) >= order.index(Stage.LOAD)
    return loads or (failing.last.stage is Stage.IMPORT and message.startswith("import onnxruntime"))
