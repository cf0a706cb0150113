"""The story of a cell in a screenful: what happened, what mends it, what is different where it works, how to see it oneself."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.diagnose.nearest_cell import CellDifference, by_family, difference, nearest_working
from harness.diagnose.remedies.found import MatrixRemedies
from harness.diagnose.remedies.interface import RemedySearch, Trial
from harness.diagnose.remedies.kinds.secondary_pin import SECONDARY_PIN
from harness.model import Status, Variant
from harness.report.cell import details, show_cause
from harness.report.formats.text import STYLES
from harness.report.remedies import RemedyText, RemedyTexts, families
from harness.report.tables import counted
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.report_model import Report, ReportedVariant
from harness.verdicts.signature import signature

_LINES = 12
"""Of a message; the log has all of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    """The nearest cell that works, and what of the explained one is not as it is there."""

    cell: str
    variant: Variant | None
    """What works there and fails in the explained cell, where that works otherwise."""
    difference: CellDifference


def neighbour(verdict: Verdict, others: Sequence[Verdict]) -> Neighbour | None:
    """The cell nearest to one that fails in which something that fails here works.

    Of a cell that works, what fails may fail everywhere: then there is none.
    """
    working = {one.variant for other in others for one in other.variants if one.status is Status.WORKS}
    failing = [one.variant for one in verdict.variants if one.status is Status.FAILS]
    works = verdict.status is Status.WORKS
    chosen = next((one for one in failing if one in working), failing[0] if failing and not works else None)
    found = nearest_working(verdict.resolved, chosen, others) if chosen else None
    if found is None:
        return None
    gap = difference(verdict.resolved, found.resolved)
    return Neighbour(cell=found.cell.id, variant=chosen if works else None, difference=gap)


def show(
    verdict: Verdict, report: Report, mended: MatrixRemedies, near: Neighbour | None, out: Console, *, store: Path, options: str
) -> None:
    """Print the story of `verdict`, a cell of `report`.

    Logs lie in `store`, `options` are what a command needs to mean the same matrix.
    """
    cell = verdict.cell
    status = Status.WORKS_WITH_REMEDY if cell.id in mended.mended else verdict.status
    out.print(Text(f"{cell.id}  {status.value}", style=STYLES[status]))
    pins = ", ".join(f"{name} {version}" for name, version in cell.pins)
    _say(out, f"Python {cell.python}, {pins}, {cell.setup.value}")
    if found := mended.cells.get(cell.id):
        remedies = "; ".join(dict.fromkeys(one.text for one in found))
        where = "" if status is Status.WORKS_WITH_REMEDY else " (another cell: this one fails)"
        out.print(Text(f"works with: {remedies}{where}", style=STYLES[Status.WORKS_WITH_REMEDY]))
    searches = mended.searches.get(cell.id, {})
    reported = next(one for one in report.cells if one.id == cell.id)
    told = dict(zip((one.variant for one in verdict.variants), reported.variants, strict=True))
    known = RemedyTexts(report.cells)
    mends = {variant: known.of(reported, one) for variant, one in told.items()}
    for group in _groups(verdict.variants, told, mends):
        out.print()
        _show(group, searches, told, mends, out, store=store)
    out.print()
    if near is not None:
        _compare(near, out)
    _say(out, f"by hand: python -m harness cell {cell.id}{options}")
    _say(out, "    runs it again where nothing is known, keeps its environment, and says how to enter it")


def _groups(
    variants: Sequence[VariantVerdict], told: Mapping[Variant, ReportedVariant], mends: Mapping[Variant, RemedyText]
) -> list[list[VariantVerdict]]:
    """Variants that ended alike, for the same cause, and of which the same is known of a remedy, those that work last."""
    groups: dict[object, list[VariantVerdict]] = {}
    for one in variants:
        end = signature(one.last.stage, one.error) if one.error else one.reason
        cause = told[one.variant].cause, told[one.variant].certainty
        groups.setdefault((one.status, one.stage, end, cause, mends[one.variant]), []).append(one)
    return sorted(groups.values(), key=lambda group: group[0].status is Status.WORKS)


def _show(
    group: Sequence[VariantVerdict],
    searches: Mapping[Variant, RemedySearch],
    told: Mapping[Variant, ReportedVariant],
    mends: Mapping[Variant, RemedyText],
    out: Console,
    *,
    store: Path,
) -> None:
    status, stage = group[0].status, group[0].stage
    names = ", ".join(one.variant.id for one in group)
    if status is Status.WORKS:
        worst = max((one.last.data.get("max_abs_diff") or 0.0 for one in group), default=0.0)
        for one in group:
            _say(out, f"{one.variant.id}: works")
        _say(out, f"    largest difference from PyTorch {worst:.1e}")
        return
    out.print(Text(f"{status.value} at {stage}", style=STYLES[status]), Text(f"{counted(len(group), 'variant')}: {names}"))
    # Of equals the one on which something was tried.
    one = next((one for one in group if one.variant in searches), group[0])
    message, *rest = details(one)
    lines = message.strip().splitlines()
    cut = [*lines[: _LINES // 2], "[…]", *lines[-_LINES // 2 :]] if len(lines) > _LINES else lines
    for line in [*cut, *rest]:
        _say(out, textwrap.indent(line.rstrip(), "    "))
    if one.last.log:
        log = store / one.last.log
        _say(out, f"    log: {log}{'' if log.exists() else ' (on the machine that ran it)'}", style="dim")
    if status is Status.FAILS:
        show_cause(told[one.variant], out)
        _tell(mends[one.variant], searches.get(one.variant), out)


def _tell(mend: RemedyText, search: RemedySearch | None, out: Console) -> None:
    """What is known of a remedy, and what was tried, suspects apart."""
    _say(out, f"    {mend.text or 'remedy: none was looked for'}", style=STYLES[Status.WORKS_WITH_REMEDY] if mend.works else "")
    if search is None:
        return
    if search.open and not mend.works:
        _say(out, f"    {_next(search)}")
    known = [trial for trial in search.trials if not trial.open]
    for words, trials in (
        ("tried in vain", [trial for trial in search.vain if not _blames(trial)]),
        ("dismissed", [trial for trial in search.vain if _blames(trial)]),
        ("proven", [trial for trial in known if _blames(trial) and trial.status is Status.WORKS]),
    ):
        if trials:
            _say(out, f"    {words}: {_listed(trials)}")


def _next(search: RemedySearch) -> str:
    """What goes on with an open search."""
    retried = {trial.status.value for trial in search.unproven}
    options = "".join(f" --retry {status}" for status in sorted(retried))
    return f"`run{options}` tries {'again what proved nothing' if retried else 'what is left'}"


def _blames(trial: Trial) -> bool:
    """Whether a distribution that no axis pins was suspected."""
    return trial.kinds[-1:] in {(), (SECONDARY_PIN,)}


def _listed(trials: Sequence[Trial]) -> str:
    """Those that ended alike together."""
    ends: dict[str, list[str]] = {}
    for trial in trials:
        ends.setdefault(trial.end, []).append(trial.text)
    ends = {end: families(texts) for end, texts in ends.items()}
    return "; ".join(f"{', '.join(texts)} ({end})" for end, texts in ends.items())


def _compare(near: Neighbour, out: Console) -> None:
    _say(out, f"nearest cell {f'in which {near.variant.id}' if near.variant else 'that'} works: {near.cell}; here")
    for differing in (near.difference.axes, near.difference.others):
        if differing:
            _say(out, f"    {', '.join(by_family({one.name: str(one) for one in differing}))}")


def _say(out: Console, text: str, style: str = "") -> None:
    out.print(Text(text, style=style), soft_wrap=True)
