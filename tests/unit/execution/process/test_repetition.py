"""Failures and their repetitions, on values."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from values import MERGED, PAIR, resolved, result, tasks_of

from harness.execution import worker
from harness.execution.process.probes import OnStage
from harness.execution.process.repetition import Processes, Settled, compared, settle
from harness.model import Failure, Limits, Stage, Status
from harness.probe.outcome import RunnerCrash
from harness.store.store import Store
from harness.tasks.interface import Batch, ProbeOutput, ProbeRequest, Workplace
from harness.tasks.records import Records
from harness.tasks.repetitions import TIMES_IF_CHANCE, FailurePlace, Repeated
from harness.verdicts.signature import signature

WORKS, FAILS, FLAKY, ERROR = Status.WORKS, Status.FAILS, Status.FLAKY, Status.ERROR
LOADED = result(Stage.LOAD)
NO = [LOADED, result(Stage.DECODE, FAILS, "by chance")]
OTHERWISE = [LOADED, result(Stage.DECODE, FAILS, "another reason")]
EARLIER = [result(Stage.LOAD, FAILS, "by chance")]
TROUBLE = [LOADED, result(Stage.DECODE, ERROR, "no progress")]
FINE = [LOADED, result(Stage.DECODE), result(Stage.PARITY)]


@pytest.mark.parametrize(
    ("second", "ended"),
    [(NO, (FAILS, Stage.DECODE)), (FINE, (FLAKY, Stage.DECODE)), (OTHERWISE, (FAILS, Stage.DECODE)),
     (EARLIER, (FLAKY, Stage.LOAD)), (TROUBLE, (ERROR, Stage.DECODE))],
)  # fmt: skip
def test_what_two_processes_show(second, ended):
    *before, last = compared(NO, second)
    assert (last.status, last.stage) == ended
    assert all(one.ok for one in before)
    assert [one.stage for one in before] == ([Stage.LOAD] if last.stage is Stage.DECODE else [])


def processes(again, anew=ProbeOutput, mended=lambda: False) -> Processes:
    return Processes(again=again, anew=anew, mended=mended)


def settled(repeated: Repeated, place: str, *attempts: list) -> tuple[Status, int]:
    """How a variant ends whose processes give `attempts`, and how many repetitions that takes."""
    later = iter(attempts[1:])
    told = ProbeOutput(results={"variant": list(attempts[0])})
    asked = 0

    def again(subjects):
        nonlocal asked
        asked += 1
        return ProbeOutput(results={subject: next(later) for subject in subjects})

    assert settle(told, {"variant": FailurePlace(place, "variant")}, repeated, processes(again)) == Settled()
    return told.results["variant"][-1].status, asked


def test_one_repetition_of_a_signature_in_a_closure_is_enough():
    repeated = Repeated()
    assert settled(repeated, "one", NO, NO) == (FAILS, 1)
    assert settled(repeated, "one", NO) == (FAILS, 0)
    assert settled(repeated, "one", OTHERWISE, OTHERWISE) == (FAILS, 1)
    assert settled(repeated, "two", NO, NO) == (FAILS, 1)


@pytest.mark.parametrize("type_", ["signal", "exit", RunnerCrash.__name__])
def test_a_crash_has_no_words_so_each_variant_repeats_its_own(type_):
    def crash(subject: str) -> tuple[Status, int]:
        died = replace(result(Stage.DECODE, FAILS), error=Failure(type=type_, message="the process died in decode"))
        told, asked = ProbeOutput(results={subject: [LOADED, died]}), []

        def again(subjects):
            asked.append(subjects)
            return ProbeOutput(results={subject: [LOADED, died]})

        settle(told, {subject: FailurePlace("one", subject)}, repeated, processes(again))
        return told.results[subject][-1].status, len(asked)

    repeated = Repeated()
    assert crash("pair") == (FAILS, 1)
    assert crash("pair") == (FAILS, 0)
    assert crash("merged") == (FAILS, 1)


def test_what_was_flaky_somewhere_must_repeat_more_often_everywhere():
    repeated = Repeated()
    assert settled(repeated, "one", NO, NO) == (FAILS, 1)
    assert settled(repeated, "two", NO, FINE) == (FLAKY, 1)
    assert settled(repeated, "one", NO, NO, FINE) == (FLAKY, 2)
    assert settled(repeated, "three", NO, *[NO] * TIMES_IF_CHANCE) == (FAILS, TIMES_IF_CHANCE)


def test_what_fails_in_other_words_must_repeat_more_often_and_is_known_then():
    repeated = Repeated()
    words = [[LOADED, result(Stage.DECODE, FAILS, f"no kernel for {word}")] for word in "abcdefgh"]
    assert settled(Repeated(), "one", *words[:4], FINE) == (FLAKY, 4)
    assert settled(repeated, "one", *words) == (FAILS, TIMES_IF_CHANCE)
    assert settled(repeated, "one", words[6]) == (FAILS, 0)
    assert settled(repeated, "one", NO, NO) == (FAILS, 1)
    assert settled(repeated, "two", words[6], *words) == (FAILS, TIMES_IF_CHANCE)


def test_the_signature_is_of_the_words_that_all_processes_share():
    def failed(*words: str) -> str:
        told = ProbeOutput(results={"variant": [result(Stage.DECODE, FAILS, words[0])]})
        later = iter(words[1:])
        again = processes(lambda _: ProbeOutput(results={"variant": [result(Stage.DECODE, FAILS, next(later))]}))
        settle(told, {"variant": FailurePlace("one")}, Repeated(), again)
        last = told.results["variant"][-1]
        assert last.error.message == words[0]
        return signature(last.stage, last.error)

    one = failed("no kernel for x", "no kernel for y", "no kernel for z", "no kernel for x", "no kernel for x")
    assert one == failed("no kernel for q", "no kernel for some more", *["no kernel for r"] * 3)
    assert one != failed("no memory for q", "no memory for r", *["no memory for s"] * 3)
    assert failed("no kernel for x", "no kernel for x") == failed("no kernel for x", "no kernel for x") != one


def conditions(first: ProbeOutput, *later: dict, anew: dict | None = None, **given) -> tuple[Settled, list]:
    """What becomes of the failures of `first`, whose repetitions and re-run give these results; and what was repeated."""
    ended, asked = iter(later), []

    def again(subjects):
        asked.append(list(subjects))
        return ProbeOutput(results=next(ended))

    found = processes(again, lambda: ProbeOutput(results=anew))
    return settle(first, dict.fromkeys(first.results, FailurePlace("one")), Repeated(), found, **given), asked


def test_what_fails_in_a_fork_alone_depends_on_the_process():
    told = ProbeOutput(results={"a": list(NO), "b": list(FINE), "c": list(NO)}, forked=True)
    found, _ = conditions(told, {"a": FINE, "c": NO}, anew={"a": NO, "b": FINE, "c": NO})
    assert found == Settled(dependent={"a": NO[-1], "c": NO[-1]})


@pytest.mark.parametrize("forked", [True, False])
def test_what_works_the_second_time_under_equal_conditions_is_flaky(forked):
    told = ProbeOutput(results={"a": list(NO)}, forked=forked)
    assert conditions(told, {"a": FINE}, anew={"a": FINE} if forked else None) == (Settled(), [["a"]])
    assert told.results["a"][-1].status is FLAKY


@pytest.mark.parametrize(("apart", "dependent"), [({None}, True), ({None, "b"}, False)])
def test_what_follows_another_subject_in_its_process_is_repeated_under_other_conditions(apart, dependent):
    told = ProbeOutput(results={None: [result(Stage.IMPORT)], "a": list(FINE), "b": list(NO)})
    found, asked = conditions(told, {"b": FINE}, anew={"a": FINE, "b": NO}, apart=apart)
    assert (bool(found.dependent), asked) == (dependent, [["b"]])
    assert (told.results["b"][-1].status is FLAKY) is not dependent


@pytest.mark.parametrize("alone", [OTHERWISE, EARLIER])
def test_what_a_process_of_its_own_does_takes_the_place_of_what_a_fork_did(alone):
    told = ProbeOutput(results={"a": list(NO)}, forked=True)
    assert conditions(told, {"a": alone}, {"a": alone}) == (Settled(), [["a"], ["a"]])
    assert told.results["a"] == alone
    told = ProbeOutput(results={"a": list(NO)}, forked=True)
    conditions(told, {"a": alone}, {"a": FINE})
    assert told.results["a"][-1].status is FLAKY


def test_a_failure_is_a_fact_once_its_kind_came_with_nothing_before_it():
    told = ProbeOutput(results={"a": list(NO), "b": list(OTHERWISE), "c": list(NO), "d": list(OTHERWISE)})
    found, asked = conditions(told, dict(told.results), {"b": OTHERWISE, "d": OTHERWISE})
    assert (found, asked) == (Settled(), [["a", "b", "c", "d"], ["b", "d"]])
    assert {results[-1].status for results in told.results.values()} == {FAILS}
    told = ProbeOutput(results={"a": list(NO), "b": list(OTHERWISE)})
    found, asked = conditions(told, dict(told.results), {"b": FINE}, anew={"a": NO, "b": OTHERWISE})
    assert (list(found.dependent), asked) == (["b"], [["a", "b"], ["b"]])


def test_damaged_bytecode_is_mended_before_anything_is_called_flaky():
    told = ProbeOutput(results={"variant": list(NO)})
    repeated = Repeated()
    again = processes(lambda _: ProbeOutput(results={"variant": FINE}), mended=lambda: True)
    assert settle(told, {"variant": FailurePlace("one")}, repeated, again).damaged
    assert repeated == Repeated()


def test_a_process_that_ends_before_a_subject_is_followed_by_another():
    told = ProbeOutput(results={"a": list(NO), "b": list(NO)})
    ended = iter([ProbeOutput(results={"a": FINE}), ProbeOutput(results={"b": NO})])
    # The like of b was flaky in a, so it must repeat more often.
    later = [ProbeOutput(results={"b": NO})] * (TIMES_IF_CHANCE - 1)
    rest = iter(later)
    settle(
        told,
        {"a": FailurePlace("one"), "b": FailurePlace("one")},
        Repeated(),
        processes(lambda _: next(ended, None) or next(rest)),
    )
    assert [told.results[name][-1].status for name in "ab"] == [FLAKY, FAILS]


def test_a_repetition_that_says_nothing_makes_an_error():
    told = ProbeOutput(results={"variant": list(NO)})
    settle(told, {"variant": FailurePlace("one")}, Repeated(), processes(lambda _: ProbeOutput()))
    assert told.results["variant"][-1].status is ERROR


def test_of_twenty_cells_that_fail_once_in_five_hardly_any_fails():
    """One repetition alone lets 1 failure in 25 through; knowing of the first flaky cell, it is 1 in 3,000."""
    generator = random.Random(13)

    def attempt() -> list:
        return NO if generator.random() < 0.2 else FINE

    ends: Counter[Status] = Counter()
    runs = 500
    for _ in range(runs):
        repeated = Repeated()
        for cell in range(20):
            first = attempt()
            if first is FINE:
                ends[WORKS] += 1
            else:
                ends[settled(repeated, f"closure {cell}", first, *(attempt() for _ in range(9)))[0]] += 1
    # Until the first flaky cell: 0.04 / 0.16 of a false fact a run; each later cell that has failed once: 0.2 ** 4.
    assert ends[FAILS] / runs == pytest.approx(0.25 + 20 * 0.2**5, abs=0.06)
    assert ends[FLAKY] / runs == pytest.approx(20 * 0.2 - ends[FAILS] / runs, abs=0.3)


@dataclass(kw_only=True)
class RecordingProbes:
    """Records the requests of a worker, and reports nothing."""

    requests: list[ProbeRequest] = field(default_factory=list)

    def run(self, batch: Batch, workplace: Workplace, out: Path, _repeated: Repeated, _on_stage: OnStage) -> ProbeOutput:
        self.requests.append(batch.request(workplace, out))
        return ProbeOutput()


def test_each_artifact_is_a_place_of_its_own(tmp_path, monkeypatch):
    """Equal words of two artifacts in one closure may be a fact of one and chance of the other."""
    store, limits = Store(tmp_path / "store"), Limits(seconds=1, memory=1)
    records, probes = Records(store=store, limits=limits), RecordingProbes()
    monkeypatch.setattr(worker, "Probes", lambda **_given: probes)
    fed = replace(PAIR, feedback="feed-all")
    run = tasks_of(resolved(PAIR, fed, MERGED)).run
    artifacts = {}
    records.put(run.export.key, [result(Stage.IMPORT), result(Stage.EAGER)])
    for variant in (PAIR, MERGED):
        folder = tmp_path / variant.layout
        folder.mkdir()
        (folder / "net.onnx").write_text(variant.layout)
        artifacts[variant.layout] = store.artifacts.publish(folder)
        records.put(
            run.export.variant_key(variant), [result(Stage.EXPORT), result(Stage.CHECK)], artifact=artifacts[variant.layout]
        )
    given = {run.closure.key: Path("python")}
    one = worker.Worker(store=store, records=records, environments=None, supervisor=None, limits=limits, given=given)
    one.perform(run, lambda _stage: None)
    (asked,) = probes.requests
    closure = f"Run {run.closure.key}"
    assert asked.places == {
        None: FailurePlace(closure),
        PAIR.id: FailurePlace(f"{closure} {artifacts['pair']}", PAIR.id),
        fed.id: FailurePlace(f"{closure} {artifacts['pair']}", fed.id),
        MERGED.id: FailurePlace(f"{closure} {artifacts['merged']}", MERGED.id),
    }
