"""The six suspects and the consumer: how much of what fails each of them explains, measured.

The suspects are those one thinks of when a decoder with a KV cache fails: PyTorch and Transformers (their cache), the
exporter, ONNX Runtime, the architecture, the mix of versions, the model itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.model import Cause, Certainty, Stage, Status
from harness.verdicts.control_model import MODEL
from harness.verdicts.report_model import Report, ReportedCell, ReportedVariant
from harness.verdicts.stages_passed import passed


class CauseCount(StrEnum):
    """Whom one would blame, in the order in which a page names them; `OPEN` is nobody."""

    CACHE = "PyTorch/Transformers and their cache"
    EXPORTER = "the exporter"
    RUNTIME = "ONNX Runtime"
    ARCHITECTURE = "the architecture"
    VERSIONS = "the versions"
    INTERNALS = "the model's internals"
    CONSUMER = "none of them: the consumer's protocol"
    OPEN = "open"


_OF = {
    Cause.EXPORTER: CauseCount.EXPORTER,
    Cause.RUNTIME: CauseCount.RUNTIME,
    Cause.ARCHITECTURE: CauseCount.ARCHITECTURE,
    Cause.VERSION_CONFLICT: CauseCount.VERSIONS,
    Cause.FORMAT_GATE: CauseCount.VERSIONS,
    Cause.CONSUMER_PROTOCOL: CauseCount.CONSUMER,
    None: CauseCount.OPEN,
}

MEANING = {
    CauseCount.CACHE: "PyTorch alone fails or, with a cache, disagrees with itself; on another stack, or with any other model",
    CauseCount.EXPORTER: "the export or its check fails, or independent runtimes fail alike on what it wrote",
    CauseCount.RUNTIME: "it does not implement it, or gets wrong what others, or itself with other options, run correctly",
    CauseCount.ARCHITECTURE: "nothing works with this model, and one of another family works where it fails",
    CauseCount.VERSIONS: "no solution, not importable or usable beside each other, or an IR or opset above the runtime's",
    CauseCount.INTERNALS: "PyTorch disagrees with itself on every stack, with this model only; or a checkpoint alone fails",
    CauseCount.CONSUMER: "the same artifact works in the same onnxruntime with the other feedback or binding",
    CauseCount.OPEN: "what was run does not tell",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What one suspect explains."""

    suspect: CauseCount
    variants: int
    cells: int
    """Cells with at least one such variant."""
    sure: tuple[tuple[Certainty, int], ...]
    """Variants by how sure that is, the surest first."""
    causes: tuple[tuple[Cause, int], ...]
    """Variants by cause, where the suspect stands for several."""
    example: str
    """Id of a cell."""
    log: str | None
    """Of the run that failed there; None where nothing was run, as nothing was resolved."""


def shares(report: Report) -> list[Share]:
    """One entry for each suspect, guilty of something or not, in their order; `OPEN` only where something is."""
    found: dict[CauseCount, list[tuple[ReportedCell, ReportedVariant]]] = {suspect: [] for suspect in CauseCount}
    agrees = _agrees(report)
    for cell in report.cells:
        for one in cell.variants:
            if one.status is Status.FAILS:
                found[_suspect(one, agrees=agrees)].append((cell, one))
    return [_share(suspect, members) for suspect, members in found.items() if members or suspect is not CauseCount.OPEN]


def _suspect(variant: ReportedVariant, *, agrees: bool) -> CauseCount:
    """A model that PyTorch does not run on some stacks only, or as little as another one, is not at fault itself."""
    if variant.cause is not Cause.MODEL:
        return _OF[variant.cause]
    return CauseCount.CACHE if agrees and variant.stage is Stage.EAGER else CauseCount.INTERNALS


def _agrees(report: Report) -> bool:
    """Whether PyTorch runs the model on some stack, or runs another model as little."""
    variants = [one for cell in report.cells for one in cell.variants]
    others = [text for one in variants for name, text in one.controls.items() if name.startswith(MODEL)]
    return any(passed(one, Stage.EAGER) for one in variants) or bool(others and "works" not in others)


def _share(suspect: CauseCount, members: Sequence[tuple[ReportedCell, ReportedVariant]]) -> Share:
    sure = Counter(one.certainty for _, one in members if one.certainty)
    causes = Counter(one.cause for _, one in members if one.cause)
    surest = [member for member in members if member[1].certainty is Certainty.PROVEN] or members
    cell, one = next(iter(surest), (None, None))
    return Share(
        suspect=suspect,
        variants=len(members),
        cells=len({cell.id for cell, _ in members}),
        sure=tuple((certainty, sure[certainty]) for certainty in Certainty if sure[certainty]),
        causes=tuple(causes.most_common()) if len(causes) > 1 else (),
        example=cell.id if cell else "",
        log=one.log if one else None,
    )


def rows(report: Report) -> tuple[list[str], list[list[str]]]:
    """(header, rows) of the table; no rows where nothing fails."""
    found = shares(report)
    header = ["suspect", "failing variants", "cells", "how sure", "for example", "measured by"]
    if not any(share.variants for share in found):
        return header, []
    return header, [
        [
            share.suspect.value,
            str(share.variants) + (f" ({_counts(share.causes)})" if share.causes else ""),
            str(share.cells),
            _counts(share.sure),
            ": ".join(f"`{name}`" for name in (share.example, share.log) if name),
            MEANING[share.suspect],
        ]
        for share in found
    ]


def _counts(counted: Sequence[tuple[StrEnum, int]]) -> str:
    return ", ".join(f"{count} {name.value}" for name, count in counted)


def summary(report: Report) -> str:
    """How much of what fails has a cause: `201 failing variants: 200 have a cause, of which 200 proven`."""
    failing = [one for cell in report.cells for one in cell.variants if one.status is Status.FAILS]
    explained = [one for one in failing if one.cause]
    proven = sum(one.certainty is Certainty.PROVEN for one in explained)
    return (
        f"{len(failing)} variants fail; {len(explained)} of them have a cause, {proven} proven by runs that differ in one thing"
    )
