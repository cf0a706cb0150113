"""Child processes: environment, limits, groups, logs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from project import alive, wait_until

from harness import process_groups, subprocesses
from harness.subprocesses import Exit, ExitReason, Supervisor, chosen_environment


def run(source: str, folder: Path, **given) -> Exit:
    settings = {"time_limit": 20.0, "memory_limit": 10**9, "env": chosen_environment(), "log": folder / "log", **given}
    return Supervisor().run([sys.executable, "-I", "-c", source], cwd=folder, **settings)


def test_the_exit_code_and_the_output(tmp_path):
    ended = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path)
    assert (ended.ending, ended.code) == (ExitReason.EXITED, 3)
    assert (tmp_path / "log").read_text().split() == ["out", "err"] or (tmp_path / "log").read_text().split() == ["err", "out"]


def test_output_is_appended(tmp_path):
    (tmp_path / "log").write_text("before\n")
    run("print('after')", tmp_path)
    assert (tmp_path / "log").read_text() == "before\nafter\n"


def test_a_signal_is_a_negative_code(tmp_path):
    assert run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", tmp_path).code == -11


def test_stdin_is_empty(tmp_path):
    run("import sys; print(repr(sys.stdin.read()))", tmp_path)
    assert (tmp_path / "log").read_text() == "''\n"


def test_the_time_limit_counts_from_the_start(tmp_path):
    assert run("import time; time.sleep(60)", tmp_path, time_limit=0.3).ending is ExitReason.TIMEOUT


def test_a_sign_of_progress_sets_the_time_limit_back(tmp_path):
    ended = run("import time; time.sleep(1)", tmp_path, time_limit=0.5, last_sign=time.time)
    assert ended.ending is ExitReason.EXITED


def test_memory_is_that_of_the_whole_group(tmp_path):
    hoard = "hoard = b'x' * 300_000_000; import time; time.sleep(60)"
    source = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hoard!r}])"
    ended = run(source, tmp_path, memory_limit=200_000_000)
    assert ended.ending is ExitReason.MEMORY
    assert ended.peak_memory > 200_000_000


ESCAPES = {
    "child": "print(subprocess.Popen(sleep, env={}, start_new_session=True).pid, flush=True)",
    "daemon": "os.fork() or (os.setsid(), os.fork() or (print(os.getpid(), flush=True), os.execve(sleep[0], sleep, {})))",
}


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux alone")
@pytest.mark.parametrize("way", ESCAPES)
def test_what_leaves_group_and_variables_behind_is_killed_too(tmp_path, way):
    source = f"import os, subprocess, time; sleep = ['/bin/sleep', '97']\n{ESCAPES[way]}\ntime.sleep(0.5)"
    run(source, tmp_path)
    assert not alive(int((tmp_path / "log").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux alone")
def test_another_child_keeps_what_it_has_started(tmp_path):
    supervisor = Supervisor()
    log = tmp_path / "log"
    source = f"import os, subprocess, time; sleep = ['/bin/sleep', '97']\n{ESCAPES['daemon']}\ntime.sleep(97)"
    child = supervisor.start([sys.executable, "-I", "-c", source], env=chosen_environment(), cwd=tmp_path, log=log)
    wait_until(lambda: log.read_text().endswith("\n"))
    (tmp_path / "other").mkdir()
    run("pass", tmp_path / "other")
    escaped = int(log.read_text())
    assert alive(escaped)
    supervisor.end(child)
    assert not alive(escaped)


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux alone")
def test_a_child_of_whoever_uses_the_harness_is_left_alone(tmp_path):
    """Started meanwhile, in a session of its own, without our variables: as what a probe has left, but by another hand."""
    supervisor = Supervisor()
    with subprocess.Popen(["sleep", "97"], start_new_session=True, env={}) as own:
        try:
            supervisor.run(
                [sys.executable, "-I", "-c", "pass"],
                env=chosen_environment(),
                cwd=tmp_path,
                log=tmp_path / "log",
                time_limit=20,
                memory_limit=10**9,
            )
            assert own.poll() is None
            assert alive(own.pid)
        finally:
            own.kill()


ADOPTS = """
import ctypes, gc
from harness.subprocesses import Supervisor
def adopts():
    found = ctypes.c_int()
    ctypes.CDLL(None).prctl(37, ctypes.byref(found))
    return found.value
said = [adopts()]
one, other = Supervisor(), Supervisor()
said.append(adopts())
del one
gc.collect()
said.append(adopts())
del other
gc.collect()
print(*said, adopts())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux alone")
def test_orphans_are_adopted_as_long_as_there_is_a_supervisor():
    done = subprocess.run([sys.executable, "-c", ADOPTS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1", "1", "0"]


@pytest.mark.parametrize(
    ("in_child", "ending"), [("", ExitReason.EXITED), ("hoard = bytearray(b'y') * 200_000_000", ExitReason.MEMORY)]
)
def test_memory_that_processes_share_counts_once(tmp_path, in_child, ending):
    """Two processes with the 200 MB of one, and with 200 MB each."""
    source = f"""
import os, time
hoard = bytearray(b"x") * 200_000_000
if not os.fork():
    {in_child}
    time.sleep(1.5)
    os._exit(0)
os.wait()
"""
    assert run(source, tmp_path, memory_limit=350_000_000).ending is ending


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux alone")
def test_no_child_that_another_supervisor_starts_just_now_is_taken_for_an_orphan(tmp_path, monkeypatch):
    """Each run has a supervisor, and a worker of dask may be at several runs."""
    looks, started = threading.Event(), threading.Event()
    kill = process_groups.kill_orphans

    def slowly(since: float) -> None:
        looks.set()
        started.wait(1)
        kill(since)

    monkeypatch.setattr(process_groups, "kill_orphans", slowly)
    ending = threading.Thread(target=run, args=("", tmp_path))
    ending.start()
    assert looks.wait(20)
    other = Supervisor()
    child = other.start(["sleep", "60"], env=chosen_environment(), cwd=tmp_path, log=tmp_path / "other.log")
    started.set()
    ending.join(20)
    assert alive(child.pid)
    other.end(child)


def test_stop_kills_what_lives_and_lets_nothing_start(tmp_path):
    living = Supervisor()
    ended: list[Exit] = []
    source = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    settings = {"env": chosen_environment(), "cwd": tmp_path, "log": tmp_path / "log", "time_limit": 60, "memory_limit": 10**9}
    thread = threading.Thread(target=lambda: ended.append(living.run([sys.executable, "-c", source], **settings)))
    thread.start()
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    living.stop()
    thread.join(10)
    assert [one.code for one in ended] == [-9]
    assert not alive(int((tmp_path / "pid").read_text()))
    with pytest.raises(InterruptedError):
        living.check()
    with pytest.raises(InterruptedError):
        living.run(["true"], **settings)


def test_the_environment_is_put_together_variable_by_variable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("LANG", "C.UTF-8")
    assert "PYTHONPATH" not in chosen_environment()
    assert chosen_environment()["LANG"] == "C.UTF-8"
    assert chosen_environment(LANG="C")["LANG"] == "C"


def test_a_log_that_has_grown_too_long_keeps_its_head_and_its_end_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocesses, "LOG_LIMIT", 800)
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as output:
        output.write(b"head" + b"x" * 2000 + b"end")
        subprocesses.cut_back(log)
        output.write(b"tail")
    text = log.read_text()
    assert text.startswith("head" + "x" * 96 + "\n[the harness cut the output here")
    assert text.endswith("xendtail")
    assert len(text) < 500


def test_the_last_words_of_a_flood_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocesses, "LOG_LIMIT", 800)
    run("print('x' * 10_000); print('last words', flush=True); import os; os.abort()", tmp_path)
    text = (tmp_path / "log").read_text()
    assert text.endswith("last words\n")
    assert len(text) < 500


def test_a_short_log_is_left_alone(tmp_path):
    (tmp_path / "log").write_text("short")
    subprocesses.cut_back(tmp_path / "log")
    assert (tmp_path / "log").read_text() == "short"
