"""Whether a failure repeats. One that does not is chance, and no fact about versions.

docs/design.md ("Stages, and what is a fact") says what is repeated, how often, and what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.model import Failure, Stage, StageResult, Status
from harness.tasks.interface import ProbeOutput, Subject
from harness.tasks.repetitions import TIMES_IF_CHANCE, FailurePlace, Repeated
from harness.verdicts import process_findings
from harness.verdicts.signature import failure_kind, first_failure, shared_words


@dataclass(frozen=True, kw_only=True, slots=True)
class Processes:
    """The processes that tell how the failures of a first one are to be taken."""

    again: Callable[[Collection[Subject]], ProbeOutput]
    """Repeats these subjects, and no others, one after another in a fresh process."""
    anew: Callable[[], ProbeOutput]
    """Does what the first process did, in the same way: a fork if that was one, and all subjects."""
    mended: Callable[[], bool]
    """Looks for damaged bytecode, removes it, and returns whether there was any: then the first process proves nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What became of the failures of a process."""

    damaged: bool = False
    """Whether the process must be run once more because its bytecode was damaged."""
    dependent: Mapping[Subject, StageResult] = field(default_factory=dict)
    """Failures in processes like the first, one of which is none in a process of its own; the others are not settled."""


_ROUNDS = 100
"""Repetitions of one process. Each settles something; that they come to an end must not rest on that."""


def settle(
    output: ProbeOutput,
    places: Mapping[Subject, FailurePlace],
    repeated: Repeated,
    processes: Processes,
    *,
    apart: Collection[Subject] = frozenset({None}),
) -> Settled:
    """Repeat the failures in `output`, and replace those that do not repeat.

    `places` has each subject that may fail. What is `apart` has no other subject before it in its process.
    """
    repetition = _Repetition(output=output, places=places, repeated=repeated, apart=apart)
    for _ in range(_ROUNDS):
        if not (subjects := repetition.open):
            return Settled()
        second = processes.again(list(subjects))
        outcomes = repetition.outcomes(second)
        if any(results[-1].status is not Status.FAILS for results in outcomes.values()) and processes.mended():
            return Settled(damaged=True)
        doubtful = repetition.note(outcomes, second)
        if doubtful and repetition.depends(doubtful, processes.anew()):
            return Settled(dependent=repetition.failures)
    raise RuntimeError(f"its failures did not settle in {_ROUNDS} repetitions: {sorted(map(str, repetition.open))}")


@dataclass(kw_only=True, slots=True)
class _Repetition:
    """The failures of one process, and how often each has repeated."""

    output: ProbeOutput
    places: Mapping[Subject, FailurePlace]
    repeated: Repeated
    apart: Collection[Subject]
    first: dict[Subject, Sequence[StageResult]] = field(init=False)
    """Subject → its results that must repeat, with the words that its repetitions shared."""
    open: dict[Subject, int] = field(init=False)
    """Subject that is still to be repeated → how often it was."""
    own: set[Subject] = field(init=False)
    """Subjects whose `first` is of a process like those that repeat it: started for it, with nothing before it."""
    proved: set[tuple[Stage, str]] = field(default_factory=set)
    """Kinds of failures that have repeated with nothing before them."""

    def __post_init__(self) -> None:
        self.first = {subject: results for subject, results in self.output.results.items() if subject in self.places}
        self.open = {subject: 0 for subject in self.first if self._needs_repetition(subject)}
        self.own = set() if self.output.forked else self._leading(self.output)

    def _needs_repetition(self, subject: Subject) -> bool:
        results, place = self.first[subject], self.places[subject]
        if all(result.status is not Status.FAILS for result in results):
            return False
        for known in self.repeated.worded(place, first_failure(results)):
            alike = compared(results, [known])
            if failure_kind(first_failure(alike)) == failure_kind(known):
                self.first[subject] = self.output.results[subject] = alike
                break
        now = first_failure(self.first[subject])
        return not self.repeated.is_known(place, failure_kind(now), now)

    def _leading(self, output: ProbeOutput) -> set[Subject]:
        """The subjects that had no other one before them in their process."""
        others = [subject for subject in output.results if subject not in self.apart]
        return {*self.apart, *others[:1]}

    def outcomes(self, second: ProbeOutput) -> dict[Subject, list[StageResult]]:
        """Subject → its results after this repetition, for those that it reached; all are errors if it reached none."""
        ends = {subject: end for subject in self.open if (end := _end(second, subject))} or dict.fromkeys(self.open, _NOTHING)
        return {subject: compared(self.first[subject], end) for subject, end in ends.items()}

    def note(self, outcomes: Mapping[Subject, list[StageResult]], second: ProbeOutput) -> list[Subject]:
        """Take over the outcomes of a repetition; returns the subjects that work there, and failed under other conditions."""
        leading, doubtful = self._leading(second), []
        for subject, results in outcomes.items():
            end = _end(second, subject)
            works, fails = all(result.ok for result in end), any(result.status is Status.FAILS for result in end)
            if subject in self.own or not (works or fails) or results == list(self.first[subject]):
                self._take(subject, results)
            elif works or subject not in second.results:
                # The process as a whole ended before this one: a process like the first says whether that is chance.
                doubtful.append(subject)
            elif subject in leading:
                # What it does in a process of its own is to be repeated instead.
                self.first[subject] = self.output.results[subject] = list(end)
                self.open[subject] = 0
                self.own.add(subject)
        for subject in outcomes:
            if subject not in doubtful:
                self._close_if_settled(subject, leads=subject in leading)
        return doubtful

    def depends(self, doubtful: Collection[Subject], anew: ProbeOutput) -> bool:
        """Whether one of the `doubtful` fails again in a process like the first; with the others it is chance."""
        found = False
        for subject in doubtful:
            results = compared(self.first[subject], _end(anew, subject) or _NOTHING)
            if results[-1].status is Status.FAILS:
                found = True
            else:
                self._take(subject, results)
                self._close_if_settled(subject, leads=True)
        return found

    @property
    def failures(self) -> dict[Subject, StageResult]:
        """Those that are not settled."""
        return {subject: first_failure(self.first[subject]) for subject in self.open}

    def _take(self, subject: Subject, results: list[StageResult]) -> None:
        self.open[subject] += 1
        self.output.results[subject] = results
        if results[-1].status is Status.FLAKY:
            self.repeated.chance.add(failure_kind(first_failure(self.first[subject])))

    def _close_if_settled(self, subject: Subject, *, leads: bool) -> None:
        """Repeat `subject` no more if it did not fail alike, or has failed alike often enough, with nothing before it."""
        results = self.output.results[subject]
        if results[-1].status is not Status.FAILS:
            del self.open[subject]
            return
        # The next repetition is compared with the words that were shared so far.
        self.first[subject], kind = results, failure_kind(first_failure(results))
        if leads and self.open[subject]:
            self.own.add(subject)
        if self.open[subject] < max(self.repeated.times(kind), times(results)):
            return
        if leads:
            self.proved.add(kind)
        if kind in self.proved:
            del self.open[subject]
            self.repeated.note(self.places[subject], kind, results[-1])


def times(results: Sequence[StageResult]) -> int:
    """How often a failure must repeat at least: the same words hardly come twice by chance, another failure does."""
    error = results[-1].error
    return TIMES_IF_CHANCE if error and error.shared else 1


def compared(first: Sequence[StageResult], second: Sequence[StageResult]) -> list[StageResult]:
    """The results of a failing subject after its repetition, which ended as `second`."""
    failed = first_failure(first)
    again = next((result for result in second if not result.ok), None)
    before = [result for result in first if result.ok]
    if again is not None and again.status is Status.ERROR:
        return [*before, replace(again, stage=failed.stage, error=_unrepeated(failed, again))]
    if again is not None and again.status is Status.FAILS and again.stage is failed.stage:
        worded = _worded(failed, again)
        return list(first) if failure_kind(worded) == failure_kind(failed) else [*before, worded]
    stage = min((failed.stage, again.stage if again else failed.stage), key=lambda stage: stage.number)
    ends = [_text(failed), _text(again) if again else Status.WORKS.value]
    logs = [result.log for result in (failed, *second[-1:]) if result.log]
    return [
        *(result for result in before if result.stage.number < stage.number),
        replace(failed, stage=stage, status=Status.FLAKY, data={**failed.data, "outcomes": ends, "logs": logs}),
    ]


def _worded(failed: StageResult, again: StageResult) -> StageResult:
    """`failed`, which came again with another message."""
    assert failed.error is not None
    assert again.error is not None
    worded = replace(failed, error=replace(failed.error, shared=shared_words(failed.error, again.error)))
    return process_findings.words_vary(worded, again)


_NOTHING = (
    StageResult(
        stage=Stage.IMPORT,
        status=Status.ERROR,
        error=Failure(type="repetition", message="the process ended before it came to this"),
    ),
)
"""The end of every subject in a repetition that gave no result for any of them."""


def _end(output: ProbeOutput, subject: Subject) -> Sequence[StageResult]:
    """How `subject` ended in its repetition; empty if the process ended in another subject before it reached this one."""
    process = output.results.get(None, [])
    return output.results.get(subject) or ([] if all(result.ok for result in process) else process)


def _text(result: StageResult) -> str:
    why = result.error.message if result.error else result.data.get("reason", "")
    return f"{result.status.value} at {result.stage.value}: {why}"


def _unrepeated(failed: StageResult, again: StageResult) -> Failure:
    why = again.error or Failure(type="error", message="no reason was given")
    return replace(why, message=f"{_text(failed)}; whether that repeats is not known: {why.message}")
