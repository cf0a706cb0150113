"""The difference of a report from an earlier one, as a page: what broke, what was mended, which locks moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.hashing import digest
from harness.model import Status
from harness.published_reports import Published
from harness.report import difference_data
from harness.report.failure_annotations import place_of
from harness.report.failures import affected_versions
from harness.report.page import (
    UNKNOWN,
    Annotation,
    Block,
    Example,
    Item,
    Look,
    Page,
    Paragraph,
    Section,
    Span,
    Text,
    code,
    items,
    joined,
    plain,
    strong,
)
from harness.report.tables import counted, short_answer
from harness.source_lines import NOWHERE, Places
from harness.verdicts.differences import (
    CellChange,
    ChangeKind,
    MovedLock,
    ReportDifference,
    VersionMove,
    difference,
)
from harness.verdicts.messages import headline
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant

_NAMED = 3
"""Number of cells, variants and moves that a line names; programs get them all."""
_GROUPS = 40
"""Number of entries of a section."""

_TITLES = {
    ChangeKind.BROKEN: "Newly broken",
    ChangeKind.MENDED: "Newly mended",
    ChangeKind.OTHERWISE: "Fails for another cause, or at another stage",
    ChangeKind.UNKNOWN: "Not known any more: this proves nothing, and is no regression",
    ChangeKind.KNOWN: "Not known before",
    ChangeKind.QUESTION: "Other variants decide",
}
_STATUS = {ChangeKind.BROKEN: Status.FAILS, ChangeKind.MENDED: Status.WORKS, ChangeKind.UNKNOWN: Status.ERROR}


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A report beside an earlier one."""

    old: Published
    new: Report
    difference: ReportDifference


def compared(old: Published, new: Report) -> Comparison:
    """`new` beside the earlier report `old`."""
    return Comparison(old=old, new=new, difference=difference(old.report, new))


def page(comparison: Comparison, options: str = "", places: Places = NOWHERE) -> Page[Comparison]:
    """The page of a comparison; `options` are those with which `explain` means the matrix and store of the newer report.

    `places` are the lines of its matrix. A format that lists cells lists all of the newer report: what broke is among them.
    """
    found = comparison.difference
    cells = {change.now.id for change in found.regressions}
    head = f"{counted(len(cells), 'regression')} in {counted(found.compared, 'cell')} that both reports have"
    title = head if found.proves else f"nothing proven: nothing that worked was seen again in {counted(found.compared, 'cell')}"
    return Page(
        title=Span(title, status=Status.FAILS if cells else Status.WORKS if found.proves else Status.ERROR),
        blocks=[
            *_introduction(comparison),
            *_changed(found),
            *_moved(found),
            *_cells("New cells", found.new),
            *_cells("Cells that are gone, with what they were", found.gone),
        ],
        summary=_summary(found),
        data=difference_data.data(comparison.old.name, comparison.old.report, comparison.new, found),
        annotations=[*_annotations(comparison.new, found, places), *_unproven(title, found, places)],
        cells=comparison.new.cells,
        source=comparison,
        answer=short_answer(comparison.new),
        options=options,
    )


def _introduction(comparison: Comparison) -> Iterator[Block]:
    """What was compared, and what differs besides versions."""
    found = comparison.difference
    if found.settings:
        listed = "; ".join(f"{change.name} {change.before} → {change.now}" for change in found.settings)
        yield Paragraph(
            text=[
                strong("The reports differ in more than versions, and what follows may come from that:"),
                Span(f" {listed}.", Look.QUOTED),
            ]
        )
    new = comparison.new
    day = (new.generated or "").partition("T")[0] or "nothing has run yet"
    yield Paragraph(
        text=[
            "Earlier: ",
            Span(comparison.old.source, Look.QUOTED),
            ". Now: ",
            Span(f"{new.platform}, {day}", Look.QUOTED),
            ".",
        ]
    )
    for number, which in ((found.new_variants, "newer"), (found.gone_variants, "earlier")):
        if number:
            yield Paragraph(text=f"{counted(number, 'variant')} of these cells only the {which} report has.")


def _summary(found: ReportDifference) -> str:
    counts = [(len({change.now.id for change in found.of(kind)}), words) for kind, words in _COUNTED.items()]
    counts += [(len(found.new), "new"), (len(found.gone), "gone")]
    parts = [f"{counted(count, 'cell')} {words}" for count, words in counts if count]
    moved = sum(len(lock.cells) for lock in found.moved)
    parts += [f"{counted(moved, 'lock')} moved"] if moved else []
    return ", ".join(parts) or "nothing differs"


_COUNTED = {
    ChangeKind.BROKEN: "newly broken",
    ChangeKind.MENDED: "newly mended",
    ChangeKind.OTHERWISE: "failing otherwise",
    ChangeKind.UNKNOWN: "not known any more",
    ChangeKind.KNOWN: "not known before",
    ChangeKind.QUESTION: "decided by other variants",
}


def _changed(found: ReportDifference) -> Iterator[Section]:
    """A section for each kind of change."""
    for kind, title in _TITLES.items():
        groups = _groups(found.of(kind))
        if groups:
            entries = [_entry(kind, group) for group in groups[:_GROUPS]]
            yield Section(title=title, blocks=[items(*entries, *_more(len(groups) - _GROUPS))])


_Group = list[CellChange]


def _groups(changes: Sequence[CellChange]) -> list[_Group]:
    """The changes, those that are alike together; the largest group first."""
    groups: dict[object, _Group] = {}
    for change in changes:
        ends = tuple((pair.now.id, _end(pair.now), _end(pair.before)) for pair in change.variants)
        alike = change.before.status, change.now.status, tuple(change.now.remedies), ends, change.moves
        groups.setdefault(alike, []).append(change)
    return sorted(groups.values(), key=lambda group: -len(group))


def _entry(kind: ChangeKind, group: _Group) -> Item:
    """What changed in some cells, how their variants ended, and what moved in their locks."""
    first = group[0]
    blocks: list[Block] = [items(*_variants(first))] if first.variants else []
    if kind in {ChangeKind.BROKEN, ChangeKind.MENDED, ChangeKind.OTHERWISE}:
        blocks.append(Paragraph(text=_lock(first)))
    if kind is ChangeKind.BROKEN:
        blocks.append(Example(cell=first.now.id, log=next((pair.now.log for pair in first.variants), None)))
    return Item(
        text=[Span(_status(first), status=_STATUS.get(kind)), ": ", *_ids([change.now.id for change in group])], blocks=blocks
    )


def _status(change: CellChange) -> str:
    """How the status of a cell moved: `works → works-with-remedy (numpy<2)`."""
    before, now = change.before, change.now
    if before.status is now.status:
        return f"still {now.status.value}"
    remedies = f" ({'; '.join(now.remedies)})" if now.status is Status.WORKS_WITH_REMEDY else ""
    return f"{before.status.value} → {now.status.value}{remedies}"


def _variants(change: CellChange) -> Iterator[Text]:
    """How the variants ended, those that ended alike in one line."""
    alike: dict[tuple[str, str], list[str]] = {}
    for pair in change.variants:
        alike.setdefault((_end(pair.now), _end(pair.before)), []).append(pair.now.id)
    for (now, before), names in list(alike.items())[:_GROUPS]:
        yield [*_ids(names), ": ", Span(now, Look.QUOTED), "; before: ", Span(before, Look.QUOTED)]


def _end(variant: ReportedVariant) -> str:
    """`fails at load (runtime): …`."""
    message = headline(variant.error, 200) if variant.error else variant.reason or ""
    return f"{_stage(variant)}: {message}" if message else _stage(variant)


def _stage(variant: ReportedVariant) -> str:
    at = f" at {variant.stage.value}" if variant.stage else ""
    return f"{variant.status.value}{at}" + (f" ({variant.cause.value})" if variant.cause else "")


def _lock(change: CellChange) -> Text:
    """What differs between the locks; a sentence that claims no cause."""
    before, now = change.before.lock, change.now.lock
    if change.moves:
        return joined("what differs in the lock, which is no proof of a cause: ", _listed(change.moves))
    if before == now:
        return "the lock is the same" if now else "neither report has a lock"
    return "the lock has the same versions, and other files" if before and now else "only one of the reports has a lock"


def _listed(moves: Sequence[VersionMove]) -> str:
    more = len(moves) - 2 * _NAMED
    return "; ".join(map(str, moves[: 2 * _NAMED])) + (f"; and {more} more" if more > 0 else "")


def _ids(names: Sequence[str]) -> list[str | Span]:
    """Ids to copy; of many the first ones, and how many more there are."""
    shown = [part for name in names[:_NAMED] for part in (", ", code(name))][1:]
    return [*shown, f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""]


def _more(number: int) -> list[str]:
    return [f"and {number} more; --format json has all"] if number > 0 else []


def _moved(found: ReportDifference) -> Iterator[Section]:
    if found.moved:
        entries: list[Text] = [_moved_line(lock) for lock in found.moved[:_GROUPS]]
        yield Section(title="Moved locks", blocks=[items(*entries, *_more(len(found.moved) - _GROUPS))])


def _moved_line(lock: MovedLock) -> Text:
    what = _listed(lock.moves) if lock.moves else "the same versions, in other files"
    return [f"{what}: {counted(len(lock.cells), 'cell')}, ", *_ids(lock.cells)]


def _cells(title: str, cells: Sequence[ReportedCell]) -> Iterator[Section]:
    """A list of cells that only one of the reports has, by status."""
    by_status: dict[Status, list[str]] = {}
    for cell in cells:
        by_status.setdefault(cell.status, []).append(cell.id)
    if cells:
        entries: list[Text] = [
            [Span(status.value, status=status), f" — {counted(len(names), 'cell')}: ", *_ids(names)]
            for status, names in by_status.items()
        ]
        yield Section(title=title, blocks=[items(*entries)])


def _annotations(report: Report, found: ReportDifference, places: Places) -> Iterator[Annotation]:
    """An error for each group of regressions in `report`, the newer one."""
    for group in _groups(found.regressions):
        change, subject = group[0], plain(_entry(ChangeKind.BROKEN, group).text)
        failed = _failed(change)
        stage = max((variant.stage for variant in failed if variant.stage), key=lambda stage: stage.number, default=None)
        place = place_of(affected_versions(report, [change.now for change in group]), places)
        yield Annotation(
            level="error",
            title="export-matrix: newly broken",
            text="\n".join([subject, *map(plain, _variants(change)), plain(_lock(change))]),
            file=place.file,
            line=place.line,
            subject=subject,
            status=Status.FAILS,
            rule=stage.value if stage else UNKNOWN,
            # As long as the same fails, and the same distributions moved, to whatever versions.
            fingerprint=digest(
                [
                    ChangeKind.BROKEN,
                    [[variant.id, variant.stage, variant.signature] for variant in failed],
                    sorted({move.name for move in change.moves}),
                ]
            ),
        )


def _unproven(answer: str, found: ReportDifference, places: Places) -> Iterator[Annotation]:
    """A warning: if there were no problem, a code host would take all earlier ones for mended."""
    if not found.proves and not found.regressions:
        place, title, text = places.of(), "export-matrix: nothing proven", f"{answer}\n{_summary(found)}"
        problem = Annotation(level="warning", title=title, text=text, subject=answer, status=Status.ERROR, rule=UNKNOWN)
        yield replace(problem, file=place.file, line=place.line, fingerprint=digest([UNKNOWN]))


def _failed(change: CellChange) -> list[ReportedVariant]:
    """The variants that broke; if the cell alone did, those that fail."""
    variants = [pair.now for pair in change.variants] or change.now.variants
    return [variant for variant in variants if variant.status is Status.FAILS]
