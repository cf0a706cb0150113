"""What a hostile package gets, with and without the sandbox; and that a refusal is never a fact about versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import attacks
import packages
import psutil
import pytest
from attacks import Sizes, Victims
from offered import OFFERED, needs
from project import Project, alive, wait_until

from harness import subprocesses
from harness.execution.process import probe_process, probe_results, sandbox
from harness.execution.process.sandbox import OFF, Sandbox
from harness.probe.confinement import TCP_ABI

pytestmark = pytest.mark.usefixtures("installed_once")

MAY = "the sandbox may have refused it: --sandbox off tries it without"
LIMITS = {"time-limit": "60s", "memory-limit": "300MB", "disk-limit": "20MB"}

GUARDED = {
    # attack: (the gap through which it succeeds, its status and words of its error else)
    "socket": ("the network can be used", "error", ""),
    "write outside": ("files can be written", "error", MAY),
    "read home": ("files of others can be read", "error", ""),
    "rewrite the store": ("files can be written", "error", MAY),
    "plant bytecode": ("files can be written", "error", MAY),
    "end a process": ("other processes can be ended", "error", MAY),
    "see processes": ("other processes can be seen", "fails", "not seen"),
}
ALWAYS = {
    # attack: (status, words of its error), whatever confines it
    "a link for the log": ("fails", "planted"),
    "events": ("error", "more than 500 events"),
    "fork bomb": ("error", "more than 30 processes in decode"),
    "memory": ("error", "more than 0.3 GB resident in decode"),
    "temporary files": ("error", "more than 20 MB of files in decode"),
    # Killed for it, or refused by the kernel at twice the limit, whichever comes first.
    "one large file": ("error", ""),
    "log": ("works", None),
    "daemon": ("works", None),
    "artifact": ("error", "more than 20 MB of files"),
    "while imported": ("works", None),
    "before all imports": ("works", None),
    "a link to a secret as artifact": ("works", None),
}
NOTHING = Sandbox(reason="unshare: Operation not permitted")


def confining(mode: str) -> Sandbox:
    return NOTHING if mode == "off" else OFFERED


@pytest.fixture(scope="module", params=["auto", "off"])
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, ...]]:
    """One run, confined as far as this machine can or not: a distribution for each attack."""
    project = Project(tmp_path_factory.mktemp("attacked"))
    project.sandbox = request.param
    victims = Victims(project)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe_process, "_EVENTS", 500)
        for module in (subprocesses, probe_results):
            patch.setattr(module, "PROCESSES", 30)
        ends = attacks.ends(project, attacks.wheels(victims, Sizes()), "--jobs", "2", **LIMITS)
    yield confining(request.param), project, victims, ends
    victims.close()


@pytest.mark.parametrize("attack", [*GUARDED, *ALWAYS])
def test_each_attack_has_its_answer(attacked, attack):
    found, _, _, ends = attacked
    gap, *answer = GUARDED.get(attack, (None, *ALWAYS.get(attack, ())))
    status, words = ("works", None) if gap in found.gaps else answer
    (variant,) = ends[attack]["variants"]
    assert variant["status"] == status, variant["error"]
    assert variant["error"] is None if words is None else words in variant["error"]


def test_what_is_outside_of_a_probe_is_touched_only_without_the_sandbox(attacked):
    found, _, victims, _ = attacked
    gaps = found.gaps
    written = [victims.outside, victims.record, victims.shared]
    written += [Path(f"{victims.outside}-import"), Path(f"{victims.outside}-startup")]
    assert {path.exists() for path in written} == {"files can be written" in gaps}
    # What is not compiled here is removed when the run ends.
    assert not victims.bytecode.exists() or "files can be written" in gaps
    assert (victims.process.poll() is None) == ("other processes can be ended" not in gaps)
    assert (victims.connections > 0) == ("the network can be used" in gaps)


def test_the_harness_follows_no_link_that_a_probe_has_made(attacked):
    _, project, victims, _ = attacked
    assert victims.settings.read_text() == "mine\n"
    assert attacks.secrets_kept(project, victims) == []


def test_nothing_outlives_the_run(attacked):
    _, _, victims, _ = attacked
    wait_until(lambda: not daemons(victims))


def daemons(victims: Victims) -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["cmdline"]) if victims.daemon in (process.info["cmdline"] or ())]


def test_the_report_says_what_was_in_force(attacked):
    found, project, _, _ = attacked
    assert project.report()["sandbox"] == [found.words]
    assert f"Probes were confined by: {found.words}." in (project.reports / "matrix.md").read_text()


@pytest.mark.parametrize("mode", ["auto", "off"])
def test_a_probe_that_ends_its_parent(project, mode):
    project.sandbox = mode
    project.publish(packages.onnxruntime("1.17.0", on_run="import os, signal; os.kill(os.getppid(), signal.SIGKILL)"))
    project.configure({"onnxruntime": ["1.17.0"]})
    answer = project.call("run", "--no-forks")
    # Killed with the harness, or refused in a run that comes to its report.
    may = "other processes can be ended" in confining(mode).gaps
    assert answer.code == (-9 if may else 3), answer.err
    assert ("Operation not permitted" in answer.err) != may


REFUSALS = {
    "an exception": "raise PermissionError(13, 'Permission denied')",
    "one that hides it": "try:\n    raise PermissionError(13, 'no')\nexcept OSError:\n    raise ValueError('bad') from None",
    "a text of C++": "raise RuntimeError('open /x: Permission denied')",
    "an exit": "import os; os.write(2, b'cannot open /x: Read-only file system\\n'); os._exit(3)",
}
if OFFERED.namespaces:
    REFUSALS["a file that is not shown"] = "open('/run/nothing-of-this-name')"


@needs(lambda found: found.words != OFF, "anything that confines a process")
def test_what_may_be_refused_is_an_error_and_without_the_sandbox_a_fact(project):
    project.publish(*(packages.onnxruntime(f"1.99.{number}", on_run=source) for number, source in enumerate(REFUSALS.values())))
    project.configure({"onnxruntime": [f"1.99.{number}" for number in range(len(REFUSALS))]})
    project.sandbox = "auto"
    variants = [cell["variants"][0] for cell in project.run("--jobs", "2").values()]
    assert [(one["status"], one["stage"], one["error_type"]) for one in variants] == [("error", "decode", "sandbox")] * len(
        REFUSALS
    )
    assert all(MAY in one["error"] for one in variants)
    # Without the sandbox nothing of that is known, with no option that would run it again.
    project.sandbox = "off"
    assert {cell["status"] for cell in project.run("--jobs", "2").values()} == {"fails"}
    # A fact stays one.
    project.sandbox = "auto"
    assert {cell["status"] for cell in project.run().values()} == {"fails"}


def test_no_key_depends_on_the_sandbox(project):
    project.sandbox = "off"
    project.run()
    started = len(project.starts())
    project.sandbox = "auto"
    project.run()
    assert len(project.starts()) == started
    assert project.report()["sandbox"] == ["off"]


def test_require_runs_nothing_where_there_is_nothing(project, monkeypatch):
    monkeypatch.setattr(sandbox, "offered", lambda: NOTHING)
    project.sandbox = "require"
    answer = project.main("run")
    assert answer.code == 2
    assert "which takes user namespaces (unshare: Operation not permitted);" in answer.err
    assert not (project.reports / "matrix.json").exists()
    project.sandbox = "auto"
    answer = project.main("run")
    assert answer.code == 0
    assert "probes are not confined" in answer.err
    assert project.report()["sandbox"] == ["off"]


@needs(lambda found: found.is_complete, "what keeps both files and the network from probes")
def test_require_runs_where_there_is_enough(project):
    project.sandbox = "require"
    (cell,) = project.run().values()
    assert cell["status"] == "works"


@needs(lambda found: found.landlock >= TCP_ABI, f"Landlock {TCP_ABI} or later")
def test_landlock_keeps_files_and_the_network_by_itself(project, monkeypatch):
    _attacked_with(replace(OFFERED, namespaces=()), project, monkeypatch)


@needs(lambda found: found.namespaces, "namespaces")
def test_namespaces_keep_files_and_the_network_by_themselves(project, monkeypatch):
    _attacked_with(replace(OFFERED, landlock=0), project, monkeypatch)


def _attacked_with(found: Sandbox, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "offered", lambda: found)
    victims = Victims(project)
    hostile = attacks.wheels(victims, Sizes())
    names = ["socket", "write outside", "rewrite the store", "end a process", "daemon"]
    project.sandbox = "auto"
    try:
        ends = attacks.ends(project, {name: hostile[name] for name in names}, "--jobs", "2")
        statuses = {name: cell["variants"][0]["status"] for name, cell in ends.items()}
        # The folder of this test may lie in /tmp, of which it sees another one.
        assert statuses.pop("write outside") in {"error", "works"}
        may_end = "other processes can be ended" in found.gaps
        assert statuses == {
            "socket": "error",
            "rewrite the store": "error",
            "end a process": "works" if may_end else "error",
            "daemon": "works",
        }
        assert not victims.outside.exists()
        assert not victims.record.exists()
        assert victims.connections == 0
        assert (victims.process.poll() is None) != may_end
        assert project.report()["sandbox"] == [found.words]
    finally:
        victims.close()
    wait_until(lambda: not alive(victims.process.pid))
    wait_until(lambda: not daemons(victims))


def test_what_confined_probes_import_is_compiled_for_those_that_come_later(project):
    project.sandbox = "auto"
    project.run()
    compiled = {path.parent.name for path in (project.store / "bytecode").rglob("*.pyc") if "envs" in path.parts}
    # The numpy beside onnxruntime is in an environment that is removed before the server's imports may be compiled.
    assert {"torch", "transformers", "onnx"} <= compiled
