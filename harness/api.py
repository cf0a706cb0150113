"""The interface for programs; `import harness` has it. docs/api.md has an example.

The functions do what the commands of the same name do, on the same store, print nothing and take no input but their
arguments. They raise subclasses of `HarnessError`, whose text is a sentence for the user.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness import pipeline, published_reports
from harness.decide import given_sets
from harness.decide.check import Checked, CheckResult
from harness.decide.check_request import CheckRequest
from harness.decide.given_sets import GivenSet
from harness.environments.resolved import Resolved
from harness.errors import HarnessError, SelectionError
from harness.execution.cost import Cost
from harness.execution.events import Event, Listener
from harness.execution.preparation import opened
from harness.execution.settings import Settings
from harness.model import Setup, Status
from harness.store.access import Access
from harness.verdicts.differences import ReportDifference, difference
from harness.verdicts.flat_table import rows
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant

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

Texts = str | Sequence[str]
"""One, or several."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedCell:
    """A cell that a run would take up."""

    id: str
    python: str
    pins: Mapping[str, str]
    """Axis → version, without python and without what is absent."""
    setup: Setup
    variants: int
    """Number of ways to export and run it."""
    lock: str | None
    """Digest of the locked distributions; None if there is no solution."""
    resolved: Mapping[str, str]
    """Every distribution of the lock, name → version; of a handoff cell the run side's if the sides differ."""
    reason: str
    """Why it has no lock; empty if it has one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a run would do."""

    cells: tuple[PlannedCell, ...]
    pending: Mapping[str, int]
    """Kind of task (install, export, run) → the number that is still to do."""
    cost: Cost | None
    """Downloads, disk and time of these tasks; None if nothing is to be done."""


def load_report(report: str | Path) -> Report:
    """A report: a matrix.json, or matrix.json.gz, a folder with one, or the name of a published report (`matrix`, `variants`).

    A `Path` is never taken for a name. The file is checked before anything of it is believed.

    Raises:
        ReportError: there is none, it is no report of this version, or it contradicts itself.
    """
    return (published_reports.named(report) if isinstance(report, str) else published_reports.at(report)).report


def compare(old: Report, new: Report) -> ReportDifference:
    """What differs in `new` from `old`: `regressions`, `changes`, `moved` locks, `new` and `gone` cells."""
    return difference(old, new)


def plan(
    config: str | Path = "matrix.toml",
    *,
    store: str | Path = ".harness",
    select: Texts = (),
    exclude: Texts = (),
    model: str | None = None,
    profile: Literal["tiny", "base"] | None = None,
    jobs: int | None = None,
    offline: bool = False,
    refresh: bool = False,
    listen: Listener | None = None,
) -> Plan:
    """Resolve every cell of the matrix in `config`, and install nothing.

    Args:
        config: the matrix.toml.
        store: the folder of the results, or a URL that fsspec knows.
        select: only these cells and variants: `torch>=2.4,transformers<5`. A comma is *and*, several are *or*.
        exclude: not these.
        model: instead of `[probe] model`; a folder is relative to the current one.
        profile: instead of `[probe] profile`.
        jobs: probes at once; by default what the matrix says. It matters for the estimated time.
        offline: ask no index.
        refresh: resolve again what is known.
        listen: is called with each event (`harness.execution.events`), in several threads.

    Raises:
        HarnessError: see harness/errors.py.
    """
    given = {"model": model, "profile": profile, "offline": offline, "refresh": refresh}
    settings = _settings(config, store, jobs, select, exclude, **given)
    session = opened(settings, listen or _silent, access=Access.REPLACE if refresh else Access.ADD)
    found = pipeline.planned(session)
    return Plan(
        cells=tuple(_cell(resolved) for resolved, _ in found.cells),
        pending=Counter(task.kind for task in found.pending),
        cost=found.cost,
    )


def run(
    config: str | Path = "matrix.toml",
    *,
    store: str | Path = ".harness",
    select: Texts = (),
    exclude: Texts = (),
    model: str | None = None,
    profile: Literal["tiny", "base"] | None = None,
    jobs: int | None = None,
    executor: str = "local",
    insecure: bool = False,
    offline: bool = False,
    refresh: bool = False,
    force: bool = False,
    retry: Sequence[Literal["error", "flaky"]] = (),
    strategy: Literal["full", "pairwise"] = "full",
    budget: float | None = None,
    remedies: bool = True,
    sandbox: Literal["auto", "require", "off"] = "auto",
    listen: Listener | None = None,
) -> Report:
    """Run what is not known of the matrix in `config`, and report on all of it. It writes no reports, only the store.

    Arguments that `plan` has mean the same here. Tasks run where `executor` says: `local`, `dask` or `dask:ADDRESS` (with
    `insecure` also one that others can reach). With `force` everything is run again, with `retry` the results that have these
    statuses. `strategy="pairwise"` runs few cells first, and then those that the results suggest; after `budget` seconds no
    task begins. Without `remedies` no change is tried on what fails. `sandbox` says how probes are confined (docs/security.md).

    Raises:
        Interrupted: Ctrl-C; what was finished is in the store.
        HarnessError: see harness/errors.py.
    """
    given: dict[str, Any] = {
        "model": model,
        "profile": profile,
        "offline": offline,
        "refresh": refresh,
        "force": force,
        "retry": tuple(retry),
    }
    given |= {"executor": executor, "insecure": insecure, "strategy": strategy, "budget": budget}
    given |= {"remedies": remedies, "sandbox": sandbox}
    report, _ = pipeline.run(_settings(config, store, jobs, select, exclude, **given), listen or _silent)
    return report


def check(
    current: str | Path | None = None,
    *,
    to: Texts = (),
    outdated: bool = False,
    changes: Texts = (),
    python: str | None = None,
    exporters: Texts = (),
    opset: int | None = None,
    layouts: Texts = (),
    config: str | Path = "matrix.toml",
    store: str | Path = ".harness",
    jobs: int | None = None,
    offline: bool = False,
    refresh: bool = False,
    sandbox: Literal["auto", "require", "off"] = "auto",
    listen: Listener | None = None,
) -> Checked:
    """Whether an upgrade of a version set breaks, at which step, and what makes it work. Runs what is not known.

    `current` is a requirements file, `pyproject.toml`, `pylock.toml`, `uv.lock` or a virtual environment; None stands for the
    axes of the matrix that have a single version. `changes` are requirements that change or extend it.

    The target is `to`: requirements such as `transformers>=5`, or files with the new set. With `outdated` it is the newest
    version of each axis alone, and all of them together. Without both the question is whether the current set works.

    `python`, `exporters`, `opset` and `layouts` replace the Python of the set and the lists of `[variants]`. `config` has the
    sources, the probe and the variants; its cells do not matter. Arguments that `plan` has too mean the same here.

    Raises:
        HarnessError: see harness/errors.py.
    """
    given = GivenSet(with_=_texts(changes), python=python, exporter=_texts(exporters), opset=opset, layout=_texts(layouts))
    request = CheckRequest(current=None if current is None else Path(current), to=_texts(to), outdated=outdated, given=given)
    settings = _settings(config, store, jobs, offline=offline, refresh=refresh, sandbox=sandbox)
    with given_sets.opened_experiments(settings, given, listen or _silent) as experiments:
        return request.answer(experiments)


def _cell(resolved: Resolved) -> PlannedCell:
    cell, lock = resolved.cell, resolved.lock
    return PlannedCell(
        id=cell.id,
        python=cell.python,
        pins=dict(cell.pins),
        setup=cell.setup,
        variants=len(resolved.planned.variants),
        lock=resolved.digest,
        resolved=lock.versions if lock else {},
        reason=resolved.result.problem,
    )


def _texts(given: Texts) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _settings(
    config: str | Path, store: str | Path, jobs: int | None, select: Texts = (), exclude: Texts = (), **given: Any
) -> Settings:
    """The settings of a call; `given` are fields of them."""
    if jobs is not None and jobs < 1:
        raise SelectionError(f"jobs: expected a number of probes, 1 or more, not {jobs}")
    place = store if isinstance(store, str) and "://" in store else Path(store)
    return Settings(config=Path(config), store=place, jobs=jobs, select=_texts(select), exclude=_texts(exclude), **given)


def _silent(_event: Event) -> None:
    """Nobody listens."""
