"""The annotations of a report: how it came out, and each failure at the line of matrix.toml that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.hashing import digest
from harness.model import Status
from harness.report.failures import FailureGroup
from harness.report.page import Annotation
from harness.report.tables import counted
from harness.source_lines import FilePlace, Places
from harness.verdicts.messages import headline


def of_report(summary: str, groups: Sequence[FailureGroup], places: Places) -> list[Annotation]:
    """The `summary`, and a remark for each group of failures: those first because of which a cell does not work."""
    whole = places.of()
    first = Annotation(level="notice", title="export-matrix", text=summary, file=whole.file, line=whole.line)
    return [first, *(_failure(group, places) for group in sorted(groups, key=lambda group: not group.broken))]


def _failure(group: FailureGroup, places: Places) -> Annotation:
    """A warning if a cell does not work; a notice if all its cells work with other variants."""
    place = place_of(group.versions, places)
    size = f"{counted(group.cells, 'cell')}, {counted(group.variants, 'variant')}"
    causes = f"cause: {'; '.join(cause for cause, _ in group.causes)}" if group.status is Status.FAILS else ""
    lines = [f"{group.where} ({size})", headline(group.message), causes, *(remedy.text for remedy in group.remedies)]
    end = f"{group.status.value} at {group.stage}"
    return Annotation(
        level="warning" if group.broken else "notice",
        title=f"export-matrix: {end}",
        text="\n".join(filter(None, lines)),
        file=place.file,
        line=place.line,
        subject=f"{end}: {group.where}",
        status=group.status,
        rule=group.stage.value,
        fingerprint=digest([group.status, group.stage, group.signature, [cause for cause, _ in group.causes]]),
    )


def place_of(affected: Mapping[str, Sequence[str]], places: Places) -> FilePlace:
    """The line of the version that all failures share, else of the axis of which the fewest versions fail.

    Of equal axes it is the last one: onnxruntime is after torch, as in what happens.
    """
    if not affected:
        return places.of()
    axis, versions = min(reversed([*affected.items()]), key=lambda item: len(item[1]))
    return places.of([axis], versions[0] if len(versions) == 1 else None)
