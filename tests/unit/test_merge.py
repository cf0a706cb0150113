"""Stores that somebody else has written, merged: only what verifies comes in, and nothing from outside their folders."""

from __future__ import annotations

import datetime as dt
import os
import stat
from dataclasses import replace
from pathlib import Path

import envelopes
import pytest
from values import result

from harness import merge
from harness.environments.lock_records import LOCK, Solved
from harness.environments.lockfile import PublishedVersion
from harness.environments.published_versions import BETWEEN, PUBLISHED, VERSIONS
from harness.environments.sources import TORCH_BACKEND, TorchBackend
from harness.errors import ReportError, ShardError
from harness.hashing import digest
from harness.locked import Lock, LockedDistribution
from harness.model import Failure, Stage, StageResult, Status
from harness.store import foreign, plain_copy
from harness.store.store import Store
from harness.tasks.records import STAGES, Record
from harness.verdicts import report_file
from harness.verdicts.signature import signature

KEY, OTHER = digest("key"), digest("other")


@pytest.fixture
def ours(tmp_path):
    return Store(tmp_path / "ours")


@pytest.fixture
def theirs(tmp_path):
    """A store with an export, its artifact and its log."""
    store = Store(tmp_path / "theirs")
    with store.scratch() as scratch:
        (scratch / "made" / "in").mkdir(parents=True)
        (scratch / "made" / "model.onnx").write_text("graph")
        (scratch / "made" / "in" / "data").write_text("weights")
        artifact = store.artifacts.publish(scratch / "made")
    store.log(KEY).write_text("output")
    done = result(Stage.EXPORT)
    store.put(STAGES, KEY, Record(stages=(done,), limits=(1.0, 1.0), artifact=artifact))
    envelopes.rewrite(path_of(store), lambda value: {**value, "stages": [{**value["stages"][0], "log": f"logs/{KEY}.log"}]})
    (tmp_path / "private").write_text("PRIVATE")
    return store


def path_of(store: Store, key: str = KEY) -> Path:
    return store.root / "results" / key[:2] / f"{key}.json"


def artifact_of(store: Store) -> Path:
    (path,) = (store.root / "artifacts").iterdir()
    return path


def texts(store: Store) -> list[str]:
    """What the files of a store say, but for its records and its lock."""
    files = [path for path in store.root.rglob("*") if path.is_file() and path.suffix not in {".json", ".lock"}]
    return sorted(path.read_text() for path in files)


def test_records_artifacts_and_logs_are_copied(ours, theirs):
    assert merge.copy([theirs.root], ours) == []
    assert ours.get(STAGES, KEY) == theirs.get(STAGES, KEY)
    assert ours.artifacts.intact(artifact_of(theirs).name)
    assert texts(ours) == ["graph", "output", "weights"]
    assert list((ours.root / "tmp").iterdir()) == []


def test_permissions_are_not_copied(ours, theirs):
    for path in theirs.root.rglob("*"):
        if path.is_file():
            path.chmod(0o6777)
    merge.copy([theirs.root], ours)
    modes = {path.stat().st_mode for path in ours.root.rglob("*") if path.is_file()}
    assert modes
    assert not any(mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IXUSR) for mode in modes)


def with_log(store: Store, key: str, text: str, status: Status = Status.WORKS) -> None:
    """Have a result under `key` whose log is that of KEY."""
    store.log(KEY).write_text(text)
    done = replace(result(Stage.LOAD, status), log=f"logs/{KEY}.log")
    store.put(STAGES, key, Record(stages=(done,), limits=(1.0, 1.0)))


def logs(store: Store, key: str) -> list[str | None]:
    found = store.get(STAGES, key)
    return [one.log for one in found.stages] if found else []


def test_a_log_of_ones_own_is_not_replaced_by_another_results(ours, tmp_path):
    theirs = Store(tmp_path / "theirs")
    with_log(ours, KEY, "the true log")
    with_log(theirs, OTHER, "forged")
    (sentence,) = merge.copy([theirs.root], ours)
    assert f"{theirs.root}/logs/{KEY}.log is not the log that is here under that name" in sentence
    assert texts(ours) == ["the true log"]
    # The result is merged, and nobody takes that log for its own.
    assert logs(ours, OTHER) == [None]
    assert logs(ours, KEY) == [f"logs/{KEY}.log"]


def test_each_log_of_a_record_is_looked_at(ours, tmp_path):
    theirs = Store(tmp_path / "theirs")
    with_log(ours, KEY, "the true log")
    for key in (KEY, OTHER):
        theirs.log(key).write_text("theirs")
    stages = tuple(replace(result(stage), log=f"logs/{key}.log") for stage, key in ((Stage.LOAD, KEY), (Stage.DECODE, OTHER)))
    theirs.put(STAGES, OTHER, Record(stages=stages, limits=(1.0, 1.0)))
    assert len(merge.copy([theirs.root], ours)) == 1
    assert logs(ours, OTHER) == [None, f"logs/{OTHER}.log"]
    assert texts(ours) == ["the true log", "theirs"]


def test_a_record_whose_log_is_not_there_takes_none_from_here(ours, tmp_path):
    theirs = Store(tmp_path / "theirs")
    with_log(ours, KEY, "the true log")
    with_log(theirs, OTHER, "")
    theirs.log(KEY).unlink()
    assert merge.copy([theirs.root], ours) == []
    assert logs(ours, OTHER) == [None]


def test_the_log_of_a_result_goes_with_it(ours, tmp_path):
    theirs = Store(tmp_path / "theirs")
    with_log(ours, KEY, "of the error", Status.ERROR)
    with_log(theirs, KEY, "of the fact")
    with_log(theirs, OTHER, "of the fact")
    assert merge.copy([theirs.root], ours) == []
    assert texts(ours) == ["of the fact"]
    assert logs(ours, KEY) == logs(ours, OTHER) == [f"logs/{KEY}.log"]


def linked(path: Path, to: Path) -> None:
    path.unlink()
    path.symlink_to(to)


def a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def moved_out(path: Path) -> None:
    """The folder is a link to where it lies now."""
    outside = path.with_name(f"{path.name}-outside")
    path.rename(outside)
    path.symlink_to(outside)


REFUSED = {
    "a link beside an artifact's files": (
        lambda store, private: (artifact_of(store) / "extra").symlink_to(private),
        "holds 'extra', which is a symbolic link",
    ),
    "a link in place of an artifact's file": (
        lambda store, private: linked(artifact_of(store) / "model.onnx", private),
        "holds 'model.onnx', which is a symbolic link",
    ),
    "a FIFO in an artifact": (
        lambda store, private: os.mkfifo(artifact_of(store) / "in" / "pipe"),
        "holds 'pipe', which is a FIFO",
    ),
    "a link to a folder in an artifact": (
        lambda store, private: (artifact_of(store) / "folder").symlink_to(private.parent),
        "holds 'folder', which is a symbolic link",
    ),
    "another content": (
        lambda store, private: (artifact_of(store) / "model.onnx").write_text("other"),
        "does not hold what its name says",
    ),
    "an artifact that is a link": (lambda store, private: moved_out(artifact_of(store)), "is a symbolic link"),
    "artifacts that are a link": (lambda store, private: moved_out(store.root / "artifacts"), "is a symbolic link"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_artifact_that_is_not_what_its_name_says_is_refused(ours, theirs, tmp_path, case):
    spoil, problem = REFUSED[case]
    spoil(theirs, tmp_path / "private")
    (sentence,) = merge.copy([theirs.root], ours)
    assert problem in sentence
    assert list((ours.root / "artifacts").iterdir()) == []
    # And the rest is merged.
    assert ours.get(STAGES, KEY) is not None
    assert texts(ours) == ["output"]


def test_bytecode_is_no_part_of_an_artifact(ours, theirs):
    (artifact_of(theirs) / "__pycache__").mkdir()
    (artifact_of(theirs) / "__pycache__" / "probe.pyc").write_text("code")
    assert merge.copy([theirs.root], ours) == []
    assert "code" not in texts(ours)


@pytest.mark.parametrize(
    ("limit", "problem"),
    [
        ((foreign, "_ARTIFACT_LIMIT"), "more than"),
        ((foreign, "_FILES_LIMIT"), "has too many files"),
        ((plain_copy, "DEPTH_LIMIT"), "has more than 1 folders within each other"),
    ],
)
def test_an_artifact_that_is_too_large_is_refused(ours, theirs, limit, problem, monkeypatch):
    monkeypatch.setattr(*limit, 1)
    (sentence,) = merge.copy([theirs.root], ours)
    assert problem in sentence
    assert list((ours.root / "artifacts").iterdir()) == []


def test_a_record_that_is_too_large_is_refused(ours, theirs, monkeypatch):
    monkeypatch.setattr(foreign, "LIMIT", path_of(theirs).stat().st_size - 1)
    (sentence,) = merge.copy([theirs.root], ours)
    assert f"{KEY}.json" in sentence
    assert "bytes, more than the" in sentence
    assert ours.get(STAGES, KEY) is None


def test_a_log_that_is_too_large_is_refused_and_the_rest_is_merged(ours, theirs, monkeypatch):
    monkeypatch.setattr(foreign, "LOG_LIMIT", theirs.log(KEY).stat().st_size - 1)
    (sentence,) = merge.copy([theirs.root], ours)
    assert f"{KEY}.log" in sentence
    assert "bytes, more than the" in sentence
    assert ours.get(STAGES, KEY) is not None
    assert texts(ours) == ["graph", "weights"]


@pytest.mark.parametrize("make", [a_fifo, lambda path: linked(path, path.parents[2] / "private")])
def test_a_log_that_is_no_regular_file_is_refused(ours, theirs, make):
    make(theirs.log(KEY))
    (sentence,) = merge.copy([theirs.root], ours)
    assert f"logs/{KEY}.log is a " in sentence
    assert list((ours.root / "logs").iterdir()) == []


@pytest.mark.parametrize("make", [a_fifo, lambda path: linked(path, path.parents[2] / "whole")])
def test_a_record_that_is_no_regular_file_is_refused(ours, theirs, make):
    (theirs.root / "whole").write_bytes(path_of(theirs).read_bytes())
    make(path_of(theirs))
    (sentence,) = merge.copy([theirs.root], ours)
    assert f"{KEY}.json is a " in sentence
    assert ours.get(STAGES, KEY) is None


@pytest.mark.parametrize("folder", ["results", f"results/{KEY[:2]}"])
def test_folders_of_records_that_are_links_are_refused(ours, theirs, folder):
    moved_out(theirs.root / folder)
    sentences = merge.copy([theirs.root], ours)
    assert any(f"{folder} is a symbolic link, not a regular file" in sentence for sentence in sentences)
    assert ours.get(STAGES, KEY) is None


@pytest.mark.parametrize("artifact", ["private", "/etc", "../private"])
def test_a_record_whose_artifact_is_no_digest_is_refused(ours, theirs, artifact):
    envelopes.rewrite(path_of(theirs), lambda value: {**value, "artifact": artifact})
    (sentence,) = merge.copy([theirs.root], ours)
    assert f"{KEY}.json does not fit this version of the harness (artifact: " in sentence
    assert ours.get(STAGES, KEY) is None


def test_a_record_in_another_ones_place_or_of_no_known_kind_is_refused(ours, theirs):
    path_of(theirs, OTHER).parent.mkdir(exist_ok=True)
    path_of(theirs, OTHER).write_bytes(path_of(theirs).read_bytes())
    strange = digest("strange")
    path_of(theirs, strange).parent.mkdir(exist_ok=True)
    path_of(theirs, strange).write_bytes(envelopes.seal("poem", strange, 1))
    (theirs.root / "results" / KEY[:2] / "notes.txt").touch()
    text = "\n".join(merge.copy([theirs.root], ours))
    assert text.count("damaged, and ignored: ") == 3
    assert f"{OTHER}.json is the record of another key ({KEY})" in text
    assert f"{strange}.json is a record of a kind that this version does not know: 'poem'" in text
    assert "notes.txt has a name that no record has" in text
    assert ours.get(STAGES, KEY) is not None


def published(version: str) -> PublishedVersion:
    return PublishedVersion(version=version, day="2026-11-28", size=None)


LOOKUPS = {
    "versions": (VERSIONS, ["1.0"], ["1.0", "2.0"]),
    "versions between": (BETWEEN, [], ["1.5"]),
    "the newest version": (PUBLISHED, (published("1.0"),), (published("2.0"),)),
    "no version": (PUBLISHED, (None,), (published("2.0"),)),
    "torch's source": (
        TORCH_BACKEND,
        TorchBackend(backend="cpu", when=dt.date(2026, 11, 1)),
        TorchBackend(backend=None, when=dt.date(2026, 11, 2)),
    ),
}


@pytest.mark.parametrize("case", LOOKUPS)
def test_look_ups_are_merged_and_the_earlier_store_decides_where_they_differ(ours, tmp_path, case):
    kind, first, second = LOOKUPS[case]
    one, other = Store(tmp_path / "one"), Store(tmp_path / "other")
    one.put(kind, KEY, first)
    other.put(kind, KEY, second)
    other.put(kind, OTHER, second)
    (sentence,) = merge.copy([one.root, other.root], ours)
    assert sentence == f"{one.root} and {other.root} have different answers of an index; the former's stands"
    assert ours.get(kind, KEY) == first
    assert ours.get(kind, OTHER) == second
    assert merge.copy([one.root], ours) == []


def solved(version: str) -> Solved:
    return Solved(lock=Lock(distributions=(LockedDistribution(name="numpy", version=version),)), result=result(Stage.RESOLVE))


def test_locks_and_facts_that_contradict_each_other_are_refused(ours, tmp_path):
    one, other = Store(tmp_path / "one"), Store(tmp_path / "other")
    one.put(LOCK, KEY, solved("1.0"))
    other.put(LOCK, KEY, solved("2.0"))
    with pytest.raises(ShardError, match="the index gave them different answers"):
        merge.copy([one.root, other.root], ours)
    one, other = Store(tmp_path / "three"), Store(tmp_path / "four")
    one.put(STAGES, KEY, Record(stages=(result(Stage.LOAD),), limits=(1.0, 1.0)))
    other.put(STAGES, KEY, Record(stages=(result(Stage.LOAD, Status.FAILS),), limits=(1.0, 1.0)))
    with pytest.raises(ShardError, match="load works in the one, load fails in the other"):
        merge.copy([one.root, other.root], ours)
    assert list((ours.root / "results").rglob("*.json")) == []


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (os.mkfifo, "is a FIFO, not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, not a regular file"),
        (lambda path: path.symlink_to("nowhere"), "cannot be read"),
        (lambda path: path.write_text("[" * 200_000), "is no matrix.json of this version"),
    ],
)
def test_a_report_that_is_no_regular_file(tmp_path, make, problem):
    path = tmp_path / "matrix.json"
    make(path)
    with pytest.raises(ReportError, match=problem):
        report_file.read(path)


def fails(store: Store, message: str, kind: str = "ValueError", stage: Stage = Stage.EXPORT, shared=None) -> Store:
    error = Failure(type=kind, message=message, shared=shared)
    store.put(STAGES, KEY, Record(stages=(StageResult(stage=stage, status=Status.FAILS, error=error),), limits=(1.0, 1.0)))
    return store


def merged(ours: Store) -> tuple[str, Failure]:
    record = ours.get(STAGES, KEY)
    assert record is not None
    (last,) = record.stages
    assert last.error is not None
    return signature(last.stage, last.error), last.error


def test_two_reasons_of_one_failure_are_both_named(ours, tmp_path):
    one = fails(Store(tmp_path / "one"), "a kernel is missing here")
    two = fails(Store(tmp_path / "two"), "a plugin is missing here", kind="TypeError")
    (note,) = merge.copy([one.root, two.root], ours)
    assert "(ValueError: a kernel is missing here; TypeError: a plugin is missing here)" in note
    assert note.startswith(f"{one.root} and {two.root} have the same failure at export with different reasons")
    of_both, error = merged(ours)
    assert (error.message, error.shared) == ("a kernel is missing here", ("…", "a … is missing here"))
    record = ours.get(STAGES, KEY)
    assert record.stages[0].data["findings"][0]["message"] == "another process ended with TypeError: a plugin is missing here"
    # The order of the stores does not matter, nor that one of them is known already.
    other = Store(tmp_path / "other")
    merge.copy([two.root, one.root], other)
    assert merged(other)[0] == of_both
    assert merge.copy([one.root], ours) == []
    assert merge.copy([two.root], ours) == []
    assert merged(ours) == (of_both, error)


def test_a_reason_that_fits_the_words_that_are_known_to_vary_is_no_other_one(ours, tmp_path):
    varying = fails(Store(tmp_path / "one"), "no kernel for a", shared=("ValueError", "no kernel for …"))
    again = fails(Store(tmp_path / "two"), "no kernel for b", shared=("ValueError", "no kernel for …"))
    once = fails(Store(tmp_path / "three"), "no kernel for c")
    assert merge.copy([once.root, varying.root, again.root], ours) == []
    assert merged(ours)[1].shared == ("ValueError", "no kernel for …")


def test_a_failure_at_another_stage_is_still_a_contradiction(ours, tmp_path):
    one, two = fails(Store(tmp_path / "one"), "no"), fails(Store(tmp_path / "two"), "no", stage=Stage.CHECK)
    with pytest.raises(ShardError, match="export fails in the one, check fails in the other"):
        merge.copy([one.root, two.root], ours)


def test_with_the_record_that_stays_its_log_stays(ours, tmp_path):
    theirs = Store(tmp_path / "theirs")
    for store, text, message in ((ours, "our log", "one reason"), (theirs, "their log", "another reason")):
        store.log(KEY).write_text(text)
        error = Failure(type="ValueError", message=message)
        done = StageResult(stage=Stage.LOAD, status=Status.FAILS, error=error, log=f"logs/{KEY}.log")
        store.put(STAGES, KEY, Record(stages=(done,), limits=(1.0, 1.0)))
    assert len(merge.copy([theirs.root], ours)) == 1
    assert texts(ours) == ["our log"]
    assert logs(ours, KEY) == [f"logs/{KEY}.log"]
