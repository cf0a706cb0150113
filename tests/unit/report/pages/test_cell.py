"""One cell, told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from values import PAIR, resolved, result

from harness.diagnose.assembly import build
from harness.matrix.schema import ProbeSection
from harness.model import Failure, Stage, Status
from harness.report.formats import format_named
from harness.report.pages import cell
from harness.verdicts.judge import VariantVerdict, Verdict


def told(variant: VariantVerdict) -> str:
    verdict = Verdict(resolved=resolved(), status=variant.status, variants=(variant,))
    (reported,) = build([verdict], ["python"], ProbeSection(), None).cells
    return format_named("text").render(cell.page(verdict, reported, store=Path("/store")))


def test_everything_that_is_known_of_a_failure():
    node = {"name": "node_Reshape_17", "op_type": "Reshape", "graph": "decoder_with_past"}
    finding = {"rule": "frozen-axis", "message": "axis 2 of logits is 4"}
    decode = result(Stage.DECODE, Status.FAILS, "cannot be reshaped", node=node)
    decode = replace(decode, log="logs/a.log", error=Failure(type="E", message="cannot be reshaped", traceback="line 3"))
    text = told(
        VariantVerdict(
            variant=PAIR,
            status=Status.FAILS,
            results=(result(Stage.CHECK, findings=[finding], peak_memory=123_400_000), decode),
            opinions={
                "onnx.reference": result(Stage.PARITY),
                "onnxruntime 1.20.1": result(Stage.DECODE, Status.FAILS, "the same there"),
            },
        )
    )
    for words in (
        "torchscript-17-pair-keep-cross-numpy: fails at decode\n  cannot be reshaped",
        "node: name node_Reshape_17, op type Reshape, graph decoder_with_past",
        "finding: frozen-axis: axis 2 of logits is 4",
        "the same artifact in onnx.reference: works",
        "the same artifact in onnxruntime 1.20.1: fails at decode: the same there",
        "peak memory: 123 MB",
        "\n  line 3\n",
        "log: /store/logs/a.log",
        "cause: runtime, likely\n    onnxruntime 1.16.3 in 2.1.2-4.46.3-1.16.2-1.16.3 fails at decode: cannot be",
        "    onnx.reference runs the same artifact correctly\n",
        "    to settle it: an onnxruntime that runs the artifact\n",
    ):
        assert words in text


def test_what_works_needs_few_words():
    works = VariantVerdict(variant=PAIR, status=Status.WORKS, results=(result(Stage.PARITY, max_abs_diff=2e-7),))
    assert told(works).endswith("torchscript-17-pair-keep-cross-numpy: works, largest difference from PyTorch 2.0e-07\n")
