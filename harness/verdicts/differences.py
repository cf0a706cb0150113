"""What differs between two reports on the same cells: what broke, what was mended, which locks moved. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from harness.model import Setup, Status
from harness.packaging_values import same_build
from harness.verdicts.report_schema import OBSERVED, Report, ReportedCell, ReportedVariant, identity, versions_of


class ChangeKind(StrEnum):
    """How a cell, or variants of it, changed."""

    BROKEN = "broken"
    """It worked, and fails: a regression. Also a cell that works only with a remedy now."""
    MENDED = "mended"
    """It failed, and works."""
    OTHERWISE = "otherwise"
    """It fails in both reports, at another stage or for another cause."""
    UNKNOWN = "unknown"
    """It was known, and is an error, flaky or not run: that proves nothing, and is no regression."""
    KNOWN = "known"
    """It was unknown, and is known."""
    QUESTION = "question"
    """The cell's status changed, and no variant that both reports have explains that: other variants decide."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingChange:
    """Something besides the versions that differs between the reports: their differences may come from that."""

    name: str
    before: str
    now: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionMove:
    """A distribution that differs between two locks; None in a lock that does not have it."""

    name: str
    before: str | None
    now: str | None
    side: str | None = None
    """The side of a handoff cell: `export` or `run`."""

    def __str__(self) -> str:
        side = f" ({self.side} side)" if self.side else ""
        return f"{self.name} {self.before or 'absent'} → {self.now or 'absent'}{side}"


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantChange:
    """A variant in both reports."""

    before: ReportedVariant
    now: ReportedVariant


@dataclass(frozen=True, kw_only=True, slots=True)
class CellChange:
    """A cell that changed in one way; a cell in which one variant broke and another was mended has two changes."""

    kind: ChangeKind
    before: ReportedCell
    now: ReportedCell
    variants: tuple[VariantChange, ...]
    """The variants that changed in this way; empty if the cell alone did."""
    moves: tuple[VersionMove, ...]
    """What moved in its lock. A difference between the runs, and no proof of a cause."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MovedLock:
    """Cells in whose locks the same distributions moved."""

    moves: tuple[VersionMove, ...]
    """Empty if the versions are the same and their files are others."""
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportDifference:
    """The difference of a report from an earlier one."""

    settings: tuple[SettingChange, ...]
    compared: int
    """Number of cells that both reports have."""
    changes: tuple[CellChange, ...]
    moved: tuple[MovedLock, ...]
    new: tuple[ReportedCell, ...]
    """Cells that only the newer report has."""
    gone: tuple[ReportedCell, ...]
    """Cells that only the earlier report has."""
    new_variants: int
    """Number of variants that only the newer report has, in cells that both have."""
    gone_variants: int
    """The same of the earlier report."""
    proves: bool
    """Whether a regression could be seen: False if variants worked, and none of them works or fails now."""

    def of(self, kind: ChangeKind) -> tuple[CellChange, ...]:
        """The changes of one kind."""
        return tuple(change for change in self.changes if change.kind is kind)

    @property
    def regressions(self) -> tuple[CellChange, ...]:
        """What worked and fails now."""
        return self.of(ChangeKind.BROKEN)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pair:
    """A cell that both reports have."""

    before: ReportedCell
    now: ReportedCell
    variants: tuple[VariantChange, ...]
    """The variants that both have."""
    moves: tuple[VersionMove, ...]


def difference(old: Report, new: Report) -> ReportDifference:
    """The difference of `new` from `old`. Cells match by Python, pins and setup; variants by their fields."""
    before, now = _by_versions(old.cells), _by_versions(new.cells)
    pairs = [_pair(before[key], cell) for key, cell in now.items() if key in before]
    variants = [variant for pair in pairs for variant in pair.variants]
    worked = [pair for pair in variants if pair.before.status is Status.WORKS]
    return ReportDifference(
        settings=tuple(_settings(old, new)),
        compared=len(pairs),
        changes=tuple(chain.from_iterable(map(_changes, pairs))),
        moved=_moved(pairs),
        new=tuple(cell for key, cell in now.items() if key not in before),
        gone=tuple(cell for key, cell in before.items() if key not in now),
        new_variants=sum(len(pair.now.variants) for pair in pairs) - len(variants),
        gone_variants=sum(len(pair.before.variants) for pair in pairs) - len(variants),
        proves=any(pair.now.status.is_fact for pair in worked) or not _works_somewhere(old),
    )


def _by_versions(cells: Iterable[ReportedCell]) -> dict[object, ReportedCell]:
    return {versions_of(cell): cell for cell in cells}


def _works_somewhere(report: Report) -> bool:
    return any(variant.status is Status.WORKS for cell in report.cells for variant in cell.variants)


def _settings(old: Report, new: Report) -> Iterable[SettingChange]:
    for name, earlier, later in (
        ("probe", old.probe.id, new.probe.id),
        ("model", old.probe.model, new.probe.model),
        ("profile", old.probe.profile, new.probe.profile),
        ("seed", str(old.probe.seed), str(new.probe.seed)),
        ("requires", ", ".join(old.probe.requires) or "nothing", ", ".join(new.probe.requires) or "nothing"),
        ("platform", old.platform, new.platform),
        ("torch from", old.torch, new.torch),
    ):
        if earlier != later:
            yield SettingChange(name=name, before=earlier, now=later)


def _pair(before: ReportedCell, now: ReportedCell) -> _Pair:
    earlier = {identity(variant): variant for variant in before.variants}
    later = {identity(variant): variant for variant in now.variants}
    return _Pair(
        before=before,
        now=now,
        variants=tuple(VariantChange(before=earlier[key], now=variant) for key, variant in later.items() if key in earlier),
        moves=moves_of(before, now),
    )


def _changes(pair: _Pair) -> list[CellChange]:
    """The changes of a cell, in the order of their kinds."""
    by_kind: dict[ChangeKind, list[VariantChange]] = {}
    for variant in pair.variants:
        if kind := _variant_kind(variant.before, variant.now):
            by_kind.setdefault(kind, []).append(variant)
    if kind := _cell_kind(pair.before, pair.now, pair.variants):
        by_kind.setdefault(kind, [])
    return [
        CellChange(kind=kind, before=pair.before, now=pair.now, variants=tuple(by_kind[kind]), moves=pair.moves)
        for kind in ChangeKind
        if kind in by_kind
    ]


def _variant_kind(before: ReportedVariant, now: ReportedVariant) -> ChangeKind | None:
    match before.status, now.status:
        case Status.WORKS, Status.FAILS:
            return ChangeKind.BROKEN
        case Status.FAILS, Status.WORKS:
            return ChangeKind.MENDED
        case Status.FAILS, Status.FAILS:
            alike = (before.stage, before.cause) == (now.stage, now.cause)
            return None if alike else ChangeKind.OTHERWISE
    return _sight(known=before.status.is_fact, still=now.status.is_fact)


def _cell_kind(before: ReportedCell, now: ReportedCell, variants: Sequence[VariantChange]) -> ChangeKind | None:
    """How the status of the cell changed; None if it did not."""
    if before.status is now.status:
        return None
    worked = [(pair.before.status is Status.WORKS, pair.now.status is Status.WORKS) for pair in variants]
    lost, gained = (True, False) in worked, (False, True) in worked
    match before.status, now.status:
        case Status.WORKS, Status.FAILS | Status.WORKS_WITH_REMEDY:
            return ChangeKind.BROKEN if lost else ChangeKind.QUESTION
        case Status.FAILS | Status.WORKS_WITH_REMEDY, Status.WORKS:
            return ChangeKind.MENDED if gained else ChangeKind.QUESTION
        # Without a search that ended, no remedy is known, and none is ruled out.
        case Status.WORKS_WITH_REMEDY, Status.FAILS:
            return ChangeKind.BROKEN if _searched_in_vain(now) else ChangeKind.UNKNOWN
        case Status.FAILS, Status.WORKS_WITH_REMEDY:
            return ChangeKind.MENDED if _searched_in_vain(before) else ChangeKind.KNOWN
    return _sight(known=_is_known(before.status), still=_is_known(now.status))


def _sight(*, known: bool, still: bool) -> ChangeKind | None:
    """The kind of a change between what is known and what proves nothing."""
    return ChangeKind.UNKNOWN if known and not still else ChangeKind.KNOWN if still and not known else None


def _is_known(status: Status) -> bool:
    return status in OBSERVED - {Status.FLAKY}


def _searched_in_vain(cell: ReportedCell) -> bool:
    """Whether a search for a remedy of the cell ended, and found none."""
    searched = [variant for variant in cell.variants if variant.tried]
    return bool(searched) and not any(variant.search_open or variant.unproven or variant.unanswered for variant in searched)


def moves_of(before: ReportedCell, now: ReportedCell) -> tuple[VersionMove, ...]:
    """The distributions that differ between the locks of a cell in two reports, by name; none if a lock is not known."""
    if before.lock is None or now.lock is None or before.lock == now.lock:
        return ()
    if now.setup is Setup.HANDOFF:
        sides = [side for side in now.resolved_sides if side in before.resolved_sides]
        return tuple(chain(*(_moves(before.resolved_sides[side], now.resolved_sides[side], side) for side in sides)))
    return tuple(_moves(before.resolved, now.resolved))


def _moves(before: Mapping[str, str], now: Mapping[str, str], side: str | None = None) -> Iterable[VersionMove]:
    for name in sorted({*before, *now}):
        if not same_build(before.get(name), now.get(name)):
            yield VersionMove(name=name, before=before.get(name), now=now.get(name), side=side)


def _moved(pairs: Sequence[_Pair]) -> tuple[MovedLock, ...]:
    """The locks that moved, those that most cells share first."""
    groups: dict[tuple[VersionMove, ...], list[str]] = {}
    for pair in pairs:
        if pair.before.lock and pair.now.lock and pair.before.lock != pair.now.lock:
            groups.setdefault(pair.moves, []).append(pair.now.id)
    found = [MovedLock(moves=moves, cells=tuple(cells)) for moves, cells in groups.items()]
    return tuple(sorted(found, key=lambda moved: -len(moved.cells)))
