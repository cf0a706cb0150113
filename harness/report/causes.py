"""How many failures each suspect explains.

The usual suspects when a decoder with a KV cache fails are PyTorch and Transformers (their cache), the exporter, ONNX
Runtime, the architecture, the mix of versions, and the model itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from harness.model import Cause, Certainty, Stage, Status
from harness.report.page import Text, code, joined
from harness.verdicts.control_model import MODEL
from harness.verdicts.report_schema import Report, ReportedCell, ReportedVariant
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
    Suspect.RUNTIME: "it lacks an implementation, or gets wrong what others, or itself with other options, run correctly",
    Suspect.ARCHITECTURE: "nothing works with this model, and one of another family works where it fails",
    Suspect.VERSIONS: "no solution, not importable or usable together, or an IR or opset above the runtime's",
    Suspect.INTERNALS: "PyTorch disagrees with itself on every stack, with this model only; or a checkpoint alone fails",
    Suspect.CONSUMER: "the same artifact works in the same onnxruntime with the other feedback or binding",
    Suspect.OPEN: "not decided by what was run",
}


_Members = list[tuple[ReportedCell, ReportedVariant]]

HEADER = ("suspect", "failing variants", "cells", "certainty", "for example", "measured by")


def rows(report: Report) -> list[list[Text]]:
    """A row for each suspect in their order, also without failures; `OPEN` only with failures; no rows if nothing fails."""
    found: dict[Suspect, _Members] = {suspect: [] for suspect in Suspect}
    agrees = _agrees(report)
    for cell in report.cells:
        for variant in cell.variants:
            if variant.status is Status.FAILS:
                found[_suspect(variant, agrees=agrees)].append((cell, variant))
    if not any(found.values()):
        return []
    return [_row(suspect, members) for suspect, members in found.items() if members or suspect is not Suspect.OPEN]


def _row(suspect: Suspect, members: _Members) -> list[Text]:
    certainties = Counter(variant.certainty for _, variant in members)
    causes = Counter(variant.cause for _, variant in members if variant.cause)
    several = f" ({_counts(causes.most_common())})" if len(causes) > 1 else ""
    proven = (member for member in members if member[1].certainty is Certainty.PROVEN)
    example: Text = ""
    for cell, variant in [*proven, *members][:1]:
        log = joined(": ", code(variant.log)) if variant.log else ()
        example = joined(code(cell.id), *log)
    return [
        suspect.value,
        f"{len(members)}{several}",
        str(len({cell.id for cell, _ in members})),
        _counts([(certainty, certainties[certainty]) for certainty in Certainty if certainties[certainty]]),
        example,
        MEANING[suspect],
    ]


def _counts(counted: Sequence[tuple[StrEnum, int]]) -> str:
    """`10 version conflict, 2 format gate`."""
    return ", ".join(f"{count} {name.value}" for name, count in counted)


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


def summary(report: Report) -> str:
    """How many failures have a cause, and how many causes are proven."""
    failing = [variant for cell in report.cells for variant in cell.variants if variant.status is Status.FAILS]
    explained = [variant for variant in failing if variant.cause]
    proven = sum(variant.certainty is Certainty.PROVEN for variant in explained)
    return (
        f"{len(failing)} variants fail; {len(explained)} of them have a cause, {proven} proven by runs that differ in one thing"
    )
