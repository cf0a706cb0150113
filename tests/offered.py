"""Tests of what a kernel offers to confine processes: skipped where it is lacking, in CI too, for nothing installs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.execution.process import sandbox
from harness.execution.process.sandbox import Sandbox

OFFERED = sandbox.offered()


def needs(is_there: Callable[[Sandbox], Any], what: str) -> Callable[[Any], Any]:
    """A mark for tests of `what`: they run if `is_there` says so of what this machine offers."""

    def marked(test: Any) -> Any:
        skip = pytest.mark.skipif(not is_there(OFFERED), reason=f"this machine offers {OFFERED.words}, and not {what}")
        return pytest.mark.kernel(skip(test))

    return marked
