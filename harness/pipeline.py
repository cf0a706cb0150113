"""The main path, top to bottom: matrix.toml → cells → locks → tasks → results → verdicts → report.

A library: it prints nothing and asks nothing. What happens is told to a listener; what is decided is returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import merge
from harness.diagnose import assembly
from harness.diagnose.remedies.matrix import MatrixRemedies, mend
from harness.diagnose.rules import boundaries
from harness.environments.resolver import NOT_RESOLVED
from harness.errors import interruptible
from harness.execution.audit import audit
from harness.execution.events import AtStage, Damage, Event, Listener, Note, once
from harness.execution.laboratory import Lab
from harness.execution.prepare import Prepared, Settings, prepare, selected
from harness.execution.rounds import perform
from harness.execution.scheduler import TaskEnded, TaskStarted
from harness.store.access import Access
from harness.store.store import Store
from harness.verdicts.judge import NOT_REACHED, Verdict
from harness.verdicts.report_model import Report


def run(settings: Settings, listen: Listener) -> tuple[Report, list[str]]:
    """The whole matrix: prepare, do what is missing, report; and what an audit found to be otherwise.

    Raises:
        HarnessError: see errors.py; `Interrupted` carries no report, ask `known` for what was finished.
    """
    prepared = prepare(settings, listen)
    boundaries.require_known(settings.close_boundaries or (), prepared.axes)
    with interruptible():
        left_out = perform(prepared, settings, listen)
        disputes = audit(prepared, settings.audit, listen) if settings.audit else []
        verdicts, found = diagnosed(prepared, settings, listen, act=_searched(settings))
        report = assembly.of(prepared, verdicts, left_out, found.told)
        return boundaries.close(report, prepared, settings, listen, act=settings.close_boundaries is not None), disputes


def known(settings: Settings, listen: Listener) -> Report:
    """The report from what the store holds, running nothing."""
    prepared = prepare(settings, listen, ask=False, access=Access.ADD)
    verdicts, found = diagnosed(prepared, settings, listen, act=False)
    return boundaries.close(assembly.of(prepared, verdicts, mended=found.told), prepared, settings, listen, act=False)


def diagnosed(prepared: Prepared, settings: Settings, listen: Listener, *, act: bool) -> tuple[list[Verdict], MatrixRemedies]:
    """The verdicts, and what mends those that fail; without `act` as far as the store knows.

    A shard's cells alone are no basis for it, so its report tells of none, as with `--no-remedies`.
    """
    if not settings.remedies or settings.shard is not None:
        return prepared.verdicts(), MatrixRemedies()

    def hear(event: Event) -> None:
        # A trial is no cell of the matrix, to be counted with the others.
        if isinstance(event, TaskStarted | AtStage | TaskEnded):
            listen(event)

    def say(text: str) -> None:
        if act:
            listen(Note(text=f"remedies: {text}"))

    with Lab(prepared, settings, hear, act=act) as lab:
        verdicts = prepared.verdicts()
        found = mend(lab, verdicts, say)
        # A trial renews what it shares with the matrix, such as the import before it: told is what is stored.
        return prepared.verdicts() if lab.asked else verdicts, found


def _searched(settings: Settings) -> bool:
    """Whether there is every cell that a search for remedies may rest on, and time for it."""
    return settings.budget is None and settings.strategy == "full"


def merged(sources: Sequence[Path], settings: Settings, listen: Listener) -> Report:
    """The one report of several shards, running nothing: of their stores, copied into this one, or of their matrix.json files.

    Raises:
        HarnessError: they cannot be merged, or, of files, not every cell is in one.
    """
    if not merge.are_stores(sources):
        reports = [(path, merge.read(path)) for path in sources]
        return merge.join(reports, *selected(settings))
    listen = once(listen)
    store = Store.open(settings.store, note=lambda text: listen(Damage(text=text)))
    for text in merge.copy(sources, store):
        listen(Damage(text=text))
    report = known(settings, listen)
    if count := sum(any(one.reason in {NOT_REACHED, NOT_RESOLVED} for one in cell.variants) for cell in report.cells):
        why = "their shard is missing or unfinished, or had another matrix, probe, platform or Python"
        listen(Note(text=f"cells whose results are not in these stores: {count} of {len(report.cells)}; {why}"))
    return report
