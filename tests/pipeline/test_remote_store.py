"""A store behind a URL: an S3-compatible server on this machine gives the same report, and a second machine nothing to do."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elsewhere import comparable, fresh, kept, several
from project import Answer, Project, starts, wait_until
from pydantic import TypeAdapter

from harness.hashing import digest
from harness.store.envelope import RecordKind
from harness.store.mirror import cache_of
from harness.store.store import Store

KIND = RecordKind(name="anything", adapter=TypeAdapter(Any))
KEY = digest("key")


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty bucket."""
    pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("moto") / "log").open("wb")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log, subprocess.Popen(command, stdout=log, stderr=log) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("DASK_DISTRIBUTED__WORKER__PRELOAD", "dask_worker")
        try:
            wait_until(lambda: answers(port), 120)
            import botocore.session

            botocore.session.get_session().create_client("s3").create_bucket(Bucket="results")
            yield "s3://results"
        finally:
            server.terminate()


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Done with a folder as the store."""
    root = tmp_path_factory.mktemp("local")
    project = several(root, root / "gate")
    (root / "gate").touch()
    project.run("--jobs", "2")
    return project


def cached(project: Project, url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The local folder of the store behind `url`, in the project."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(project.root / "cache"))
    return cache_of(url)


def run_with(project: Project, url: str, *arguments: str) -> Answer:
    answer = project.call("run", "--store", url, *arguments)
    assert answer.code == 0, answer.err
    return answer


@pytest.mark.parametrize("executor", ["local", "dask"])
def test_a_bucket_as_the_store_gives_the_same_report(local, bucket, executor, tmp_path, monkeypatch):
    if executor == "dask":
        pytest.importorskip("distributed")
    project = fresh(local, tmp_path)
    url = f"{bucket}/{executor}"
    cache = cached(project, url, monkeypatch)
    run_with(project, url, "--executor", executor, "--jobs", "2")
    assert comparable(project) == comparable(local)
    assert len(starts(cache)) == len(local.starts())
    assert kept(cache) == []
    assert not project.store.exists()

    # Another machine, which knows nothing and has no packages.
    shutil.rmtree(cache)
    project.index.rename(project.root / "index-is-gone")
    run_with(project, url)
    assert comparable(project) == comparable(local)
    assert len(starts(cache)) == 0
    assert list((cache / "artifacts").iterdir()) == []


def test_another_machine_runs_what_is_new_on_artifacts_from_the_bucket(local, bucket, tmp_path, monkeypatch):
    project = fresh(local, tmp_path)
    url = f"{bucket}/new"
    cache = cached(project, url, monkeypatch)
    run_with(project, url, "--select", "onnxruntime==1.17.0")
    shutil.rmtree(cache)
    run_with(project, url)
    assert comparable(project) == comparable(local)
    # Not again: an export of each torch, the import and run of 1.17.0.
    assert len(starts(cache)) < len(local.starts())
    assert len(list((cache / "artifacts").iterdir())) > 0


def test_stores_share_results_artifacts_and_what_changes(bucket, tmp_path, monkeypatch):
    one, two = (at(tmp_path / name, f"{bucket}/shared", monkeypatch) for name in ("one", "two"))
    assert one.root != two.root
    one.put(KIND, KEY, {"a": 1})
    with one.scratch() as scratch:
        (scratch / "made" / "in").mkdir(parents=True)
        (scratch / "made" / "in" / "file").write_text("content")
        name = one.artifacts.publish(scratch / "made")
    assert two.get(KIND, KEY) is None
    two.refresh([KEY, digest("other")])
    assert two.get(KIND, KEY) == {"a": 1}
    one.put(KIND, KEY, {"a": 2})
    two = at(tmp_path / "two", f"{bucket}/shared", monkeypatch)
    assert two.get(KIND, KEY) == {"a": 2}
    assert two.artifacts.intact(name)
    assert (two.artifacts.folder(name) / "in" / "file").read_text() == "content"


def test_an_artifact_that_was_damaged_there_is_made_again(bucket, tmp_path, monkeypatch):
    import fsspec

    from harness.errors import StoreError

    url = f"{bucket}/damaged"
    one, two = (at(tmp_path / name, url, monkeypatch) for name in ("one", "two"))
    with one.scratch() as scratch:
        (scratch / "made").mkdir()
        (scratch / "made" / "file").write_text("content")
        name = one.artifacts.publish(scratch / "made")
    fs, root = fsspec.url_to_fs(url)
    fs.pipe_file(f"{root}/artifacts/{name}/file", b"other")
    with pytest.raises(StoreError, match="the next run makes it again"):
        two.artifacts.folder(name)
    assert not two.artifacts.intact(name)
    with one.scratch() as scratch:
        (scratch / "made").mkdir()
        (scratch / "made" / "file").write_text("content")
        assert one.artifacts.publish(scratch / "made") == name
    assert (two.artifacts.folder(name) / "file").read_text() == "content"


def at(cache: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return Store.open(url)


def test_a_bucket_that_is_not_there(project, bucket):
    answer = project.call("run", "--store", "s3://nobodys/store")
    assert answer.code == 2
    assert "error: the store s3://nobodys/store cannot be used" in answer.err
    assert "Traceback" not in answer.err


def test_fsspec_is_not_installed(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    answer = project.main("run", "--store", "s3://bucket/store")
    assert answer.code == 2
    assert "pip install 'export-matrix[remote]'" in answer.err
