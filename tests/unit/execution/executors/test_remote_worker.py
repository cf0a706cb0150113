"""A station in another folder than the one that planned, sharing only the store: what is sent, found out and sent back."""

from __future__ import annotations

import pickle
import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import packages
import pytest
from elsewhere import fresh
from project import Project, starts

from harness.diagnose import assembly
from harness.errors import HarnessError, StoreError
from harness.execution.executors import remote_worker
from harness.execution.executors.remote_worker import RemoteWorker, TaskRequest, TaskResult, run_config
from harness.execution.preparation import opened
from harness.execution.session import Session
from harness.execution.settings import Settings
from harness.model import Status
from harness.store import claims
from harness.store.mirror import cache_of
from harness.tasks import install, pending
from harness.tasks.export import Export
from harness.tasks.interface import Task
from harness.tasks.pending import outstanding
from harness.tasks.repetitions import Lessons
from harness.verdicts import control_model

MODULE = """
def load(options):
    raise NotImplementedError
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the project's store; stations have a cache of their own."""
    pytest.importorskip("fsspec")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return f"file://{tmp_path / 'store'}"


def planned(project: Project) -> Session:
    return opened(Settings(config=project.config, store=project.store, sandbox="off"), lambda _event: None)


def sent(one: Any) -> Any:
    """What arrives elsewhere."""
    return pickle.loads(pickle.dumps(one))


def work(session: Session, at: RemoteWorker, todo: Sequence[Task] | None = None) -> dict[str, TaskResult]:
    """Have everything done there, or what is given, and learn from it."""
    answers = {}
    for task in session.pending(session.cells) if todo is None else todo:
        answers[task.label] = answer = sent(at.perform(sent(remote_worker.task_request(task, session.records))))
        session.records.learn(answer.passing, answer.stored)
    return answers


@pytest.mark.parametrize("probe", ["family", "module", "checkpoint"])
def test_another_machine_answers_under_the_same_keys(project, elsewhere, probe):
    (project.root / "mine").mkdir()
    (project.root / "mine" / "probe.py").write_text(MODULE)
    (project.root / "mine" / "data.txt").write_text("data")
    (project.root / "mine" / "config.json").write_text("{}")
    asked = {
        "family": {},
        "module": {"module": "mine/probe.py", "files": ["*.txt"]},
        "checkpoint": {"model": "mine"},
    }
    project.configure(probe=asked[probe])
    session = planned(project)
    agreed = sent(run_config(session.context, elsewhere))
    # What belongs to the machine that planned is not there.
    (project.root / "mine").rename(project.root / "gone")
    there = RemoteWorker(agreed)
    (project.root / "gone").rename(project.root / "mine")
    answers = work(session, there)
    there.close()
    assert session.pending(session.cells) == []
    assert all(answer.stored for answer in answers.values())
    (verdict,) = session.verdicts()
    assert verdict.status is Status.WORKS
    own = cache_of(elsewhere)
    assert len(starts(own)) == 3
    assert project.starts() == []


def test_a_checkpoint_with_a_link_to_elsewhere_is_not_shared(project, elsewhere):
    (project.root / "mine").mkdir()
    (project.root / "mine" / "config.json").write_text("{}")
    (project.root / "mine" / "model.bin").symlink_to(project.config)
    project.configure(probe={"model": "mine"})
    with pytest.raises(HarnessError, match=r"the checkpoint cannot be shared: .*model\.bin is a link that leads out of"):
        run_config(planned(project).context, elsewhere)
    assert list((project.store / "artifacts").iterdir()) == []


def test_a_probe_module_takes_no_file_from_elsewhere(project):
    (project.root / "mine").mkdir()
    (project.root / "mine" / "probe.py").write_text(MODULE)
    (project.root / "mine" / "data.txt").symlink_to(project.config)
    project.configure(probe={"module": "mine/probe.py", "files": ["*.txt"]})
    answer = project.main("run")
    assert answer.code == 2
    assert "data.txt is a link that leads out of" in answer.err
    assert list((project.store / "artifacts").iterdir()) == []


def test_a_model_that_is_not_the_runs_is_itself_elsewhere_too(project, elsewhere):
    (project.root / "mine").mkdir()
    (project.root / "mine" / "config.json").write_text("{}")
    project.publish(packages.transformers("4.56.0", eager="if family is None: return [0.5], [0.75]"))
    project.configure({"transformers": ["4.56.0"]}, probe={"model": "mine"})
    session = planned(project)
    there = RemoteWorker(run_config(session.context, elsewhere))
    work(session, there)
    work(session, there, outstanding(control_model.needed(session.verdicts(), session.matrix.probe), session.records))
    there.close()
    ((variant,),) = (cell.variants for cell in assembly.report(session, session.verdicts()).cells)
    assert (variant.stage, variant.controls) == ("eager", {"model marian": "works"})


def test_what_is_to_be_forgotten_is_done_again(project, elsewhere):
    project.run()
    session = planned(project)
    all_tasks = [task for cell in session.tasks for task in cell.all]
    pending.invalidate(all_tasks, session.records, everything=True, statuses=())
    there = RemoteWorker(run_config(session.context, elsewhere))
    answers = work(session, there)
    there.close()
    assert len(answers) == 4
    assert session.records.passing == {}


def test_an_environment_that_cannot_be_built_here_is_no_word_on_the_lock(project, elsewhere):
    session = planned(project)
    install, *_ = session.pending(session.cells)
    export = next(task for task in session.pending(session.cells) if isinstance(task, Export))
    first = RemoteWorker(run_config(session.context, elsewhere))
    for one in (install, *(need for need in export.needs)):
        answer = first.perform(remote_worker.task_request(one, session.records))
        session.records.learn(answer.passing, answer.stored)
    first.close()
    project.index.rename(project.root / "index-is-gone")
    second = RemoteWorker(run_config(session.context, elsewhere))
    with pytest.raises(RuntimeError, match="its environment cannot be built here"):
        second.perform(remote_worker.task_request(export, session.records))
    second.close()
    (result,) = session.records.get(install.key).stages
    assert result.status == "works"


def test_a_task_whose_install_did_not_work_is_not_begun(project, elsewhere):
    session = planned(project)
    export = next(task for task in session.pending(session.cells) if isinstance(task, Export))
    there = RemoteWorker(run_config(session.context, elsewhere))
    assert there.perform(remote_worker.task_request(export, session.records)) == TaskResult(
        repeated=Lessons(), passing={}, stored=[]
    )
    there.close()


def test_another_platform_would_answer_another_question(project, elsewhere, monkeypatch):
    session = planned(project)
    order = remote_worker.task_request(session.pending(session.cells)[0], session.records)
    there = RemoteWorker(run_config(session.context, elsewhere))
    monkeypatch.setattr(install, "platform_id", lambda: "Plan9")
    with pytest.raises(RuntimeError, match="another platform than the machine that planned"):
        there.perform(order)


def test_no_such_interpreter_there(project, elsewhere, monkeypatch):
    session = planned(project)
    there = RemoteWorker(run_config(session.context, elsewhere))
    monkeypatch.setattr(there._pythons, "find", lambda _version: None)
    (task, *_), none = session.pending(session.cells), frozenset()
    with pytest.raises(RuntimeError, match="has no CPython 3"):
        there.perform(TaskRequest(task=task, known={}, unknown=none, held=none, repeated=Lessons()))


def test_a_store_that_is_not_shared_is_found_out(project, elsewhere):
    session = planned(project)
    there = RemoteWorker(run_config(session.context, f"{elsewhere}-of-somebody-else"))
    with pytest.raises(StoreError, match="that all machines share"):
        work(session, there)
    there.close()


def test_what_another_run_on_this_store_does_meanwhile_is_not_done_again(project, tmp_path, monkeypatch):
    done = fresh(project, tmp_path / "done")
    done.run()
    session = planned(project)
    there = RemoteWorker(run_config(session.context, project.store))
    installs, export = [], None
    for task in session.pending(session.cells):
        installs += [task] if task.installs else []
        export = export or (task if isinstance(task, Export) else None)
    assert export
    work(session, there, installs)
    waits = threading.Event()

    def sleep(seconds: float) -> None:
        waits.set()
        time.sleep(seconds)

    monkeypatch.setattr(claims, "time", SimpleNamespace(sleep=sleep))
    with ThreadPoolExecutor(1) as pool:
        with session.store.claim(export.claim, lambda: None):
            answer = pool.submit(there.perform, sent(remote_worker.task_request(export, session.records)))
            assert waits.wait(60)
            for name in ("results", "artifacts"):
                shutil.copytree(done.store / name, project.store / name, dirs_exist_ok=True)
        result = sent(answer.result(60))
    there.close()
    assert export.key in result.stored
    assert project.starts() == []
    session.records.learn(result.passing, result.stored)
    assert not export.is_pending(session.records)


def test_without_a_secret_channel_no_password_is_sent(project, monkeypatch):
    session = planned(project)
    secret = {
        "index": ["https://user:s3kr3t@index.example/simple", "mine=https://s3kr3t@mine.example"],
        "default_index": "https://user:s3kr3t@default.example",
        "find_links": ["https://user:s3kr3t@links.example", "wheels"],
    }
    uv = replace(session.context.uv, sources=session.context.uv.sources.model_copy(update=secret))
    context = replace(session.context, uv=uv)
    kept = run_config(context, project.store, secrets=True)
    assert kept.sources == uv.sources
    plain = run_config(context, project.store, secrets=False)
    assert "s3kr3t" not in repr(pickle.dumps(plain))
    assert plain.sources.index == ["https://index.example/simple", "mine=https://mine.example"]
    assert plain.sources.default_index == "https://default.example"
    assert plain.sources.find_links == ["https://links.example", "wheels"]
