"""How many failures each suspect explains.

The usual suspects when a decoder with a KV cache fails are PyTorch and Transformers (their cache), the exporter, ONNX
Runtime, the architecture, the mix of versions, and the model itself.
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


class Suspect(StrEnum):
    """The suspects in the order of the page, the consumer's protocol, and `OPEN` for failures without a cause."""

    CACHE = "PyTorch/Transformers and their cache"
    EXPORTER = "the exporter"
    RUNTIME = "ONNX Runtime"
    ARCHITECTURE = "the architecture"
    VERSIONS = "the versions"
    INTERNALS = "the model's internals"
    CONSUMER = "none of them: the consumer's protocol"
    OPEN = "open"


_OF = {
    Cause.EXPORTER: Suspect.EXPORTER,
    Cause.RUNTIME: Suspect.RUNTIME,
    Cause.ARCHITECTURE: Suspect.ARCHITECTURE,
    Cause.VERSION_CONFLICT: Suspect.VERSIONS,
    Cause.FORMAT_GATE: Suspect.VERSIONS,
    Cause.CONSUMER_PROTOCOL: Suspect.CONSUMER,
    None: Suspect.OPEN,
}

MEANING = {
    Suspect.CACHE: "PyTorch alone fails or, with a cache, disagrees with itself; on another stack, or with any other model",
    Suspect.EXPORTER: "the export or its check fails, or independent runtimes fail alike on what it wrote",
    Suspect.RUNTIME: "it does not implement it, or gets wrong what others, or itself with other options, run correctly",
    Suspect.ARCHITECTURE: "nothing works with this model, and one of another family works where it fails",
    Suspect.VERSIONS: "no solution, not importable or usable beside each other, or an IR or opset above the runtime's",
    Suspect.INTERNALS: "PyTorch disagrees with itself on every stack, with this model only; or a checkpoint alone fails",
    Suspect.CONSUMER: "the same artifact works in the same onnxruntime with the other feedback or binding",
    Suspect.OPEN: "what was run does not tell",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """The failures that one suspect explains."""

    suspect: Suspect
    variants: int
    cells: int
    """Cells with at least one such variant."""
    sure: tuple[tuple[Certainty, int], ...]
    """Variants by certainty, the surest first."""
    causes: tuple[tuple[Cause, int], ...]
    """Variants by cause, if the suspect stands for several."""
    example: str
    """Id of a cell."""
    log: str | None
    """Of the run that failed there; None if nothing ran because nothing was resolved."""


def shares(report: Report) -> list[Share]:
    """One entry for each suspect, in their order, also without failures; `OPEN` only with failures."""
    found: dict[Suspect, list[tuple[ReportedCell, ReportedVariant]]] = {suspect: [] for suspect in Suspect}
    agrees = _agrees(report)
    for cell in report.cells:
        for variant in cell.variants:
            if variant.status is Status.FAILS:
                found[_suspect(variant, agrees=agrees)].append((cell, variant))
    return [_share(suspect, members) for suspect, members in found.items() if members or suspect is not Suspect.OPEN]


def _suspect(variant: ReportedVariant, *, agrees: bool) -> Suspect:
    """The model itself is at fault only if PyTorch runs it on no stack, and runs another model."""
    if variant.cause is not Cause.MODEL:
        return _OF[variant.cause]
    return Suspect.CACHE if agrees and variant.stage is Stage.EAGER else Suspect.INTERNALS


def _agrees(report: Report) -> bool:
    """Whether PyTorch runs the model on some stack, or runs no other model either."""
    variants = [variant for cell in report.cells for variant in cell.variants]
    others = [text for variant in variants for name, text in variant.controls.items() if name.startswith(MODEL)]
    return any(passed(variant, Stage.EAGER) for variant in variants) or bool(others and "works" not in others)


def _share(suspect: Suspect, members: Sequence[tuple[ReportedCell, ReportedVariant]]) -> Share:
    sure = Counter(variant.certainty for _, variant in members if variant.certainty)
    causes = Counter(variant.cause for _, variant in members if variant.cause)
    surest = [member for member in members if member[1].certainty is Certainty.PROVEN] or members
    cell, example = next(iter(surest), (None, None))
    return Share(
        suspect=suspect,
        variants=len(members),
        cells=len({cell.id for cell, _ in members}),
        sure=tuple((certainty, sure[certainty]) for certainty in Certainty if sure[certainty]),
        causes=tuple(causes.most_common()) if len(causes) > 1 else (),
        example=cell.id if cell else "",
        log=example.log if example else None,
    )


def counts(counted: Sequence[tuple[StrEnum, int]]) -> str:
    """`10 version conflict, 2 format gate`."""
    return ", ".join(f"{count} {name.value}" for name, count in counted)


def summary(report: Report) -> str:
    """How many failures have a cause, and how many causes are proven."""
    failing = [variant for cell in report.cells for variant in cell.variants if variant.status is Status.FAILS]
    explained = [variant for variant in failing if variant.cause]
    proven = sum(variant.certainty is Certainty.PROVEN for variant in explained)
    return (
        f"{len(failing)} variants fail; {len(explained)} of them have a cause, {proven} proven by runs that differ in one thing"
    )
