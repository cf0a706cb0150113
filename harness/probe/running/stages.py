"""The stages load, decode and parity of each run, in whichever runtime: every step compared with the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple

import numpy as np

from ..artifact import Case, Reference, read_json
from ..compare import constant_offset, difference, mismatch
from ..failures import NotRun, ProbeFailure, ProbeModuleError
from ..findings import Findings, finding
from ..journal import Journal, StageScope
from ..messages import said
from ..protocol import Pairs, Probe, RequestedVariant, Step
from ..runtime import CallFailure, Graph, Runtime, array_of
from .interface import Interface, Roles
from .watch import Watched


class Decoded(NamedTuple):
    """What one run of a case gave, by step; arrays, and only of what is to be compared."""

    case: Case
    start: str
    steps: list[Step]

    def name(self) -> str:
        """Return the words by which messages refer to this run."""
        return f"case {self.case.name}" + (f", started with {self.start}" if self.start else "")


def run_one(one: Mapping[str, Any], probe: Probe, runtime: Runtime, journal: Journal) -> None:
    """Run one entry of a job."""
    subject: str = one["id"]
    folder = Path(one["artifact"])
    with journal.stage("load", subject) as stage:
        manifest = read_json(folder / "manifest.json")
        reference = Reference.read(Path(one["reference"]))
        findings: Findings = []
        variant = RequestedVariant({**manifest["variant"], **one}, findings)
        starts = probe.starts(variant)
        stage.data["findings"] = runtime.lint(manifest)
        graphs = Roles(
            {
                role: Watched(
                    _load(runtime, role, folder / graph["file"], one["binding"]),
                    role,
                    graph,
                    findings,
                    Interface(role, manifest, reference.cases),
                )
                for role, graph in manifest["graphs"].items()
            }
        )
    if not stage.works:
        return
    with journal.stage("decode", subject) as stage:
        stage.data["findings"] = findings
        runs = [Decoded(case, start, []) for start in starts for case in reference.cases]
        _run_all(runs, lambda run: probe.run(graphs, run.case, variant, run.start), stage)
    if not stage.works:
        return
    with journal.stage("parity", subject) as stage:
        stage.data["findings"] = []
        _compare_all(probe, runs, reference, stage, _returned(manifest))


def _load(runtime: Runtime, role: str, path: Path, binding: str) -> Graph:
    try:
        return runtime.load(path, binding)
    except NotRun as exc:
        raise NotRun(f"{role}: {exc}") from exc
    except Exception as exc:
        raise ProbeFailure(f"{role}: {said(exc)}", exc) from exc


def _run_all(runs: list[Decoded], begin: Callable[[Decoded], Iterator[Step]], stage: StageScope) -> None:
    """Take the steps of all `runs`; `begin` starts one.

    A start that fails does not stop the next: `stage.data["starts"]` says of each whether it works. The first failure
    is the one that is raised, and `stage.data` tells how far its start got and in which node it ended.
    """
    failures: dict[str, tuple[ProbeFailure, dict[str, Any]]] = {}
    done: dict[str, int] = {}
    for run in runs:
        if run.start in failures:
            continue
        data: dict[str, Any] = {"start": run.start, "case": run.case.name}
        try:
            _take_steps(run, begin(run), data)
        except ProbeFailure as exc:
            failures[run.start] = (exc, data)
        done[run.start] = data["steps_done"] = done.get(run.start, 0) + len(run.steps)
    stage.data["starts"] = {start: "fails" if start in failures else "works" for start in done}
    for failure, data in failures.values():
        stage.data.update(data)
        raise failure
    stage.data.update(cases=len({run.case.name for run in runs}), decodings=len(runs), steps=sum(done.values()))


def _take_steps(run: Decoded, steps: Iterator[Step], data: dict[str, Any]) -> None:
    """Take all `steps` into `run`; `data` is kept at where it is."""
    for number, expected in enumerate(run.case.expected):
        data["step"] = number
        try:
            step = next(steps, None)
        except NotRun as exc:
            raise NotRun(f"{run.name()}, step {number}: {exc}") from exc
        except ProbeFailure as exc:
            data["node"] = exc.node if isinstance(exc, CallFailure) else None
            raise ProbeFailure(f"{run.name()}, step {number}: {exc}", exc.original) from exc
        if step is None:
            message = f"{run.name()}: run() ended after {number} of {len(run.case.expected)} steps"
            raise ProbeModuleError(message)
        outputs = {name: array_of(step.outputs[name]) for name in expected if name in step.outputs}
        run.steps.append(Step(outputs, step.wrong))


def _compare_all(probe: Probe, decoded: list[Decoded], reference: Reference, stage: StageScope, returned: set[str]) -> None:
    """Raise ProbeFailure for the first output that differs; `stage.data` describes all of them.

    `returned` are the outputs that the graphs have, whether or not the probe yields them.
    """
    steps = [(one, number, step) for one in decoded for number, step in enumerate(one.steps)]
    gaps: list[float | None] = []
    pairs: Pairs = []
    for one, number, step in steps:
        expected, ignored = one.case.expected[number], one.case.ignored[number]
        comparable = {name for name, array in step.outputs.items() if array.shape == expected[name].shape}
        gaps += [
            difference(step.outputs[name], expected[name], ignored.get(name)) if name in comparable else None
            for name in expected
        ]
        if comparable == set(expected):
            pairs.append((step.outputs, expected))
    stage.data.update(probe.measure(pairs))
    finite = [gap for gap in gaps if gap is not None]
    stage.data.update(
        max_abs_diff=max(finite) if len(finite) == len(gaps) else None,
        compared=len(pairs),
        steps=len(steps),
        cases=len(reference.cases),
        tolerance=reference.tolerance,
    )
    for name in {name for outputs, _ in pairs for name in outputs}:
        both = [(actual[name], expected[name]) for actual, expected in pairs if name in actual]
        if constant_offset(both, reference.tolerance):
            largest = float(np.abs(both[0][0].astype(np.float64) - both[0][1]).max())
            message = f"{name} differs by the same amounts everywhere, up to {largest:.3g}: a bias was dropped or changed"
            stage.data["findings"].append(finding("constant-offset", message, name))
    for one, number, step in steps:
        problem = _problem(one.case, number, step, reference.tolerance, returned)
        if problem:
            raise ProbeFailure(f"{one.name()}, step {number}: {problem}")


def _returned(manifest: Mapping[str, Any]) -> set[str]:
    return {value["name"] for graph in manifest["graphs"].values() for value in graph["outputs"]}


def _problem(case: Case, number: int, step: Step, tolerance: Mapping[str, float], returned: set[str]) -> str | None:
    for name, expected in case.expected[number].items():
        if name not in step.outputs and name in returned:
            raise ProbeModuleError(f"case {case.name}, step {number}: run() yields no {name}, which the graphs return")
        if name not in step.outputs:
            return f"the graphs return no {name}"
        problem = mismatch(step.outputs[name], expected, tolerance, case.ignored[number].get(name))
        if problem:
            return f"{name}: {problem}"
    return step.wrong
