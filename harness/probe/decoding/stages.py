"""The stages load, decode and parity of each run, in whichever runtime: every step compared with the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, Mapping, NamedTuple

from ..artifact import Case, Reference, read_json
from ..compare import difference, greedy, mismatch
from ..failures import NotRun, ProbeFailure
from ..findings import Findings
from ..journal import Journal, Stage
from .graph import CallFailure, Graph, Runtime
from .loop import Graphs, Step, decode
from .protocol import Protocol, Start
from .watch import Watched


class Decoded(NamedTuple):
    """What one decoding gave, by step."""

    case: Case
    start: Start
    steps: list[Step]

    def name(self) -> str:
        """Return the words by which messages refer to this decoding."""
        return f"case {self.case.name}, started with {self.start.name}"


def run_one(one: Mapping[str, Any], runtime: Runtime, journal: Journal) -> None:
    """Run one entry of a job. Its optional `cases` names the cases to run; without it all are."""
    subject: str = one["id"]
    folder = Path(one["artifact"])
    with journal.stage("load", subject) as stage:
        protocol = Protocol.of(one)
        manifest = read_json(folder / "manifest.json")
        stage.data["findings"] = runtime.lint(manifest)
        findings: Findings = []
        graphs = {
            role: Watched(_load(runtime, role, folder / graph["file"], one["binding"]), role, graph, findings)
            for role, graph in manifest["graphs"].items()
        }
    if not stage.works:
        return
    with journal.stage("decode", subject) as stage:
        stage.data["findings"] = findings
        reference = Reference.read(Path(one["reference"])).only(one.get("cases"))
        decoded = _decode_all(protocol, manifest["cache"], graphs, reference, stage)
    if not stage.works:
        return
    with journal.stage("parity", subject) as stage:
        stage.data["findings"] = []
        _compare_all(decoded, reference, stage)


def _load(runtime: Runtime, role: str, path: Path, binding: str) -> Graph:
    try:
        return runtime.load(path, binding)
    except NotRun as exc:
        raise NotRun(f"{role}: {exc}") from exc
    except Exception as exc:
        raise ProbeFailure(f"{role}: {exc}", exc) from exc


def _decode_all(
    protocol: Protocol, cache: Mapping[str, Any], graphs: Graphs, reference: Reference, stage: Stage
) -> list[Decoded]:
    """Decode every case from every start.

    A start that fails does not stop the next: `stage.data["starts"]` says of each whether it works. The first failure
    is the one that is raised, and `stage.data` tells how far its start got and in which node it ended.
    """
    results: list[Decoded] = []
    failures: list[tuple[ProbeFailure, dict[str, Any]]] = []
    verdicts: dict[str, str] = {}
    stage.data["starts"] = verdicts
    for start in protocol.starts():
        data: dict[str, Any] = {"start": start.name, "steps_done": 0}
        verdicts[start.name] = "works"
        try:
            for case in reference.cases:
                result = Decoded(case, start, [])
                results.append(result)
                _decode_one(result, decode(graphs, protocol, cache, case, start), data)
        except ProbeFailure as exc:
            verdicts[start.name] = "fails"
            failures.append((exc, data))
    if failures:
        first, data = failures[0]
        stage.data.update(data)
        raise first
    stage.data.update(cases=len(reference.cases), decodings=len(results), steps=sum(len(one.steps) for one in results))
    return results


def _decode_one(result: Decoded, steps: Iterator[Step], data: dict[str, Any]) -> None:
    """Take all `steps` into `result`; `data` is kept at how far its start has got."""
    for step in result.case.steps():
        data.update(case=result.case.name, step=step)
        try:
            result.steps.append(next(steps))
        except NotRun as exc:
            raise NotRun(f"{result.name()}, step {step}: {exc}") from exc
        except ProbeFailure as exc:
            data["node"] = exc.node if isinstance(exc, CallFailure) else None
            raise ProbeFailure(f"{result.name()}, step {step}: {exc}", exc.original) from exc
        data["steps_done"] += 1


def _compare_all(decoded: list[Decoded], reference: Reference, stage: Stage) -> None:
    """Raise ProbeFailure for the first step that differs; `stage.data` describes all of them.

    Tokens that differ while the logits agree are no failure: the two best logits are then closer than the tolerance.
    """
    pairs = [(one, number, step, one.case.logits(number)) for one in decoded for number, step in enumerate(one.steps)]
    comparable = [(step.logits, truth) for _, _, step, truth in pairs if step.logits.shape == truth.shape]
    finite = [value for value in (difference(*pair) for pair in comparable) if value is not None]
    stage.data.update(
        max_abs_diff=max(finite) if finite and len(finite) == len(pairs) else None,
        tokens_equal=len(comparable) == len(pairs) and all(greedy(logits) == greedy(truth) for logits, truth in comparable),
        steps=len(pairs),
        cases=len(reference.cases),
        tolerance=reference.tolerance,
    )
    for one, number, step, truth in pairs:
        problem = mismatch(step.logits, truth, reference.tolerance)
        if problem:
            raise ProbeFailure(f"logits of {one.name()}, step {number}: {problem}")
        if step.wrong:
            raise ProbeFailure(f"{one.name()}, step {number}: {step.wrong}")
