"""The stages load, decode and parity of a run, in any runtime: every step is compared with the reference."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Sequence

import numpy as np

from ..artifact import Case, Reference, read_json
from ..compare import constant_offset, difference, mismatch
from ..findings import Findings, finding
from ..journal import Journal, StageScope
from ..messages import sentence
from ..outcome import NotRun, ProbeFailure, ProbeModuleError
from ..protocol import Pairs, Probe, RequestedVariant, Step
from ..runtime import CallFailure, Graph, RunnerError, Runtime, array_of
from ..wire import RunRequest
from .graph_names import GraphNames, by_role, returned_names
from .watched_graph import WatchedGraph


class CaseRun(NamedTuple):
    """The steps of one case from one start: arrays, and only the outputs that are compared."""

    case: Case
    start: str
    steps: list[Step]

    def name(self) -> str:
        """Return the name of this run in messages."""
        return f"case {self.case.name}" + (f", started with {self.start}" if self.start else "")


def run_artifact(request: RunRequest, probe: Probe, runtime: Runtime, journal: Journal) -> None:
    """Run one variant of a job."""
    subject, folder = request["id"], Path(request["artifact"])
    with journal.stage("load", subject) as stage, _work(runtime, last=False):
        manifest = read_json(folder / "manifest.json")
        reference = Reference.read(Path(request["reference"]))
        findings: Findings = []
        variant = RequestedVariant({**manifest["variant"], **request}, findings)
        starts = probe.starts(variant)
        stage.data["findings"] = runtime.lint(manifest)
        graphs = {}
        for role, graph in manifest["graphs"].items():
            loaded = _load(runtime, role, folder / graph["file"], request)
            _require_known(loaded.inputs, graph, role)
            graphs[role] = WatchedGraph(loaded, graph, findings, GraphNames(role, manifest, reference.cases))
    if not stage.works:
        return
    with journal.stage("decode", subject) as stage, _work(runtime, last=True):
        stage.data["findings"] = findings
        runs = [CaseRun(case, start, []) for start in starts for case in reference.cases]
        _run_all(runs, lambda run: probe.run(by_role(graphs), run.case, variant, run.start), stage)
    if not stage.works:
        return
    with journal.stage("parity", subject) as stage:
        stage.data["findings"] = []
        _compare_all(probe, runs, reference, stage)
        _require_equal(runs, reference.tolerance, returned_names(manifest))


@contextlib.contextmanager
def _work(runtime: Runtime, *, last: bool) -> Iterator[None]:
    """Have a stage that fails, or is the last one in `runtime`, release what is held: no fault is left for the next variant."""
    try:
        yield
    except BaseException:
        # The first failure is that of the stage.
        with contextlib.suppress(ProbeFailure, RunnerError):
            runtime.release()
        raise
    if last:
        runtime.release()


def _load(runtime: Runtime, role: str, path: Path, request: RunRequest) -> Graph:
    try:
        return runtime.load(path, request["binding"], request["session"])
    except NotRun as exc:
        raise NotRun(f"{role}: {exc}") from exc
    except RunnerError:
        raise
    except Exception as exc:
        raise ProbeFailure(f"{role}: {sentence(exc)}", exc) from exc


def _require_known(inputs: Sequence[str], graph: Mapping[str, Any], role: str) -> None:
    """Raise RunnerError if the runtime reports inputs that the graph does not have. Weights may be inputs in its file alone."""
    unknown = [name for name in inputs if name not in {value["name"] for value in graph["inputs"]}]
    if unknown:
        message = f"{role}: the runtime reports inputs that the graph does not have: {', '.join(unknown)}"
        raise RunnerError(message)


def _run_all(runs: list[CaseRun], begin: Callable[[CaseRun], Iterator[Step]], stage: StageScope) -> None:
    """Take the steps of all `runs`; `begin` starts one.

    A start that fails does not stop the next one; `stage.data["starts"]` has the status of each. The first failure is raised:
    `stage.data` says how far its start came, and in which node it ended.
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


def _take_steps(run: CaseRun, steps: Iterator[Step], data: dict[str, Any]) -> None:
    """Take all `steps` into `run`; `data` describes the current step."""
    for number, expected in enumerate(run.case.expected):
        data["step"] = number
        try:
            step = next(steps, None)
            outputs = {} if step is None else {name: array_of(step.outputs[name]) for name in expected if name in step.outputs}
        except NotRun as exc:
            raise NotRun(f"{run.name()}, step {number}: {exc}") from exc
        except ProbeFailure as exc:
            data["node"] = exc.node if isinstance(exc, CallFailure) else None
            raise ProbeFailure(f"{run.name()}, step {number}: {exc}", exc.original) from exc
        if step is None:
            message = f"{run.name()}: run() ended after {number} of {len(run.case.expected)} steps"
            raise ProbeModuleError(message)
        run.steps.append(Step(outputs, step.wrong))


def _compare_all(probe: Probe, runs: list[CaseRun], reference: Reference, stage: StageScope) -> None:
    """Record in `stage.data` how the outputs of all steps compare."""
    gaps: list[float | None] = []
    pairs: Pairs = []
    for run in runs:
        for step, expected, ignored in zip(run.steps, run.case.expected, run.case.ignored):
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
        steps=sum(len(run.steps) for run in runs),
        cases=len(reference.cases),
        tolerance=reference.tolerance,
    )
    for name in {name for outputs, _ in pairs for name in outputs}:
        both = [(actual[name], expected[name]) for actual, expected in pairs if name in actual]
        if constant_offset(both, reference.tolerance):
            largest = float(np.abs(both[0][0].astype(np.float64) - both[0][1]).max())
            message = f"{name} differs by the same amounts everywhere, up to {largest:.3g}: a bias was dropped or changed"
            stage.data["findings"].append(finding("constant-offset", message, name))


def _require_equal(runs: list[CaseRun], tolerance: Mapping[str, float], returned: set[str]) -> None:
    """Raise ProbeFailure for the first output that differs. `returned`: outputs of the graphs, yielded by the probe or not."""
    for run in runs:
        for number, step in enumerate(run.steps):
            problem = _problem(run.case, number, step, tolerance, returned)
            if problem:
                raise ProbeFailure(f"{run.name()}, step {number}: {problem}")


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
