"""The main path, top to bottom: matrix.toml → cells → locks → tasks → results → verdicts → report.

A library: it prints nothing and asks nothing. What happens is told to a listener; what is decided is returned.
"""

from __future__ import annotations

from harness.events import Listener
from harness.perform import perform
from harness.prepare import Settings, prepare
from harness.report.contract import Report


def run(settings: Settings, listen: Listener) -> Report:
    """The whole matrix: prepare, do what is missing, report.

    Raises:
        HarnessError: see errors.py; `Interrupted` carries no report, ask `known` for what was finished.
    """
    prepared = prepare(settings, listen)
    return prepared.report(perform(prepared, settings, listen))


def known(settings: Settings, listen: Listener) -> Report:
    """The report from what the store holds, running nothing."""
    return prepare(settings, listen, ask=False).report()
