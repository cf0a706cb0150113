"""What work costs: time from results, and room on one file system or two."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from values import PAIR, resolved, result, tasks_of

from harness.environments.downloads import Download
from harness.errors import NoRoomError
from harness.execution import cost
from harness.execution.cost import Cost, Room
from harness.model import Limits, Stage, Status
from harness.store.store import Store
from harness.tasks.records import Records

WHEEL = Download(name="torch", version="2.6.0", size=100, unpacked=1000)


def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, devices: int) -> list[Room]:
    cache, store = tmp_path / "cache" / "not there yet", tmp_path / "store"
    (tmp_path / "cache").mkdir()
    store.mkdir()
    if devices == 2:
        monkeypatch.setattr(cost, "_same_device", lambda *_: False)
    return cost._rooms([WHEEL], cache, store)


def test_hard_links_take_no_room(tmp_path, monkeypatch):
    (room,) = rooms(tmp_path, monkeypatch, devices=1)
    assert room.place == tmp_path / "cache"
    assert room.needed == 1030
    assert room.free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)


def test_copies_take_as_much_again(tmp_path, monkeypatch):
    cache, store = rooms(tmp_path, monkeypatch, devices=2)
    assert (cache.needed, store.needed) == (1000, 1030)
    assert store.place == tmp_path / "store"


def test_copies_that_the_user_demands_take_as_much_again(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_LINK_MODE", "copy")
    (room,) = rooms(tmp_path, monkeypatch, devices=1)
    assert room.needed == 2030


def test_every_file_system_must_have_room(tmp_path):
    enough, little = Room(place=tmp_path, needed=10, free=10), Room(place=Path("/other"), needed=10, free=9)
    whole = Cost(downloads=(WHEEL,), rooms=(enough,), seconds=(1, 2), measured=True, jobs=2)
    whole.require_room()
    with pytest.raises(NoRoomError, match="/other"):
        Cost(downloads=(WHEEL,), rooms=(enough, little), seconds=(1, 2), measured=True, jobs=2).require_room()


def measured(store: Store, *ends: tuple[Stage, Status, float]) -> None:
    records = Records(store=store, limits=Limits(seconds=60, memory=10**9))
    for number, (stage, status, seconds) in enumerate(ends):
        records.put(f"{number:032x}", [replace(result(stage, status), seconds=seconds)])


def test_the_mean_of_each_kind_of_result_counts_and_failures_count_twice(tmp_path):
    works, fails = Status.WORKS, Status.FAILS
    measured(
        Store(tmp_path),
        (Stage.EXPORT, works, 2.0),
        (Stage.EXPORT, fails, 2.0),
        (Stage.LOAD, works, 1.0),
        (Stage.EAGER, works, 5),
    )
    means = cost._means(tmp_path)
    assert means == {Stage.EXPORT: 3.0, Stage.LOAD: 1.0, Stage.EAGER: 5.0}
    export, run = (tasks := tasks_of(resolved(PAIR))).export, tasks.run
    shortest, longest = cost._seconds([export, run], means, probes=1)
    assert shortest == 5.0 + 3.0 + 1.0
    assert longest == 2 * shortest


def test_what_is_damaged_does_not_count(tmp_path):
    measured(Store(tmp_path), (Stage.EXPORT, Status.WORKS, 2.0), (Stage.EXPORT, Status.WORKS, 4.0))
    path = tmp_path / "results" / "00" / f"{0:032x}.json"
    path.write_bytes(path.read_bytes().replace(b"2.0", b"9.0"))
    assert cost._means(tmp_path) == {Stage.EXPORT: 4.0}


def test_imports_alone_measure_nothing(tmp_path):
    measured(Store(tmp_path), (Stage.IMPORT, Status.WORKS, 2.0))
    assert cost._means(tmp_path) == {}
