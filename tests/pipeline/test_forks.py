"""Exports that share torch and transformers are forks of one process, and so are runs of one onnxruntime, where it is sound."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import packages
import psutil
import pytest
from project import Project, alive, wait_until

from harness import process_groups
from harness.execution.process import fork_channel, forked
from harness.execution.process.fork_server import ForkServer

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="nothing is forked elsewhere"),
    pytest.mark.usefixtures("installed_once"),
]

Messages = Callable[[socket.socket], Iterator[tuple[int, bytes]]]

SAYS = "import torch; raise RuntimeError(f'torch remembers {torch.REMEMBERED}')"


@pytest.mark.parametrize("command", [["run"], ["cell", "py311-t210-tf4463-o1162-r1163-handoff"]])
def test_without_forks_every_probe_is_started(two, command):
    assert two.main(*command, "--no-forks").code == 0
    assert two.starts("forkserver") == []
    assert {*servers(two, "export"), *servers(two, "run")} == {None}


def test_a_server_without_work_leaves_by_itself(two, monkeypatch):
    """Of a process that is killed with its namespace nobody learns how much CPU time its forks have taken."""
    killed: list[int] = []

    def kill_group(group: int, kill: Callable[[int], None] = process_groups.kill_group) -> None:
        killed.extend([group] if psutil.pid_exists(group) else [])
        kill(group)

    monkeypatch.setattr(process_groups, "kill_group", kill_group)
    two.run()
    served = {start["pid"] for start in two.starts("forkserver")}
    assert served
    assert served.isdisjoint(killed)


@pytest.fixture
def two(project: Project) -> Project:
    """Two onnx, each with an export of its own, beside one torch and one transformers; handoff."""
    project.publish(packages.onnx("1.17.0"))
    return both(project)


def both(project: Project) -> Project:
    """The cells of two onnx."""
    project.configure({"onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    return project


def servers(project: Project, kind: str) -> list[int | None]:
    """For each process of `kind` the fork server that it is a fork of."""
    return [start["server"] for start in project.starts(kind)]


def torch_alone(project: Project) -> list[int | None]:
    """For each export the fork server with torch alone that its own server is a fork of."""
    outer = {server["pid"]: server["server"] for server in project.starts("forkserver")}
    return [outer.get(server) for server in servers(project, "export")]


def remembered(project: Project) -> list[str]:
    """What the exports of the two onnx died of."""
    cells = project.run().values()
    return [cell["variants"][0]["error"] for cell in cells]


@pytest.mark.usefixtures("confined")
def test_what_is_imported_alike_is_imported_once(two):
    assert {cell["status"] for cell in two.run().values()} == {"works"}
    torch, exporting, running = two.starts("forkserver")
    assert (torch["server"], exporting["server"], running["server"]) == (None, torch["pid"], None)
    assert servers(two, "export") == [exporting["pid"]] * 2
    assert servers(two, "run") == [running["pid"]] * len(two.starts("run"))
    assert not any(alive(one["pid"]) for one in two.starts("forkserver"))


@pytest.fixture
def generations(project: Project) -> Project:
    """Two transformers beside one torch, each with an export of its own, that tells what torch remembers."""
    project.publish(
        packages.package("tokenizers", "0.1"),
        packages.package("tokenizers", "0.2"),
        packages.transformers("4.50.0", requires=("tokenizers==0.1",), eager=SAYS),
        packages.transformers("5.0.0", requires=("tokenizers==0.2",), eager=SAYS),
    )
    return project


def eras(project: Project, on_import: str) -> tuple[list[str], list[bool]]:
    """What the exports of the two transformers died of, and whether each was forked, where torch imports like this."""
    project.publish(packages.torch("2.2.0", on_import=on_import))
    project.configure({"torch": ["2.2.0"], "transformers": ["4.50.0", "5.0.0"]}, setup=["handoff"])
    cells = project.run("--jobs", "1", "--no-remedies").values()
    return [cell["variants"][0]["error"] for cell in cells], list(map(bool, servers(project, "export")))[:2]


@pytest.mark.usefixtures("confined")
def test_torch_is_imported_once_for_several_transformers(generations):
    errors, forked = eras(generations, "import os; REMEMBERED = f'process {os.getpid()}'")
    torch = torch_alone(generations)[0]
    assert torch_alone(generations)[:2] == [torch] * 2
    assert errors == [f"torch remembers process {torch}"] * 2
    assert forked == [True, True]
    assert len(set(servers(generations, "export")[:2])) == 2


def test_a_version_that_torch_has_asked_for_is_that_beside_its_own_transformers(generations):
    errors, forked = eras(generations, "import importlib.metadata\nREMEMBERED = importlib.metadata.version('tokenizers')")
    assert errors == ["torch remembers 0.1", "torch remembers 0.2"]
    assert forked == [True, True]
    assert list(map(bool, torch_alone(generations)[:2])) == [True, False]


def test_torch_that_loads_what_transformers_brings_is_imported_for_each_of_them(generations):
    errors, forked = eras(generations, "import tokenizers\nREMEMBERED = tokenizers.__version__")
    assert errors == ["torch remembers 0.1", "torch remembers 0.2"]
    assert forked == [True, True]
    assert torch_alone(generations)[:2] == [None, None]


def test_a_fork_is_in_the_environment_of_its_own_job(two):
    two.run("--keep-envs", "--jobs", "1")
    older, newer = two.starts("export")
    sites = [{path for path in one["path"] if "site-packages" in path} for one in (older, newer)]
    has = [{path.name for site in one for path in Path(site).glob("onnx-*.dist-info")} for one in sites]
    assert sorted(has, key=str) == [{"onnx-1.16.2.dist-info"}, {"onnx-1.17.0.dist-info"}]
    assert older["python"] != newer["python"]
    assert Path(newer["python"]).exists()
    for one in (older, newer):
        assert one["environ"]["HOME"].startswith(str(two.store))
    assert older["environ"]["HOME"] != newer["environ"]["HOME"]
    assert older["environ"].keys() == newer["environ"].keys()


def test_from_scratch_it_comes_out_the_same_and_nothing_is_forked(two):
    answer = two.main("run", "--audit", "100%")
    assert answer.err.count("the same from scratch") == 2
    assert servers(two, "export")[2:] == [None, None]
    assert None not in servers(two, "export")[:2]


def test_a_version_that_a_package_has_asked_for_is_that_of_its_own_environment(two):
    two.publish(
        packages.torch("2.2.0", on_import="import importlib.metadata\nREMEMBERED = importlib.metadata.version('onnx')"),
        packages.transformers("4.50.0", eager=SAYS),
    )
    two.configure({"torch": ["2.2.0"], "transformers": ["4.50.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    assert remembered(two) == ["torch remembers 1.16.2", "torch remembers 1.17.0"]
    # One of each is of the model that a failing one is compared with, and one is the failing one once more.
    assert sorted(map(bool, servers(two, "export"))) == [False, False, False, True, True, True]


def test_a_module_that_a_package_has_searched_for_is_there_or_not_as_in_its_own_environment(project):
    project.publish(
        packages.package("ml_dtypes", "0.5.0"),
        packages.onnx("1.17.0", requires=("ml_dtypes",)),
        packages.torch(
            "2.2.0", on_import="import importlib.util\nREMEMBERED = importlib.util.find_spec('ml_dtypes') is not None"
        ),
        packages.transformers("4.50.0", eager=SAYS),
    )
    project.configure({"torch": ["2.2.0"], "transformers": ["4.50.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    assert remembered(project) == ["torch remembers False", "torch remembers True"]


def test_what_nobody_asked_for_may_differ(project):
    project.publish(packages.package("ml_dtypes", "0.5.0"), packages.onnx("1.17.0", requires=("ml_dtypes",)))
    both(project).run()
    assert len(set(servers(project, "export"))) == 1


@pytest.mark.parametrize(
    "on_import",
    [
        "import onnx",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    ],
    ids=["loads what is not shared", "starts a thread"],
)
def test_what_a_fork_would_not_have_alike_is_not_forked(two, on_import):
    two.publish(packages.torch("2.2.0", on_import=on_import))
    two.configure({"torch": ["2.2.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    assert {cell["status"] for cell in two.run().values()} == {"works"}
    assert servers(two, "export") == [None, None]
    assert len(two.starts("forkserver")) == 2 + 1  # with transformers it may be another matter; it is not tried again


def test_a_failure_to_import_is_that_of_a_process_of_its_own(two):
    two.publish(packages.torch("2.2.0", on_import=packages.SEGFAULT))
    two.configure({"torch": ["2.2.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    cells = two.run().values()
    assert [cell["variants"][0]["error"] for cell in cells] == ["killed by SIGSEGV in import"] * 2
    # Each once more at the end.
    assert servers(two, "export") == [None] * 4


def test_what_was_said_at_import_is_in_the_log_of_each_fork(two):
    two.publish(packages.torch("2.2.0", on_import="print('a word at import')"))
    two.configure({"torch": ["2.2.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    two.run()
    logs = [path.read_text() for path in (two.store / "logs").glob("*.log")]
    assert sum("a word at import" in log for log in logs) == 2


@pytest.mark.parametrize("torch_alone_dies", [False, True])
def test_a_server_that_dies_takes_no_verdict_with_it(two, torch_alone_dies):
    gate = two.notes / "gate"
    there = two.notes / "there"
    waits = f"import os, time\nopen({str(there)!r}, 'w')\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)"
    two.publish(packages.torch("2.2.0", on_export=waits))
    two.configure({"torch": ["2.2.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    with two.start("run", "--jobs", "1") as child:
        wait_until(there.exists)
        torch, exporting = two.starts("forkserver")
        (export,) = two.starts("export")
        os.kill((torch if torch_alone_dies else exporting)["pid"], signal.SIGKILL)
        wait_until(lambda: not alive(export["pid"]), 30)
        assert alive(torch["pid"]) != torch_alone_dies
        gate.touch()
        child.communicate(timeout=120)
    died, works = sorted(two.cells().values(), key=lambda cell: cell["status"])
    assert (died["status"], works["status"]) == ("error", "works")
    assert died["variants"][0]["error"] == "killed by SIGKILL in export"
    assert {cell["status"] for cell in two.run("--retry", "error").values()} == {"works"}


def test_a_server_serves_later_rounds_too(two):
    # With the model that a failing one is compared with, and once more at the end.
    two.publish(packages.transformers("4.50.0", eager=packages.raises("RuntimeError('no')")))
    two.configure({"transformers": ["4.50.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    two.run("--keep-envs")
    _, server = two.starts("forkserver")
    assert servers(two, "export") == [server["pid"]] * 6


def test_a_server_that_does_not_answer_is_done_without(two, monkeypatch):
    monkeypatch.setattr(forked, "PATIENCE", 0.5)
    two.publish(packages.torch("2.2.0", on_import="import os, time\nos.register_at_fork(before=lambda: time.sleep(600))"))
    two.configure({"torch": ["2.2.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    assert {cell["status"] for cell in two.run().values()} == {"works"}
    assert servers(two, "export") == [None, None]


def test_a_server_that_does_not_answer_takes_no_other_server_with_it(generations, monkeypatch):
    monkeypatch.setattr(forked, "PATIENCE", 2)
    hangs = """
import os, time
FORKS, ENOUGH = [], 1
def at_fork():
    FORKS.append(1)
    if len(FORKS) > ENOUGH:
        time.sleep(600)
os.register_at_fork(before=at_fork)
"""
    more = "import torch; torch.ENOUGH = 99"
    generations.publish(
        packages.torch("2.2.0", on_import=hangs, on_export="import time; time.sleep(5)"),
        packages.transformers("4.50.0", on_import=more, requires=("tokenizers==0.1",)),
        packages.transformers("5.0.0", on_import=more, requires=("tokenizers==0.2",)),
    )
    generations.configure({"torch": ["2.2.0"], "transformers": ["4.50.0", "5.0.0"]}, setup=["handoff"])
    assert {cell["status"] for cell in generations.run("--jobs", "2").values()} == {"works"}
    assert sorted(map(bool, torch_alone(generations))) == [False, True]


def test_torch_and_transformers_on_the_run_side_are_imported_as_ever(project):
    both = {"when": "python>=3", "add": ["torch<3", "transformers<9"], "reason": "on both sides"}
    project.configure({}, setup=["handoff"], constraint=[both])
    assert {cell["status"] for cell in project.run().values()} == {"works"}


def test_a_fork_that_cannot_be_made_is_done_without(two):
    fails = "import os\ndef fork(): raise BlockingIOError(11, 'Resource temporarily unavailable')\nos.fork = fork"
    two.publish(packages.torch("2.2.0", on_import=fails))
    two.configure({"torch": ["2.2.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    assert {cell["status"] for cell in two.run().values()} == {"works"}
    assert servers(two, "export") == [None, None]


@pytest.mark.usefixtures("confined")
def test_a_fork_that_has_ended_before_its_server_is_heard_is_a_fork_all_the_same(two, monkeypatch):
    """A busy machine: what a server tells is read late, when its fork is gone."""

    def late(channel: socket.socket, messages: Messages = fork_channel.messages) -> Iterator[tuple[int, bytes]]:
        for message in messages(channel):
            time.sleep(1)
            yield message

    monkeypatch.setattr(fork_channel, "messages", late)
    assert {cell["status"] for cell in two.run().values()} == {"works"}
    for kind in ("export", "run"):
        assert len(two.starts(kind)) == 2
        assert all(servers(two, kind))


def test_what_a_lost_fork_has_left_reaches_no_result(two, monkeypatch):
    """It was made, and did its job; its server is not believed, and another process does the job."""
    monkeypatch.setattr(ForkServer, "_is_descendant", lambda *_: False)
    two.publish(packages.onnxruntime("1.16.3", on_run=packages.raises("RuntimeError('no')")))
    found = both(two).run("--no-remedies")
    assert None in servers(two, "export")
    assert {(cell["status"], cell["variants"][0]["stage"]) for cell in found.values()} == {("fails", "decode")}
    for path in two.store.glob("results/*/*.json"):
        stages = [result["stage"] for result in json.loads(path.read_text())["value"].get("stages", ())]
        assert len(stages) == len({*stages}), path


def test_a_server_that_hoards_is_ended_as_a_probe_is(two):
    two.publish(packages.torch("2.2.0", on_import=packages.HOARD))
    limits = {"memory-limit": "300MB", "time-limit": "60s"}
    two.configure({"torch": ["2.2.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"], run=limits)
    two.main("run")
    assert {cell["variants"][0]["error"] for cell in two.cells().values()} == {"more than 0.3 GB resident in import"}


def test_what_floods_a_server_floods_no_log(two):
    flood = "import os\nfor _ in range(300): os.write(1, b'x' * 100_000)"
    two.publish(packages.torch("2.2.0", on_import=flood))
    two.configure({"torch": ["2.2.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    assert {cell["status"] for cell in two.run().values()} == {"works"}
    assert None not in servers(two, "export")
    assert max(path.stat().st_size for path in (two.store / "logs").glob("*.log")) < 10_000_000


def test_what_a_fork_has_left_running_is_gone_before_the_next(two):
    note = two.notes / "daemon"
    leaves = f"""
import os, time
note = {str(note)!r}
def runs(pid):
    try:
        return open(f'/proc/{{pid}}/stat').read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False
left = os.path.exists(note) and runs(int(open(note).read()))
daemon = os.fork()
if daemon == 0:
    os.setsid()
    time.sleep(30)
    os._exit(0)
open(note, 'w').write(str(daemon))
if left:
    raise RuntimeError('it is still there')
"""
    two.publish(packages.transformers("4.50.0", eager=leaves))
    two.configure({"transformers": ["4.50.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    assert {cell["status"] for cell in two.run("--jobs", "1").values()} == {"works"}
    assert None not in servers(two, "export")
    assert not alive(int(note.read_text()))


def test_a_server_that_dies_is_noticed_whoever_lives_on(two):
    there = two.notes / "there"
    waits = f"import time\nopen({str(there)!r}, 'w')\ntime.sleep(600)"
    two.publish(packages.torch("2.2.0", on_import="import os\nos.system('sleep 20 &')", on_export=waits))
    two.configure({"torch": ["2.2.0"], "onnx": ["1.16.2"]}, setup=["handoff"], run={"time-limit": "60s"})
    with two.start("run", "--jobs", "1") as child:
        wait_until(there.exists)
        os.kill(two.starts("forkserver")[0]["pid"], signal.SIGKILL)
        child.communicate(timeout=120)
    (died,) = two.cells().values()
    assert died["variants"][0]["error"] == "killed by SIGKILL in export"


@pytest.mark.parametrize("forks", [0, 1], ids=["alone", "two forks of one server"])
def test_a_temporary_file_of_an_import_is_each_forks_own(two, forks):
    """What torch has left in the temporary folder, and has remembered by name, is there in each fork, and is no other's."""
    keeps = """
import pathlib, tempfile
KEPT = tempfile.TemporaryDirectory(prefix='kept-')
(pathlib.Path(KEPT.name) / 'note').write_text('left at import ')
"""
    adds = """
import os, pathlib, socket, tempfile, torch
note = pathlib.Path(torch.KEPT.name) / 'note'
note.write_text(note.read_text() + 'and used')
listener = pathlib.Path(tempfile.mkdtemp(prefix='pymp-')) / 'listener-12345678'
socket.socket(socket.AF_UNIX).bind(str(listener))
own = pathlib.Path(os.environ['TMPDIR'])
raise RuntimeError(f'{note.read_text()}, {sorted(path.name[:5] for path in own.iterdir())}')
"""
    two.publish(packages.torch("2.2.0", on_import=keeps), packages.transformers("4.50.0", eager=adds))
    versions = ["1.16.2", "1.17.0"][: 1 + forks]
    two.configure({"torch": ["2.2.0"], "transformers": ["4.50.0"], "onnx": versions}, setup=["handoff"])
    cells = two.run("--jobs", "1").values()
    assert {cell["variants"][0]["error"] for cell in cells} == {"left at import and used, ['kept-', 'pymp-']"}
    assert None not in servers(two, "export")
    assert list((two.store / "tmp").iterdir()) == []


LEAVES = """
import os, pathlib, time
left, seen = pathlib.Path({left!r}), pathlib.Path({seen!r})
if left.exists():
    seen.write_text(str(os.path.exists("/proc/" + left.read_text())))
elif os.fork() == 0:
    os.setsid()
    for _ in range(3):
        if os.fork():
            time.sleep(600)
    left.write_text(str(os.getpid()))
    time.sleep(600)
else:
    while not left.exists() or not left.read_text():
        time.sleep(0.01)
"""
"""The first fork leaves processes that have started each other; the second one looks for the last of them."""


def test_all_that_a_fork_has_started_is_gone_when_its_end_is_known(two):
    left, seen = two.root / "left", two.root / "seen"
    two.publish(packages.torch("2.2.0", on_export=LEAVES.format(left=str(left), seen=str(seen))))
    two.configure({"torch": ["2.2.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    two.sandbox = "off"
    assert {cell["status"] for cell in two.run("--jobs", "1").values()} == {"works"}
    assert len(set(servers(two, "export"))) == 1
    assert seen.read_text() == "False"


def test_a_folder_of_any_depth_is_more_than_a_probe_may_leave(two):
    deep = """
import os
os.makedirs(os.path.dirname(path), exist_ok=True)
handle = os.open(os.path.dirname(path), os.O_RDONLY)
for _ in range(1500):
    os.mkdir("a" * 100, dir_fd=handle)
    handle, before = os.open("a" * 100, os.O_RDONLY, dir_fd=handle), handle
    os.close(before)
"""
    two.publish(packages.torch("2.2.0", on_export=deep))
    two.configure({"torch": ["2.2.0"], "onnx": ["1.16.2", "1.17.0"]}, setup=["handoff"])
    assert {cell["status"] for cell in two.run().values()} == {"error"}
    assert {cell["variants"][0]["error_type"] for cell in two.cells().values()} == {"disk"}
    assert list((two.store / "tmp").iterdir()) == []
    # And the store can be opened.
    assert two.main("report").code == 3
