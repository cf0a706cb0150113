"""A runner's process that speaks without being asked, or is gone while it is sent something."""

from __future__ import annotations

import os
import re
import signal
import sys

import pytest

np = pytest.importorskip("numpy")

from harness.probe.runtime import RunnerError  # noqa: E402
from harness.probe.runtimes.runner.process import RunnerProcess  # noqa: E402

MUCH = np.zeros(2**22, np.float32)
"""More than a pipe holds."""


def failure(source: str, content: tuple[np.ndarray, ...] = (MUCH,)) -> str:
    """The error of a request with that content to a program."""
    process = RunnerProcess([sys.executable, "-c", source])
    with pytest.raises(RunnerError) as caught:
        process.ask({"do": "run"}, content)
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


@pytest.mark.parametrize("content", [(), (MUCH,)], ids=["while it is read", "while it is written to"])
def test_a_helper_of_a_dead_runner_that_holds_its_pipes_hides_nothing(capfd, content):
    helper = "import os, subprocess, sys; sys.stdin.buffer.read(9); child = subprocess.Popen(['sleep', '3600'])"
    try:
        message = failure(f"{helper}; os.write(2, b'helper %d' % child.pid); os.kill(os.getpid(), 11)", content)
    finally:
        said = capfd.readouterr().err
        os.kill(int(re.search(r"helper (\d+)", said)[1]), signal.SIGKILL)
    assert message == "the runner itself failed in run, killed by SIGSEGV: see the log"


def test_what_is_written_to_stderr_while_nothing_else_is_said_does_not_block_the_runner(capfd):
    source = "import os, sys; sys.stdin.buffer.read(9); [os.write(2, b'x' * 4096) for _ in range(100)]; sys.exit(4)"
    assert failure(source, ()) == "the runner itself failed in run, with exit code 4: see the log"
    assert capfd.readouterr().err.count("x") == 409600
