"""What `explain` says of many distributions of one family: one line, not one for each."""

from __future__ import annotations

from pathlib import Path

from values import PAIR, resolved, result

from harness.diagnose.assembly import build
from harness.diagnose.nearest_cell import CellDifference, Differing
from harness.diagnose.remedies.found import MatrixRemedies
from harness.diagnose.remedies.interface import RemedySearch, Trial
from harness.diagnose.remedies.kinds import KINDS
from harness.diagnose.remedies.kinds.secondary_pin import SECONDARY_PIN
from harness.matrix.schema import ProbeSection
from harness.model import Stage, Status
from harness.report.formats import format_named
from harness.report.pages import explain
from harness.verdicts.judge import VariantVerdict, Verdict

CUDA = [f"nvidia-{name}" for name in ("cublas", "cudnn", "cufft", "curand", "nccl")]


def explained(mended: MatrixRemedies, near: explain.NearestWorking) -> list[str]:
    fails = VariantVerdict(variant=PAIR, status=Status.FAILS, results=(result(Stage.IMPORT, Status.FAILS, "no"),))
    verdict = Verdict(resolved=resolved(PAIR), status=Status.FAILS, variants=(fails,))
    report = build([verdict], ["python"], ProbeSection(), None, mended.reported(KINDS))
    made = explain.ExplainedCell(verdict=verdict, report=report, remedies=mended, nearest=near)
    text = format_named("text").render(explain.page(made, store=Path("/store"), options=""))
    return [line.strip() for line in text.splitlines()]


def test_suspects_and_differences_of_one_family_are_named_once():
    cell = resolved(PAIR).cell.id
    trials = tuple(
        Trial(
            text=f"{name}==1",
            status=Status.FAILS,
            stage=Stage.IMPORT,
            open=False,
            kinds=(SECONDARY_PIN,),
        )
        for name in (*CUDA, "numpy")
    )
    mended = MatrixRemedies(searches={cell: {PAIR: RemedySearch(trials=trials, remedy=None)}})
    others = tuple(Differing(name=name, here="1", there="2") for name in ("numpy", *CUDA))
    axes = (Differing(name="torch", here="2.1.2", there="2.6.0"),)
    near = explain.NearestWorking(cell="other", variant=None, difference=CellDifference(axes=axes, others=others))
    lines = explained(mended, near)
    assert "dismissed: 5 of nvidia-…, numpy==1 (fails at import)" in lines
    assert "torch 2.1.2 instead of 2.6.0" in lines
    assert "numpy 1 instead of 2, 5 nvidia-* distributions in other versions" in lines
