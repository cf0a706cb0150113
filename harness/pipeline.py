"""The main path, top to bottom: matrix.toml → cells → locks → tasks → results → verdicts → report.

A library: it prints nothing and asks nothing. What happens is told to a listener; what is decided is returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import merge
from harness.audit import audit
from harness.diagnose import boundaries
from harness.events import Listener, Note
from harness.locks import NOT_RESOLVED
from harness.perform import perform
from harness.prepare import Settings, prepare, selected
from harness.report.contract import Report
from harness.store import Store
from harness.verdict import NOT_REACHED


def run(settings: Settings, listen: Listener) -> tuple[Report, list[str]]:
    """The whole matrix: prepare, do what is missing, report; and what an audit found to be otherwise.

    Raises:
        HarnessError: see errors.py; `Interrupted` carries no report, ask `known` for what was finished.
    """
    prepared = prepare(settings, listen)
    boundaries.require_known(settings.close_boundaries or (), prepared.axes)
    left_out = perform(prepared, settings, listen)
    disputes = audit(prepared, settings.audit, listen) if settings.audit else []
    act = settings.close_boundaries is not None
    return boundaries.close(prepared.report(left_out), prepared, settings, listen, act=act), disputes


def known(settings: Settings, listen: Listener) -> Report:
    """The report from what the store holds, running nothing."""
    prepared = prepare(settings, listen, ask=False)
    return boundaries.close(prepared.report(), prepared, settings, listen, act=False)


def merged(sources: Sequence[Path], settings: Settings, listen: Listener) -> Report:
    """The one report of several shards, running nothing: of their stores, copied into this one, or of their matrix.json files.

    Raises:
        HarnessError: they cannot be merged, or, of files, not every cell is in one.
    """
    if not merge.are_stores(sources):
        reports = [(path, merge.read(path)) for path in sources]
        return merge.join(reports, *selected(settings))
    for path in merge.copy(sources, Store.open(settings.store)):
        listen(Note(text=f"damaged, and taken for absent: {path}"))
    report = known(settings, listen)
    if count := sum(any(one.reason in {NOT_REACHED, NOT_RESOLVED} for one in cell.variants) for cell in report.cells):
        why = "their shard is missing or unfinished, or had another matrix, probe, platform or Python"
        listen(Note(text=f"cells whose results are not in these stores: {count} of {len(report.cells)}; {why}"))
    return report
