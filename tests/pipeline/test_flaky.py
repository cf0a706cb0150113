"""A failure is a fact only if it repeats in a fresh process."""

from __future__ import annotations

import json

import packages
import pytest
from packages import CRASH_IN_C, KILLED, LEAVE_3, in_turn
from project import Project

pytestmark = pytest.mark.usefixtures("installed_once")

NO = "raise RuntimeError('by chance')"
WRONG = "self.model['flawed'] = True"
OTHERWISE = "raise ValueError('something else')"

PLACES = {
    "import": lambda source: packages.torch(on_import=source),
    "eager": lambda source: packages.transformers(eager=source),
    "export": lambda source: packages.torch(on_export=source),
    "check": lambda source: packages.onnx(on_check=source),
    "load": lambda source: packages.onnxruntime(on_load=source),
    "decode": lambda source: packages.onnxruntime(on_run=source),
    "parity": lambda source: packages.onnxruntime(on_run=source),
}
"""Stage → a wheel in which `source` runs at that stage."""


def only_cell(project: Project, *arguments: str) -> dict:
    (cell,) = project.run(*arguments).values()
    return cell


def only(project: Project, *arguments: str) -> dict:
    (variant,) = only_cell(project, *arguments)["variants"]
    return variant


def failing(project: Project, stage: str, *sources: str) -> Project:
    """`project` with a package that runs the first of `sources` at `stage` the first time, then the next, then nothing."""
    project.publish(PLACES[stage](in_turn(project.notes / "turns", *sources)))
    return project


@pytest.mark.parametrize("stage", PLACES)
def test_a_failure_that_does_not_repeat_is_flaky(project, stage):
    failing(project, stage, WRONG if stage == "parity" else NO)
    cell = only_cell(project)
    (variant,) = cell["variants"]
    assert (cell["status"], variant["status"], variant["stage"]) == ("flaky", "flaky", stage)
    first, repeated = variant["outcomes"]
    assert first.startswith(f"fails at {stage}: ")
    assert repeated == "works"
    assert (variant["cause"], variant["certainty"], variant["evidence"], variant["opinions"]) == (None, None, [], {})
    report = project.report()
    assert (report["rules"], report["unexplained"], report["recommended"]) == ([], [], {})


def test_it_is_stored_and_told_and_can_be_retried(project):
    failing(project, "decode", NO)
    only(project)
    starts = len(project.starts())
    text = project.main("run").out
    assert "flaky decode" in text
    assert "~ flaky" in text
    assert "repeated in a fresh process: works (1)" in text
    assert "flaky decode" in (project.reports / "matrix.md").read_text()
    explained = project.main("explain", "*").out
    assert "first: fails at decode: by chance" in explained
    assert "repeated: works" in explained
    assert only(project, "--retry", "error")["status"] == "flaky"
    assert len(project.starts()) == starts
    assert only(project, "--retry", "flaky")["status"] == "works"


def test_what_works_is_not_repeated(project):
    assert only(project)["status"] == "works"
    assert [start["kind"] for start in project.starts()] == ["export", "import", "run"]
    assert project.repetitions() == []


@pytest.mark.parametrize("stage", PLACES)
def test_a_failure_is_repeated_once_in_a_fresh_process(project, stage):
    failing(project, stage, *[WRONG if stage == "parity" else NO] * 30)
    variant = only(project)
    assert (variant["status"], variant["stage"], variant["outcomes"]) == ("fails", stage, [])
    repeated, *others = project.repetitions()
    # What is asked for a second opinion fails in other ways, each of which is repeated too. It also fails undivided, and
    # before load so does the model that it is compared with.
    alike = [one for one in others if one["subjects"] == repeated["subjects"]]
    assert len(alike) == (2 if stage in {"eager", "export", "check"} else 1)
    assert (repeated["kind"], repeated["server"]) == ("run" if stage in {"load", "decode", "parity"} else "export", None)


@pytest.mark.parametrize("death", [CRASH_IN_C, LEAVE_3])
@pytest.mark.parametrize("stage", ["import", "export", "decode"])
def test_a_crash_that_does_not_repeat_is_flaky(project, stage, death):
    failing(project, stage, death)
    variant = only(project)
    assert (variant["status"], variant["stage"], variant["outcomes"][1]) == ("flaky", stage, "works")


@pytest.mark.parametrize("times", [2, 3, 4, 5])
def test_a_failure_in_other_words_must_repeat_more_often(project, times):
    failing(project, "decode", *[NO, OTHERWISE, NO, OTHERWISE, NO][:times])
    variant = only(project, "--no-forks")
    # The fifth failure makes it a fact, until it runs undivided.
    assert (variant["status"], variant["stage"]) == ("flaky", "decode")
    assert variant["outcomes"] == ["fails at decode: by chance", "works"]
    assert len(project.repetitions()) == times


VARYING = {
    "a set": "raise ValueError('unexpected keys ' + str({'alpha', 'beta', 'gamma', 'delta'}))",
    "a list": "raise ValueError(f'unexpected keys {list({chr(97 + n) for n in range(9)})} here')",
    "seconds": "import time; raise RuntimeError(f'gave up after {time.perf_counter_ns() % 10**6} ms, as always')",
    "a name": "import os; raise RuntimeError('no kernel for ' + os.urandom(5).hex())",
    "lines": "import random; raise RuntimeError('no kernel: ' + 'more ' * random.randint(1, 9999) + 'of it')",
    "the code": "import random, os; os._exit(random.randint(1, 99))",
    "the class": "import os; raise (ValueError, TypeError, OSError, KeyError)[os.getpid() % 4]('no kernel')",
    "the signal": "import os, signal; os.kill(os.getpid(), (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)[os.getpid() % 3])",
    "everything": "import os; raise type('E' + os.urandom(4).hex(), (Exception,), {})(os.urandom(9).hex())",
}
"""What varies from process to process → a failure that comes always."""


@pytest.mark.parametrize("varies", VARYING)
@pytest.mark.parametrize("stage", ["export", "decode"])
def test_what_always_fails_is_a_fact_whatever_its_words(project, stage, varies):
    project.publish(PLACES[stage](VARYING[varies]))
    variant = only(project)
    assert (variant["status"], variant["stage"], variant["outcomes"]) == ("fails", stage, [])
    starts = len(project.starts())
    assert only(project)["status"] == "fails"
    assert len(project.starts()) == starts


def test_failures_with_other_words_are_one_kind_and_say_so(project):
    # The letter before it: digits alone would be taken for an address.
    no_kernel = "import os; raise RuntimeError(f'no kernel for k{os.urandom(5).hex()} here')"
    project.publish(packages.torch(on_export=no_kernel), packages.torch("2.2.0", on_export=no_kernel))
    project.configure({"torch": ["2.1.0", "2.2.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]})
    variants = [variant for cell in project.run().values() for variant in cell["variants"]]
    assert len({variant["error"] for variant in variants}) == 4
    assert len({variant["signature"] for variant in variants}) == 1
    (finding,) = variants[0]["findings"]
    assert finding.startswith("words-vary: another process ended with RuntimeError: no kernel for ")
    (rule,) = project.report()["rules"] or [{"signatures": {variants[0]["signature"]: 4}}]
    assert rule["signatures"] == {variants[0]["signature"]: 4}


@pytest.mark.parametrize(("flags", "times"), [(["--no-forks"], 5), ([], 6)])
def test_words_that_are_known_to_vary_are_not_repeated_again(project, flags, times):
    """Nor undivided, nor when it is run once more. What a fork says is not what a process of its own says."""
    failing(project, "load", *(f"raise ValueError('no kernel {word}')" for word in "abcdefghijklmnopqrs"))
    assert only(project, *flags)["status"] == "fails"
    assert len(project.repetitions()) == times


def test_a_flaky_variant_stands_where_both_processes_got_to(project):
    counter = project.notes / "turns"
    project.publish(packages.onnxruntime(on_load=in_turn(counter, "", OTHERWISE), on_run=NO))
    variant = only(project, "--no-forks")
    assert (variant["status"], variant["stage"]) == ("flaky", "load")
    assert variant["outcomes"] == ["fails at decode: by chance", "fails at load: something else"]


def test_a_failure_whose_repetition_is_an_error_is_an_error(project):
    failing(project, "export", NO, KILLED)
    variant = only(project)
    assert (variant["status"], variant["stage"]) == ("error", "export")
    assert variant["error"].startswith(
        "fails at export: by chance; whether that repeats is not known: killed by SIGKILL in export"
    )
    assert only(project, "--retry", "error")["status"] == "works"


def test_what_failed_in_one_process_is_repeated_in_one(project):
    project.publish(packages.torch(on_export=f"if variant['exporter'] == 'torchscript':\n    {NO}"))
    project.configure(variants={"exporters": ["torchscript", "dynamo"], "layouts": ["pair", "merged"]})
    statuses = {(one["exporter"], one["layout"]): one["status"] for one in only_cell(project)["variants"]}
    assert statuses == {
        ("torchscript", "pair"): "fails",
        ("torchscript", "merged"): "fails",
        ("dynamo", "pair"): "works",
        ("dynamo", "merged"): "works",
    }
    # The third one is undivided; the fourth is what failed, which is run once more at the end.
    (first, witness, fourth), (second, third) = project.starts("export"), project.repetitions()
    assert witness["subjects"] == ["dynamo-18-pair"]
    assert third["subjects"] == second["subjects"]
    assert fourth["subjects"] == second["subjects"]
    assert len(first["subjects"]) == 4
    assert second["subjects"] == ["torchscript-17-pair", "torchscript-17-merged"]


def test_one_repetition_for_each_signature_of_a_closure_is_enough(project):
    project.publish(packages.torch("2.2.0"), packages.onnxruntime(on_run=NO))
    project.configure({"torch": ["2.1.0", "2.2.0"]}, run={"jobs": 1})
    assert {cell["status"] for cell in project.run("--jobs", "1").values()} == {"fails"}
    composed = {start["python"] for start in project.starts("run")}
    assert len(project.starts("run")) >= 2
    assert len([start for start in project.repetitions() if start["python"] in composed]) == 1


def test_what_was_flaky_elsewhere_must_repeat_more_often(project):
    # The first closure's failure does not repeat, the second's does twice, and works then.
    project.publish(packages.onnxruntime(on_run=in_turn(project.notes / "one", NO)))
    project.publish(packages.onnxruntime("1.17.0", on_run=in_turn(project.notes / "two", NO, NO, NO)))
    project.configure({"onnxruntime": ["1.16.3", "1.17.0"]})
    statuses = [cell["variants"][0]["status"] for cell in project.run("--jobs", "1").values()]
    assert statuses == ["flaky", "flaky"]


def test_a_flaky_import_beside_the_export(project):
    project.publish(packages.onnxruntime(on_import=in_turn(project.notes / "turns", NO)))
    variant = only(project)
    assert (variant["status"], variant["stage"]) == ("flaky", "import")


def test_a_flaky_evaluator_gives_no_opinion(project):
    project.publish(packages.onnx(on_evaluate=in_turn(project.notes / "turns", OTHERWISE)))
    project.publish(packages.onnxruntime("1.17.0", on_run=NO))
    project.configure({"onnxruntime": ["1.17.0"]})
    variant = only(project)
    assert variant["status"] == "fails"
    assert variant["opinions"]["onnx.reference"] == "flaky at decode: something else"
    assert variant["certainty"] != "proven"
    assert not any("something else" in sentence for sentence in variant["evidence"])


def test_a_flaky_result_of_one_shard_replaces_the_fact_of_another(project, tmp_path):
    failing(project, "decode", NO)
    only(project)
    other = project.copy(tmp_path / "other")
    assert only(other, "--retry", "flaky")["status"] == "works"
    for order in ([project, other], [other, project]):
        target = tmp_path / f"merged-{order[0].root.name}"
        sources = [str(one.store) for one in order]
        options = ["--config", str(project.config), "--store", str(target), "--reports", str(target / "reports")]
        from harness.cli import main

        assert main(["merge", *sources, *options, "--no-remedies", "--quiet"]) == 0
        (cell,) = json.loads((target / "reports" / "matrix.json").read_text())["cells"]
        assert cell["status"] == "flaky"


def test_what_fails_twice_by_chance_makes_no_remedy_of_what_was_changed_then(project):
    # Fails at load twice, works from then on: the first remedy that is tried is seen to work.
    failing(project, "load", NO, NO)
    project.remedies = True
    cell = only_cell(project)
    (variant,) = cell["variants"]
    assert (cell["status"], variant["status"], variant["stage"]) == ("flaky", "flaky", "load")
    assert variant["outcomes"] == ["fails at load: by chance", "works"]
    assert (variant["remedies"], cell["remedies"]) == ([], [])


@pytest.mark.parametrize("stage", PLACES)
def test_a_failure_runs_once_more_at_the_end_of_a_run(project, stage):
    failing(project, stage, *[WRONG if stage == "parity" else NO] * 2)
    variant = only(project)
    assert (variant["status"], variant["stage"], variant["outcomes"][1]) == ("flaky", stage, "works")


def test_a_failure_that_was_run_once_more_is_a_fact_for_later_runs(project):
    failing(project, "decode", *[NO] * 30)
    assert only(project)["status"] == "fails"
    starts = len(project.starts())
    assert only(project)["status"] == "fails"
    assert len(project.starts()) == starts


def test_a_failure_whose_last_run_is_an_error_stays_a_fact(project):
    # Composed, repeated, undivided, once more.
    failing(project, "export", NO, NO, NO, KILLED, NO)
    assert only(project)["status"] == "fails"
    assert only(project)["status"] == "fails"


def test_where_one_failure_was_by_chance_all_of_its_kind_run_once_more(project):
    # Both artifacts fail twice with one message; the first works the third time, and so the second fails four times more.
    turns = project.notes / "turns"
    project.publish(packages.onnxruntime(on_run=in_turn(turns, *[NO] * 4)))
    project.configure(variants={"exporters": ["torchscript"], "layouts": ["pair", "merged"]})
    assert {one["status"] for one in only_cell(project)["variants"]} == {"flaky"}


def test_no_record_is_rewritten_when_a_failure_runs_once_more(project):
    """Nor if the run ends before it has."""
    failing(project, "load", *[NO] * 30)
    project.configure(run={"jobs": 1})
    only(project, "--budget", "0s")
    only(project)
    records = {path: path.read_bytes() for path in (project.store / "results").rglob("*.json")}
    assert only(project)["status"] == "fails"
    assert {path: path.read_bytes() for path in (project.store / "results").rglob("*.json")} == records


def test_clean_keeps_what_was_run_once_more(project):
    failing(project, "load", *[NO] * 30)
    only(project)
    starts = len(project.starts())
    assert project.main("clean").code == 0
    assert only(project)["status"] == "fails"
    assert len(project.starts()) == starts
