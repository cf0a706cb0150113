"""Records prove what they are: kind, key, and every bit of the value."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from pydantic import TypeAdapter

from harness.hashing import digest
from harness.model import Failure, Stage, StageResult, Status
from harness.store.envelope import DamagedRecordError, OlderRecordError, RecordKind, opened
from harness.tasks.records import STAGES, Record

KIND = RecordKind(name="numbers", adapter=TypeAdapter(dict[str, list[int]]))
KEY, OTHER = digest("key"), digest("other")
RECORD = KIND.seal(KEY, {"a": [1, 2], "ü": []})


def test_a_record_is_json_that_names_kind_and_key():
    record = json.loads(RECORD)
    assert list(record) == ["kind", "key", "checksum", "value"]
    assert (record["kind"], record["key"], record["value"]) == ("numbers", KEY, {"a": [1, 2], "ü": []})
    assert KIND.unseal(KEY, RECORD) == record["value"]


def test_every_flipped_bit_is_noticed():
    for place in range(len(RECORD)):
        for bit in range(8):
            damaged = bytearray(RECORD)
            damaged[place] ^= 1 << bit
            with pytest.raises(DamagedRecordError):
                KIND.unseal(KEY, bytes(damaged))


def test_every_truncation_and_whatever_is_appended_is_noticed():
    for length in range(len(RECORD)):
        with pytest.raises(DamagedRecordError):
            KIND.unseal(KEY, RECORD[:length])
    for more in (b" ", b"\n", b"\0", RECORD, b'{"a": 1}'):
        with pytest.raises(DamagedRecordError):
            KIND.unseal(KEY, RECORD + more)


def test_a_record_of_another_key_or_kind_is_not_believed():
    with pytest.raises(DamagedRecordError, match=f"is the record of another key \\({KEY}\\)"):
        KIND.unseal(OTHER, RECORD)
    letters = RecordKind(name="letters", adapter=KIND.adapter)
    with pytest.raises(DamagedRecordError, match="is a record of another kind: 'numbers', not 'letters'"):
        letters.unseal(KEY, RECORD)
    with pytest.raises(DamagedRecordError, match="does not match its checksum"):
        letters.unseal(KEY, RECORD.replace(b"numbers", b"letters"))


def test_a_value_of_another_type_is_not_believed():
    older = RecordKind(name="numbers", adapter=TypeAdapter(dict[str, list[str]]))
    with pytest.raises(DamagedRecordError, match=r"does not fit this version of the harness \(a\.0: "):
        KIND.unseal(KEY, older.seal(KEY, {"a": ["x"]}))


@pytest.mark.parametrize("body", [b"[" * 100_000 + b"]" * 100_000, b"\xff", b"1" * 10_000, b"{", b""])
def test_a_value_that_cannot_be_parsed_is_damage_although_its_checksum_fits(body):
    from harness.store import envelope

    with pytest.raises(DamagedRecordError, match=r"holds no value that can be read|does not fit"):
        KIND.unseal(KEY, envelope._head("numbers", KEY, body) + body + b"}\n")


@pytest.mark.parametrize("text", ["half of a pair \ud83d", "\udcff from a file name", "\ud83d\ude00", "\0", "\u2028", "😀"])
def test_strings_are_kept_exactly(text):
    failure = Failure(type="E", message=text, traceback=text)
    result = StageResult(stage=Stage.LOAD, status=Status.FAILS, error=failure, data={text: [text]})
    record = Record(stages=(result,), limits=(1.0, 2.0))
    assert STAGES.unseal(KEY, STAGES.seal(KEY, record)) == record


def test_numbers_are_kept_exactly():
    data = {"big": 2**70, "tiny": 5e-324, "inf": math.inf, "nan": math.nan, "third": 1 / 3, "whole": 1.0}
    record = Record(stages=(StageResult(stage=Stage.LOAD, status=Status.WORKS, data=data),), limits=(1.0, 2.0))
    (read,) = STAGES.unseal(KEY, STAGES.seal(KEY, record)).stages
    assert math.isnan(read.data["nan"])
    assert {**read.data, "nan": 0} == {**data, "nan": 0}


@pytest.mark.parametrize("artifact", ["/etc", "../x", "", "0" * 31, "0" * 33, "G" * 32, "0" * 32 + "\n", "A" * 32])
def test_an_artifact_that_is_no_digest_is_damage(artifact):
    record = Record(stages=(StageResult(stage=Stage.LOAD, status=Status.WORKS),), limits=(1.0, 2.0), artifact=artifact)
    with pytest.raises(DamagedRecordError, match="artifact"):
        STAGES.unseal(KEY, STAGES.seal(KEY, record))


@pytest.mark.parametrize("log", ["/etc/passwd", "logs/../x.log", "logs/a.log", f"logs/{KEY}.log\n", f"x/logs/{KEY}.log"])
def test_a_log_that_is_not_in_the_folder_of_logs_is_damage(log):
    record = Record(stages=(StageResult(stage=Stage.LOAD, status=Status.WORKS, log=log),), limits=(1.0, 2.0))
    with pytest.raises(DamagedRecordError, match="log"):
        STAGES.unseal(KEY, STAGES.seal(KEY, record))


@pytest.mark.parametrize("text", [b'{"limits": [1, 2], "stages": []}', b'["4.0.0"]', b'{"lock": null, "result": {}}'])
def test_a_value_without_an_envelope_is_of_an_older_version(text):
    with pytest.raises(OlderRecordError):
        opened(KEY, text)


@pytest.mark.parametrize("text", [b"", b"{", b"null", b"NaN", b"[1]", b"{}", b"[" * 200_000, b"\xff\xfe", b"\0" * 100])
def test_anything_else_is_no_record(text):
    with pytest.raises(DamagedRecordError, match="is not a whole record"):
        opened(KEY, text)


FAILED = {"stage": "load", "status": "fails", "error": {"type": "X", "message": "m"}}


@pytest.mark.parametrize(
    ("stages", "problem"),
    [
        ([], "stages: Tuple should have at least 1 item"),
        ([{**FAILED, "error": None}], "expected an error beside the status fails"),
        ([{**FAILED, "status": "error", "error": None}], "expected an error beside the status error"),
        ([{**FAILED, "status": "works-with-remedy"}], "expected the status of a stage"),
        ([{**FAILED, "status": "good"}], "stages.0.status"),
        ([{**FAILED, "seconds": math.inf}], "stages.0.seconds"),
        ([{**FAILED, "finished": 1e300}], "stages.0.finished"),
        ([{**FAILED, "finished": math.nan}], "stages.0.finished"),
        ([{**FAILED, "data": {"findings": [1]}}], "data.findings.0: Input should be"),
        ([{**FAILED, "data": {"findings": 7}}], "data.findings: Input should be"),
        ([{**FAILED, "data": {"findings": [{"rule": "r"}]}}], "data.findings.0.message: Field required"),
        ([{**FAILED, "data": {"findings": [{"rule": "r", "message": "m", "limit": "9"}]}}], "data.findings.0.limit"),
        ([{**FAILED, "data": {"peak_memory": "x"}}], "data.peak_memory"),
        ([{**FAILED, "data": {"peak_memory": 10**400}}], "data.peak_memory"),
        ([{**FAILED, "data": {"ir": "x"}}], "data.ir"),
        ([{**FAILED, "data": {"node": 5}}], "data.node"),
        ([{**FAILED, "data": {"missing": 5}}], "data.missing"),
        ([{**FAILED, "data": {"max_abs_diff": math.inf}}], "data.max_abs_diff"),
        ([{**FAILED, "status": "flaky", "data": {"outcomes": 5}}], "data.outcomes"),
        ([{**FAILED, "status": "not-run", "data": {"reason": ["a"]}}], "data.reason"),
    ],
)
def test_what_no_stage_gives_is_damage(stages, problem):
    sealed = RecordKind(name="stages", adapter=TypeAdapter(Any)).seal(KEY, {"stages": stages, "limits": [1.0, 2.0]})
    with pytest.raises(DamagedRecordError, match=re.escape(problem)):
        STAGES.unseal(KEY, sealed)


def test_what_a_stage_says_besides_is_kept():
    data = {"findings": [{"rule": "r", "message": "m", "where": "w", "axis": 1}], "ir": 8, "node": None, "mine": {"a": [1]}}
    record = Record(stages=(StageResult(stage=Stage.LOAD, status=Status.WORKS, data=data),), limits=(1.0, 2.0))
    assert STAGES.unseal(KEY, STAGES.seal(KEY, record)) == record
