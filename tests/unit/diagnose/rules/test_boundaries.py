"""Which trials between the two sides of a boundary say something of the rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest
from values import PAIR, PINS, PYTHON, report, reported_cell, reported_variant, result

from harness.diagnose.rules import boundaries
from harness.diagnose.rules.rules import find
from harness.environments import published_versions
from harness.environments.resolved import Resolved
from harness.locked import Lock, LockedDistribution
from harness.matrix.plan import Planned
from harness.model import Cell, Failure, Setup, Stage, StageResult, Status
from harness.verdicts.judge import VariantVerdict, Verdict
from harness.verdicts.report_schema import ReportedCell
from harness.verdicts.signature import signature

OLD, NEW = "1.26.4", "2.4.6"
NUMPY = "import onnxruntime: A module that was compiled using NumPy 1.x cannot be run in NumPy 2"
WORKS = result(Stage.PARITY)
Trial = tuple[StageResult, str]
"""How it ends, and the numpy of its lock."""


def failing(stage: Stage, message: str) -> StageResult:
    return StageResult(stage=stage, status=Status.FAILS, error=Failure(type="ProbeFailure", message=message))


def cell(runtime: str, end: StageResult, numpy: str, setup: Setup = Setup.TOGETHER, **pins: str) -> ReportedCell:
    given = {"error": end.error.message, "signature": signature(end.stage, end.error)} if end.error else {}
    stage = end.stage if end.error else None
    one = reported_variant(end.status, stage, strategy="cached", attention="default", **given)
    made = reported_cell(one, status=end.status, onnxruntime=runtime, **pins)
    return replace(made, environment=setup, resolved={**made.pins, "numpy": numpy})


class FakeExtraCells:
    """Answers from a function of the onnxruntime."""

    def __init__(self, trial: Callable[[str], Trial], *, acts: bool) -> None:
        self._trial, self.acts = trial, acts

    def verdicts(self, planned: Sequence[Planned]) -> list[Verdict]:
        (one,) = planned
        version = str(one.cell.version("onnxruntime"))
        end, numpy = self._trial(version)
        pinned = {"numpy": numpy, "onnxruntime": version}
        lock = Lock(distributions=tuple(LockedDistribution(name=name, version=held) for name, held in pinned.items()))
        resolved = Resolved(planned=one, interpreter=PYTHON, result=result(Stage.RESOLVE), export=lock, run=lock)
        variant = VariantVerdict(variant=one.variants[0], status=end.status, results=(end,))
        return [Verdict(resolved=resolved, status=end.status, variants=(variant,))]


def closed(monkeypatch, cells: Sequence[ReportedCell], between: Sequence[str], trial: Callable[[str], Trial]):
    """(text of the one rule about `cells` once it is closed, what was tried on onnxruntime's boundary)."""
    rules, _ = find(cells, ["python", *PINS])
    asked = []
    for one in cells:
        planned = Cell(id=one.id, python=one.python, pins=tuple(one.pins.items()), setup=one.environment)
        prepared = Planned(cell=planned, variants=(PAIR,))
        asked.append((SimpleNamespace(cell=planned, interpreter=PYTHON, planned=prepared), None))
    monkeypatch.setattr(boundaries, "ExtraCells", lambda *_given, acts, **_named: FakeExtraCells(trial, acts=acts))
    published = {"onnxruntime": list(between)}
    monkeypatch.setattr(published_versions, "between", lambda name, *_given, **_named: published.get(name))
    uv = SimpleNamespace(offline=False)
    session = SimpleNamespace(
        cells=asked,
        answers=None,
        uv=uv,
        provider=lambda _, python: (uv, python),
        deadline=float("inf"),
        extra_cells=SimpleNamespace(unanswered=set()),
        note=print,
    )
    acting, axes = FakeExtraCells(trial, acts=True), frozenset({"onnxruntime"})
    (rule,) = boundaries.closed(replace(report(*cells), rules=rules), session, acting, axes=axes).rules
    (boundary,) = [one for one in rule.boundaries if one.name == "onnxruntime"]
    return rule.text, {one.version: one.outcome for one in boundary.tried}


BETWEEN = ["1.17.3", "1.18.0", "1.18.1"]


def test_a_lock_without_the_rules_transitive_version_says_nothing(monkeypatch):
    places = [("1.14.0", "4.40.0", NEW), ("1.15.0", "4.40.0", OLD), ("1.14.0", "4.41.0", OLD), ("1.15.0", "4.41.0", NEW)]
    cells = [
        cell(
            runtime,
            failing(Stage.IMPORT, NUMPY) if numpy == NEW and runtime == "1.16.3" else WORKS,
            numpy,
            onnx=onnx,
            transformers=tf,
        )
        for onnx, tf, numpy in places
        for runtime in ("1.16.3", "1.20.1")
    ]

    def trial(runtime: str) -> Trial:
        return (WORKS, OLD) if runtime == "1.18.1" else (failing(Stage.IMPORT, NUMPY), NEW)

    told, tried = closed(monkeypatch, cells, BETWEEN, trial)
    assert told == "numpy≥2.4.6 ∧ onnxruntime<1.20.1 → import"
    assert tried == {"1.18.0": "fails", "1.18.1": "resolves to numpy 1.26.4"}


def runtimes(failed: StageResult, setup: Setup = Setup.TOGETHER, works: StageResult = WORKS) -> list[ReportedCell]:
    return [cell("1.16.3", failed, NEW, setup), cell("1.20.1", works, NEW, setup)]


@pytest.mark.parametrize("newer_works", [True, False])
@pytest.mark.parametrize("older", range(9))
def test_each_trial_is_in_the_middle_of_what_is_left(monkeypatch, newer_works, older):
    between = [f"1.17.{patch}" for patch in range(8)]
    old, new = (failing(Stage.IMPORT, NUMPY), WORKS)[:: 1 if newer_works else -1]
    _, tried = closed(
        monkeypatch,
        runtimes(old, works=new),
        between,
        lambda runtime: (new if runtime in between[older:] or runtime > "1.2" else old, NEW),
    )
    left, expected = between, []
    while left:
        middle = len(left) // 2
        expected.append(left[middle])
        left = left[:middle] if left[middle] in between[older:] else left[middle + 1 :]
    assert list(tried) == expected


@pytest.mark.parametrize(
    ("failed", "other", "outcome"),
    [
        # The same package, the same operator, the same class: worded anew, as packages do.
        (failing(Stage.IMPORT, NUMPY), failing(Stage.IMPORT, "import onnxruntime: it needs another NumPy"), "fails"),
        (
            failing(Stage.LOAD, "Op (Concat) [ShapeInferenceError] axis must be in [-rank, rank-1]"),
            failing(Stage.LOAD, "Op (Concat) [ShapeInferenceError] axis must be in [-r, r-1]"),
            "fails",
        ),
        # Faults that no cell has.
        (failing(Stage.IMPORT, NUMPY), failing(Stage.IMPORT, "import torch: libgomp.so.1"), "fails in another way at import"),
        (
            failing(Stage.LOAD, "Op (Concat) [ShapeInferenceError] axis must be in [-rank, rank-1]"),
            failing(Stage.LOAD, "Op (Gemm) [ShapeInferenceError] First input does not have rank 2"),
            "fails in another way at load",
        ),
    ],
)
def test_a_fault_of_another_kind_is_not_the_rules(monkeypatch, failed, other, outcome):
    told, tried = closed(
        monkeypatch, runtimes(failed), ["1.18.0"], lambda runtime: (other if runtime == "1.18.0" else failed, NEW)
    )
    assert (told, tried) == (f"onnxruntime<1.20.1 → {failed.stage}", {"1.18.0": outcome})


@pytest.mark.parametrize(("setup", "outcome"), [(Setup.HANDOFF, "fails at export"), (Setup.TOGETHER, "passes")])
def test_a_run_side_that_was_not_tried_has_not_passed(monkeypatch, setup, outcome):
    failed = failing(Stage.IMPORT, NUMPY)
    early = failing(Stage.EXPORT, "boom")
    _, tried = closed(
        monkeypatch, runtimes(failed, setup), ["1.18.0"], lambda runtime: (early if runtime == "1.18.0" else failed, NEW)
    )
    assert tried == {"1.18.0": outcome}
