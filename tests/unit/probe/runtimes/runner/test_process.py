"""A runner's process that speaks without being asked, or is gone while it is sent something."""

from __future__ import annotations

import sys

import pytest

np = pytest.importorskip("numpy")

from harness.probe.runtime import RunnerError  # noqa: E402
from harness.probe.runtimes.runner.process import RunnerProcess  # noqa: E402

MUCH = np.zeros(2**22, np.float32)
"""More than a pipe holds."""


def failure(source: str) -> str:
    """The error of a request with much content to a program."""
    process = RunnerProcess([sys.executable, "-c", source])
    with pytest.raises(RunnerError) as caught:
        process.ask({"do": "run"}, [MUCH])
    assert not process.alive
    with pytest.raises(RunnerError, match="the runner has ended before hello"):
        process.ask({"do": "hello"})
    return str(caught.value)


def test_what_speaks_while_it_is_sent_a_request_is_no_runner():
    message = "the runner broke the protocol: it wrote b'hello' instead of an answer to run"
    assert failure("import os, time; os.write(1, b'hello'); time.sleep(3600)") == message


def test_what_leaves_while_it_is_sent_a_request_has_failed_itself():
    assert failure("import sys; sys.stdin.buffer.read(100); sys.exit(4)") == (
        "the runner itself failed in run, with exit code 4: see the log"
    )


def test_what_crashes_before_it_has_answered_anything_has_failed_itself():
    source = "import os, sys; sys.stdin.buffer.read(100); os.kill(os.getpid(), 9)"
    assert failure(source) == "the runner itself failed in run, killed by SIGKILL: see the log"
