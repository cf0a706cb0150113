"""The run job: each artifact through onnxruntime, every logit compared with the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ..artifact import Case, Reference, read_json
from ..compare import difference, mismatch
from ..failures import ProbeFailure
from ..journal import Journal, Stage
from .decode import Feedback, Graphs, Start, decode, starts
from .session import Graph


class Decoded(NamedTuple):
    """The logits that one decoding gave, by step."""

    case: Case
    start: Start
    logits: list[Any]

    def name(self) -> str:
        """Return the words by which messages refer to this decoding."""
        return f"case {self.case.name}, started with {self.start.name}"


def run(job: dict[str, Any], journal: Journal) -> None:
    """Run the stages `load`, `decode` and `parity` for each of `job["runs"]`."""
    for one in job["runs"]:
        _run_one(one, journal)


def _run_one(one: dict[str, Any], journal: Journal) -> None:
    subject: str = one["id"]
    folder = Path(one["artifact"])
    with journal.stage("load", subject) as stage:
        manifest = read_json(folder / "manifest.json")
        graphs = {role: _load(role, folder / graph["file"]) for role, graph in manifest["graphs"].items()}
    if not stage.works:
        return
    with journal.stage("decode", subject) as stage:
        reference = Reference.read(Path(one["reference"]))
        decoded = _decode_all(one, manifest, graphs, reference, stage)
    if not stage.works:
        return
    with journal.stage("parity", subject) as stage:
        _compare_all(decoded, reference, stage)


def _load(role: str, path: Path) -> Graph:
    try:
        return Graph(path)
    except Exception as exc:
        message = f"{role}: {exc}"
        raise ProbeFailure(message, exc) from exc


def _decode_all(
    one: dict[str, Any], manifest: dict[str, Any], graphs: Graphs, reference: Reference, stage: Stage
) -> list[Decoded]:
    """Decode every case from every start. On a failure `stage.data` tells how far it got."""
    results = []
    steps_done = 0
    for case in reference.cases:
        for start in starts(one["layout"]):
            result = Decoded(case, start, [])
            feedback = Feedback(one["feedback"])
            steps = decode(graphs, one["layout"], manifest["cache"], case, start=start, feedback=feedback)
            for step in case.steps():
                stage.data.update(case=case.name, start=start.name, step=step, steps_done=steps_done)
                try:
                    result.logits.append(next(steps))
                except ProbeFailure as exc:
                    message = f"{result.name()}, step {step}: {exc}"
                    raise ProbeFailure(message, exc.original) from exc
                steps_done += 1
            results.append(result)
    stage.data.clear()
    stage.data.update(cases=len(reference.cases), decodings=len(results), steps=steps_done)
    return results


def _compare_all(decoded: list[Decoded], reference: Reference, stage: Stage) -> None:
    """Raise ProbeFailure for the first step that differs; `stage.data` describes all of them."""
    pairs = [(one, step, array, one.case.logits(step)) for one in decoded for step, array in enumerate(one.logits)]
    differences = [difference(array, truth) for _, _, array, truth in pairs if array.shape == truth.shape]
    finite = [value for value in differences if value is not None]
    stage.data.update(
        max_abs_diff=max(finite) if finite and len(finite) == len(differences) else None,
        steps=len(pairs),
        cases=len(reference.cases),
        tolerance=reference.tolerance,
    )
    for one, step, array, truth in pairs:
        problem = mismatch(array, truth, reference.tolerance)
        if problem:
            raise ProbeFailure(f"logits of {one.name()}, step {step}: {problem}")
