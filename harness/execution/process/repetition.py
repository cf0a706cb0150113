"""Whether a failure repeats: one that does not is chance, and no fact about versions.

A probe's failure (stages import … parity) is stored as `fails` only after a second process has failed at the same stage
with the same signature. That process is started for it (no fork server) and reads no cached bytecode. Everything that
failed in one process is repeated in one process. What ends otherwise is flaky: certain is only what both processes showed,
so a flaky result stands at the earlier of the two stages.

One repetition for each closure, artifact, stage and signature of a run is enough, unless the same signature was flaky
somewhere in that run: then a failure must repeat `TIMES_IF_CHANCE` times.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from harness.execution.process.probe import ProbeOutput
from harness.model import Failure, Stage, StageResult, Status
from harness.tasks.repetitions import Repeated
from harness.verdicts.signature import signature

Subject = str | None
"""What a result is about, as in `ProbeOutput`: a variant or an import; None is the process as a whole."""

Again = Callable[[Collection[Subject]], ProbeOutput]
"""Repeats these subjects, and no others, in a fresh process."""


def settle(
    told: ProbeOutput, places: Mapping[Subject, str], repeated: Repeated, again: Again, *, mended: Callable[[], bool]
) -> bool:
    """Repeat the failures in `told`, and replace those that do not repeat.

    `places` names the closure of each subject that may fail, and the artifact that it runs. `mended` looks for damaged
    bytecode where a failure does not repeat, removes it, and says whether there was any: then `told` proves nothing.

    Returns:
        False where the process of `told` must be run once more because its bytecode was damaged.
    """
    first = {subject: results for subject, results in told.results.items() if subject in places}
    open_ = [subject for subject, results in first.items() if _is_open(results, places[subject], repeated)]
    counts = dict.fromkeys(open_, 0)
    while open_:
        second = again(open_)
        ends = {subject: end for subject in open_ if (end := _end(second, subject))} or dict.fromkeys(open_, _NOTHING)
        verdicts = {subject: compared(first[subject], end) for subject, end in ends.items()}
        if any(one[-1].status is not Status.FAILS for one in verdicts.values()) and mended():
            return False
        for subject, results in verdicts.items():
            counts[subject] += 1
            told.results[subject] = results
            if results[-1].status is Status.FLAKY:
                repeated.chance.add(_kind(first[subject]))
        for subject in list(ends):
            if told.results[subject][-1].status is not Status.FAILS:
                open_.remove(subject)
            elif counts[subject] >= repeated.times(kind := _kind(first[subject])):
                open_.remove(subject)
                repeated.steady.add((places[subject], *kind))
    return True


def compared(first: Sequence[StageResult], second: Sequence[StageResult]) -> list[StageResult]:
    """The results of a failing subject after its repetition, which ended as `second`."""
    failed = next(one for one in first if not one.ok)
    again = next((one for one in second if not one.ok), None)
    before = [one for one in first if one.ok]
    if again is not None and again.status is Status.ERROR:
        return [*before, replace(again, stage=failed.stage, error=_unrepeated(failed, again))]
    if again is not None and again.status is Status.FAILS and _kind([again]) == _kind([failed]):
        return list(first)
    stage = min((failed.stage, again.stage if again else failed.stage), key=_ORDER.index)
    ends = [_text(failed), _text(again) if again else Status.WORKS.value]
    logs = [one.log for one in (failed, *second[-1:]) if one.log]
    return [
        *(one for one in before if _ORDER.index(one.stage) < _ORDER.index(stage)),
        replace(failed, stage=stage, status=Status.FLAKY, data={**failed.data, "outcomes": ends, "logs": logs}),
    ]


_ORDER = list(Stage)

_NOTHING = (
    StageResult(
        stage=Stage.IMPORT,
        status=Status.ERROR,
        error=Failure(type="repetition", message="the process ended before it came to this"),
    ),
)
"""Of a repetition that gave no result for any of its subjects."""


def _is_open(results: Sequence[StageResult], place: str, repeated: Repeated) -> bool:
    fails = any(one.status is Status.FAILS for one in results)
    return fails and not repeated.is_known(place, _kind(results))


def _end(told: ProbeOutput, subject: Subject) -> Sequence[StageResult]:
    """How `subject` ended in its repetition; empty where the process ended in another subject, before it came to this."""
    process = told.results.get(None, [])
    return told.results.get(subject) or ([] if all(one.ok for one in process) else process)


def _kind(results: Sequence[StageResult]) -> tuple[Stage, str]:
    failed = next(one for one in results if not one.ok)
    return failed.stage, signature(failed.stage, failed.error) if failed.error else ""


def _text(result: StageResult) -> str:
    why = result.error.message if result.error else result.data.get("reason", "")
    return f"{result.status.value} at {result.stage.value}: {why}"


def _unrepeated(failed: StageResult, again: StageResult) -> Failure:
    why = again.error or Failure(type="error", message="no reason was given")
    return replace(why, message=f"{_text(failed)}; whether that repeats is not known: {why.message}")
