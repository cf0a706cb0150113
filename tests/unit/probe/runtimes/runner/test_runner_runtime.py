"""A job in a runtime behind a runner: what a runner does costs one variant, and is a fact only where the runtime did it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import runner_models

pytest.importorskip("numpy")

from project import alive, wait_until
from runner_jobs import X, artifact, job

import harness.probe
from harness.probe import outcome, runtimes
from harness.probe.journal import Journal

REAL_PROBE = Path(harness.probe.__file__).parent / "__main__.py"
Ends = list[dict[str, Any]]


def ends(folder: Path, given: dict[str, Any]) -> Ends:
    """The `end` events of a job."""
    runtimes.run(given, Journal(given["events"]))
    events = map(json.loads, Path(given["events"]).read_text().splitlines())
    return [event for event in events if event["event"] == "end"]


def summary(event: dict[str, Any]) -> tuple[str, str | None, str, str, str]:
    error = event["error"] or {"type": "", "message": ""}
    return event["stage"], event["subject"], event["status"], error["type"], error["message"]


@pytest.mark.parametrize("binding", ["numpy", "ortvalue"])
def test_what_works_works(tmp_path, binding):
    found = ends(tmp_path, job(tmp_path, [], [artifact(tmp_path / "v")], binding))
    assert [event["status"] for event in found] == ["works"] * 4
    assert {key: found[0]["data"][key] for key in ("max_ir", "max_opset")} == {"max_ir": 9, "max_opset": 19}
    assert found[0]["data"]["runner"] == {"onnxruntime-node": "9.9.9", "python": sys.version.split()[0]}
    assert found[3]["data"]["max_abs_diff"] == 0.0


def test_a_stamp_above_the_runtime_is_a_finding(tmp_path):
    found = ends(tmp_path, job(tmp_path, [], [artifact(tmp_path / "v", ir=10)]))
    (finding,) = found[1]["data"]["findings"]
    message = "IR version 10; onnxruntime-node 9.9.9 runs up to 9"
    assert (finding["rule"], finding["message"], finding["limit"]) == ("ir-above-runtime", message, 9)


def test_another_result_fails_at_parity(tmp_path):
    found = ends(tmp_path, job(tmp_path, [], [artifact(tmp_path / "v", expected=X + 1)]))
    assert summary(found[-1])[:3] == ("parity", "v", "fails")


BROKEN = "the runner broke the protocol: "
FAULTS = {
    "segfault": ("fails", "RunnerCrash", "the runner was killed by SIGSEGV in run"),
    "abort": ("fails", "RunnerCrash", "the runner was killed by SIGABRT in run"),
    "exit": ("fails", "RunnerCrash", "the runner left with exit code 3 in run"),
    "refused": ("fails", "RunnerCrash", "the runner was killed by SIGABRT in run"),
    "full-disk": ("error", "RunnerCrash", "the runner left with exit code 3 in run"),
    "any-bytes": ("fails", "RuntimeFault", "\\xff\x00 no text \\xc3( €"),
    "killed": ("error", "RunnerError", "the runner was killed by SIGKILL in run"),
    "own-failure": ("error", "RunnerError", "the runner itself failed in run, with exit code 113: see the log"),
    "memory": ("error", "RunnerError", "the machine has failed the runner in run: Array buffer allocation failed"),
    "garbage": ("error", "RunnerError", f"{BROKEN}it wrote b'Welcome to a run"),
    "flood": ("error", "RunnerError", f"{BROKEN}it wrote b'the flood"),
    "no-json": ("error", "RunnerError", f"{BROKEN}its answer to run is no frame of the protocol"),
    "deep": ("error", "RunnerError", f"{BROKEN}its answer to run is no frame of the protocol"),
    "long-header": ("error", "RunnerError", f"{BROKEN}its answer to run is no frame of the protocol"),
    "long-body": ("error", "RunnerError", f"{BROKEN}{2**60} bytes instead of 0 follow its answer to run"),
    "empty": ("error", "RunnerError", f"{BROKEN}its answer is not as the protocol has it: {{}}"),
    "closed": ("error", "RunnerError", f"{BROKEN}it closed its output in run"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_a_graph_runs_costs_that_variant_alone(tmp_path, monkeypatch, fault):
    monkeypatch.setattr(runtimes.runner.process, "_PATIENCE", 0.1)
    first, second = artifact(tmp_path / "first"), artifact(tmp_path / "second")
    # The first runs of a job are those of the largest stamps.
    once = tmp_path / "once"
    monkeypatch.setattr(runtimes.runner.RunnerRuntime, "measure", lambda _: {})
    found = ends(tmp_path, job(tmp_path, [fault, "run", str(once)], [first, second]))
    status, kind, message = FAULTS[fault]
    stage, subject, *ended, said = summary(found[2])
    assert (stage, subject, *ended) == ("decode", "first", status, kind)
    assert message in said
    assert [summary(event)[1:3] for event in found[3:]] == [("second", "works")] * 3


def test_a_crash_brings_the_last_words_of_the_runner(tmp_path, monkeypatch):
    """They say what the machine, or the sandbox, denied it; the message, which is compared with others, has none of them."""
    monkeypatch.setattr(runtimes.runner.RunnerRuntime, "measure", lambda _: {})
    monkeypatch.setattr(outcome, "_refusals", {errno.EACCES})
    found = ends(tmp_path, job(tmp_path, ["refused", "run"], [artifact(tmp_path / "v")]))
    assert (found[-1]["status"], found[-1]["error"]["refused"]) == ("error", True)
    assert found[-1]["error"]["traceback"].endswith("Error: EACCES: permission denied, open '/x'")
    assert "EACCES" not in found[-1]["error"]["message"]


@pytest.mark.parametrize(
    ("fault", "ended"),
    [
        (("segfault", "hello"), ("import", "error")),
        (("abort", "hello"), ("import", "error")),
        (("exit", "hello"), ("import", "error")),
        (("garbage", "hello"), ("import", "error")),
        (("any-bytes", "hello"), ("import", "fails")),
        (("segfault", "read"), ("decode", "fails")),
        (("garbage", "read"), ("decode", "error")),
        (("garbage", "load"), ("load", "error")),
        (("segfault", "load"), ("load", "fails")),
        (("memory", "load"), ("load", "error")),
    ],
)
def test_the_stage_that_was_open_has_the_fault(tmp_path, monkeypatch, fault, ended):
    monkeypatch.setattr(runtimes.runner.RunnerRuntime, "measure", lambda _: {})
    found = ends(tmp_path, job(tmp_path, [*fault], [artifact(tmp_path / "v")]))
    assert (found[-1]["stage"], found[-1]["status"]) == ended


@pytest.mark.parametrize(("fault", "status"), [("segfault", "fails"), ("any-bytes", "fails"), ("killed", "error")])
@pytest.mark.parametrize("binding", ["numpy", "ortvalue"])
def test_a_fault_while_a_graph_is_released_is_that_of_its_own_variant(tmp_path, monkeypatch, binding, fault, status):
    monkeypatch.setattr(runtimes.runner.RunnerRuntime, "measure", lambda _: {})
    artifacts = [artifact(tmp_path / name) for name in ("first", "second")]
    found = ends(tmp_path, job(tmp_path, [fault, "release", str(tmp_path / "once")], artifacts, binding))
    assert [summary(event)[:3] for event in found[1:3]] == [("load", "first", "works"), ("decode", "first", status)]
    assert [summary(event)[1:3] for event in found[3:]] == [("second", "works")] * 3


def test_a_variant_that_fails_leaves_nothing_to_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(runtimes.runner.RunnerRuntime, "measure", lambda _: {})
    asked = []
    ask = runtimes.runner.process.RunnerProcess.ask

    def noted(process, request, *rest):
        asked.append(request["do"])
        return ask(process, request, *rest)

    monkeypatch.setattr(runtimes.runner.process.RunnerProcess, "ask", noted)
    artifacts = [artifact(tmp_path / name) for name in ("first", "second")]
    (artifacts[0] / "identity-float32-1.onnx").write_bytes(runner_models.reshaping(tmp_path).read_bytes())
    found = ends(tmp_path, job(tmp_path, [], artifacts))
    assert [summary(event)[:3] for event in found[1:]] == [
        ("load", "first", "error"),
        *((stage, "second", "works") for stage in ("load", "decode", "parity")),
    ]
    assert asked == ["hello", "load", "release", "load", "run", "read", "release"]


@pytest.mark.parametrize("binding", ["numpy", "ortvalue"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [("segfault", "the runner was killed by SIGSEGV in read"), ("any-bytes", "\\xff\x00 no text \\xc3( €")],
)
def test_a_fault_while_values_are_read_is_the_same_in_both_bindings(tmp_path, monkeypatch, fault, said, binding):
    monkeypatch.setattr(runtimes.runner.RunnerRuntime, "measure", lambda _: {})
    found = ends(tmp_path, job(tmp_path, [fault, "read"], [artifact(tmp_path / "v")], binding))
    stage, _, status, _, message = summary(found[-1])
    assert (stage, status, message) == ("decode", "fails", f"case three, step 0: {said}")
    assert found[-1]["data"]["step"] == 0


def test_a_crash_while_stamps_are_measured_fails_the_import(tmp_path):
    found = ends(tmp_path, job(tmp_path, ["segfault", "load"], [artifact(tmp_path / "v")]))
    message = "the largest stamps: the runner was killed by SIGSEGV in load"
    assert [summary(event) for event in found] == [("import", None, "fails", "RunnerCrash", message)]


@pytest.mark.parametrize(
    ("runner", "message"),
    [
        ([], "the job names no runner for onnxruntime-node"),
        (["/nonexistent/node", "main.js"], "the runner does not start: [Errno 2] No such file or directory"),
        ([sys.executable, "-c", "1"], "the runner itself failed in hello, with exit code 0: see the log"),
    ],
)
def test_a_runner_that_does_not_start_is_an_error(tmp_path, runner, message):
    found = ends(tmp_path, {**job(tmp_path, [], []), "runner": runner})
    assert summary(found[0])[2:4] == ("error", "RunnerError")
    assert message in summary(found[0])[4]


def test_a_runner_of_another_runtime_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setitem(runtimes.RUNTIMES, "other", runtimes.RUNTIMES["onnxruntime-node"])
    found = ends(tmp_path, {**job(tmp_path, [], []), "runtime": "other"})
    assert summary(found[0])[2] == "error"
    assert "it has no version of other" in summary(found[0])[4]


def test_its_stderr_goes_to_the_log_as_far_as_there_is_room(tmp_path, capfd):
    found = ends(tmp_path, job(tmp_path, ["stderr", "read", str(tmp_path / "once")], [artifact(tmp_path / "v")]))
    assert all(event["status"] == "works" for event in found)
    log = capfd.readouterr().err
    assert log.count("x") == 2**20
    assert f"[the runner wrote {4 * 2**20} bytes more]" in log


# --- processes ----------------------------------------------------------------------------------------------------------


def started(folder: Path, given: dict[str, Any]) -> subprocess.Popen[bytes]:
    """A probe process for a job, as the host starts it."""
    (folder / "job.json").write_text(json.dumps(given))
    return subprocess.Popen([sys.executable, "-I", str(REAL_PROBE), str(folder / "job.json")], start_new_session=True)


def runner_of(probe: subprocess.Popen[bytes]) -> psutil.Process:
    """The runner that the probe waits for."""
    wait_until(lambda: any("fake_runner.py" in " ".join(one.cmdline()) for one in psutil.Process(probe.pid).children()))
    (child,) = psutil.Process(probe.pid).children()
    return child


def test_a_runner_is_of_the_probe_s_group_and_dies_with_it(tmp_path):
    with started(tmp_path, job(tmp_path, ["hang", "hello"], [])) as probe:
        child = runner_of(probe)
        assert os.getpgid(child.pid) == probe.pid
        probe.kill()
        probe.wait()
        wait_until(lambda: not alive(child.pid))


def test_a_job_that_is_done_leaves_no_runner(tmp_path):
    with started(tmp_path, job(tmp_path, [], [artifact(tmp_path / "v")])) as probe:
        assert probe.wait() == 0
        with pytest.raises(ProcessLookupError):
            os.killpg(probe.pid, 0)
