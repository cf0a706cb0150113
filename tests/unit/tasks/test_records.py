"""What is known: never what was known before."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from values import result

from harness.hashing import digest
from harness.model import Limits, Stage, Status
from harness.store.store import Store
from harness.tasks.records import STAGES, Records

KEY = digest("key")
LIMITS = Limits(seconds=1, memory=1)
OLD, NEW = result(Stage.LOAD, Status.FAILS), result(Stage.LOAD)


class SlowStore(Store):
    """Its next `get` has read the record, and is held up before it returns it."""

    def __init__(self, root) -> None:
        super().__init__(root)
        self.has_read, self.may_return = threading.Event(), threading.Event()

    def get(self, kind, key):
        value = super().get(kind, key)
        if not self.has_read.is_set():
            self.has_read.set()
            assert self.may_return.wait(20)
        return value


def test_what_was_read_before_a_write_is_not_kept_after_it(tmp_path):
    Records(store=Store(tmp_path), limits=LIMITS).put(KEY, [OLD])
    store = SlowStore(tmp_path)
    records = Records(store=store, limits=LIMITS)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(records.get, KEY)
        assert store.has_read.wait(20)
        records.put(KEY, [NEW])
        store.may_return.set()
        assert reading.result(20).stages == (NEW,)
    assert records.get(KEY).stages == (NEW,)


def test_what_was_read_before_a_worker_elsewhere_wrote_is_not_kept(tmp_path):
    Records(store=Store(tmp_path), limits=LIMITS).put(KEY, [OLD])
    store = SlowStore(tmp_path)
    records = Records(store=store, limits=LIMITS)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(records.get, KEY)
        assert store.has_read.wait(20)
        Records(store=Store(tmp_path), limits=LIMITS).put(KEY, [NEW])
        records.learn({}, [KEY])
        store.may_return.set()
        reading.result(20)
    assert records.get(KEY).stages == (NEW,)


def test_what_is_to_be_repeated_is_unknown_until_its_new_record_is_in_the_store(tmp_path):
    """`--force`: nobody sees yesterday's record while today's is being written."""
    Records(store=Store(tmp_path), limits=LIMITS).put(KEY, [OLD])
    seen = []

    class Watched(Store):
        def put(self, kind, key, value) -> None:
            seen.append(records.get(KEY))
            super().put(kind, key, value)

    records = Records(store=Watched(tmp_path), limits=LIMITS)
    assert records.get(KEY).stages == (OLD,)
    records.ignore(KEY)
    records.put(KEY, [NEW])
    assert seen == [None]
    assert records.get(KEY).stages == (NEW,)


def test_a_hidden_record_stays_in_the_store(tmp_path):
    records = Records(store=Store(tmp_path), limits=LIMITS)
    records.put(KEY, [NEW])
    records.hide(KEY)
    assert records.get(KEY) is None
    assert records.store.get(STAGES, KEY).stages == (NEW,)


def test_the_first_record_of_an_outcome_stays(tmp_path):
    """A later process that imports the same packages has nothing new to record."""
    records = Records(store=Store(tmp_path), limits=LIMITS)
    again = dataclasses.replace(NEW, seconds=9.0)
    records.confirm(KEY, [NEW])
    records.confirm(KEY, [again])
    assert records.get(KEY).stages == (NEW,)
    records.confirm(KEY, [OLD])
    assert records.get(KEY).stages == (OLD,)
    records.hide(KEY)
    records.confirm(KEY, [again])
    assert records.store.get(STAGES, KEY).stages == (again,)


CHANGES = {
    "put": lambda records: records.put(KEY, [NEW]),
    "put for this run": lambda records: records.put(KEY, [NEW], remember=False),
    "ignore": lambda records: records.ignore(KEY),
    "hide": lambda records: records.hide(KEY),
    "hold back": lambda records: records.hold_back(KEY),
    "held back": lambda records: records.held_back(),
    "learn": lambda records: records.learn({KEY: None}, []),
}


class Owner:
    """Two things follow from the records for each."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def one(self, records: Records) -> object:
        self.seen.append("one")
        return records.get(KEY)

    def other(self, records: Records) -> object:
        self.seen.append("other")
        return KEY

    def changing(self, records: Records) -> object:
        if not self.seen:
            records.put(KEY, [NEW])
        return self.one(records)


@pytest.mark.parametrize("change", CHANGES)
def test_what_follows_from_records_is_computed_again_after_each_change(tmp_path, change):
    Records(store=Store(tmp_path), limits=LIMITS).put(KEY, [OLD])
    records = Records(store=Store(tmp_path), limits=LIMITS)
    owners = [Owner(), Owner()]
    for owner in owners * 2:
        assert records.derived(owner.one).stages == (OLD,)
        assert records.derived(owner.other) == KEY
    assert [owner.seen for owner in owners] == [["one", "other"]] * 2
    CHANGES[change](records)
    assert records.derived(owners[0].one) == records.get(KEY)
    assert [owner.seen for owner in owners] == [["one", "other", "one"], ["one", "other"]]


def test_what_was_computed_before_a_change_is_not_kept_after_it(tmp_path):
    records, owner = Records(store=Store(tmp_path), limits=LIMITS), Owner()
    records.derived(owner.changing)
    records.derived(owner.changing)
    assert owner.seen == ["one", "one"]
