"""One message with two causes: each is told with its own evidence."""

from __future__ import annotations

from pathlib import Path

from values import DYNAMO, MERGED, PAIR, PINS, resolved, result

from harness.diagnose.assembly import build
from harness.diagnose.remedies.found import MatrixRemedies
from harness.matrix.schema import ProbeSection
from harness.model import Stage, StageResult, Status, Variant
from harness.report.failures import failure_groups
from harness.report.formats import format_named
from harness.report.pages import explain
from harness.verdicts.judge import VariantVerdict, Verdict

CONCAT = result(Stage.LOAD, Status.FAILS, "Op (Concat) [ShapeInferenceError] axis must be in [-rank, rank-1]")
RUNS = result(Stage.PARITY)


def failing(variant: Variant, elsewhere: StageResult) -> VariantVerdict:
    opinions = {"onnx.reference": elsewhere, "onnxruntime 1.32.0": elsewhere}
    return VariantVerdict(variant=variant, status=Status.FAILS, results=(CONCAT,), opinions=opinions)


WORKING = VariantVerdict(variant=DYNAMO, status=Status.WORKS, results=(RUNS,))
VERDICT = Verdict(
    resolved=resolved(PAIR, MERGED, DYNAMO),
    status=Status.WORKS,
    variants=(failing(PAIR, RUNS), failing(MERGED, CONCAT), WORKING),
)
REPORT = build([VERDICT], ["python", *PINS], ProbeSection(), None)


def test_the_page_tells_each_cause_with_its_own_evidence():
    runtime, exporter = failure_groups(REPORT)
    assert (runtime.causes, exporter.causes) == ((("runtime, proven", 1),), (("exporter, proven", 1),))
    assert runtime.evidence[0] == "onnx.reference runs the same artifact correctly"
    assert exporter.evidence[0] == "onnx.reference, the same artifact: fails at load: the same"


def test_a_cell_is_explained_by_each_cause_with_its_own_evidence():
    explained = explain.ExplainedCell(verdict=VERDICT, report=REPORT, remedies=MatrixRemedies(), nearest=None)
    told = format_named("text").render(explain.page(explained, store=Path("/store"), options=""))
    assert told.count("fails at load — 1 variant: ") == 2
    first, second = told.split("cause: ")[1:]
    assert first.startswith("runtime, proven")
    assert "onnx.reference runs the same artifact correctly" in first
    assert second.startswith("exporter, proven")
    assert "runs the same artifact correctly" not in second
