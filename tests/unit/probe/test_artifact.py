"""The files between an export and a run: what is written is what is read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.probe.artifact import Case, Reference, read_json, write_json

X = np.arange(6, dtype=np.float32).reshape(2, 3)
TOKENS = np.array([[1, 2], [3, 0]], np.int64)
MASK = np.array([[True, False], [False, False]])


def equal(one, other) -> bool:
    """Whether two mappings hold the same arrays: names, dtypes, shapes, values."""
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and np.array_equal(one[name], other[name], equal_nan=True) for name in one
    )


def test_one_step_may_be_given_without_a_list():
    case = Case("whole", {"x": X}, {"y": X})
    assert len(case.expected) == 1
    assert equal(case.expected[0], {"y": X})
    assert case.ignored == [{}]
    assert case.notes == {}


def test_every_step_has_its_own_outputs_and_what_is_ignored_of_them():
    case = Case("two", {}, [{"y": X}, {"y": X[:1], "z": X}], [{"y": MASK}, {}])
    assert [sorted(step) for step in case.expected] == [["y"], ["y", "z"]]
    assert [sorted(step) for step in case.ignored] == [["y"], []]


def test_a_case_as_flat_arrays():
    case = Case("flat", {"encoder/ids": TOKENS, "tokens": TOKENS}, [{"y": X}, {"y": X + 1}], [{"y": MASK}, {}])
    assert equal(
        case.arrays(),
        {
            "inputs/encoder/ids": TOKENS,
            "inputs/tokens": TOKENS,
            "expected/0/y": X,
            "expected/1/y": X + 1,
            "ignored/0/y": MASK,
        },
    )
    again = Case.of_arrays("flat", case.arrays(), 2, {"batch": 2})
    assert equal(again.inputs, case.inputs)
    assert all(map(equal, again.expected, case.expected))
    assert all(map(equal, again.ignored, case.ignored))
    assert again.notes == {"batch": 2}


def test_a_step_that_expects_nothing_is_a_step():
    assert [sorted(step) for step in Case.of_arrays("x", {"expected/1/y": X}, 3, {}).expected] == [[], ["y"], []]


def test_ten_steps_are_not_taken_for_one():
    case = Case("long", {}, [{"y": X + step} for step in range(12)])
    again = Case.of_arrays("long", case.arrays(), 12, {})
    assert [float(step["y"][0, 0]) for step in again.expected] == [float(step) for step in range(12)]


def test_what_is_changed_afterwards_is_not_the_cases():
    inputs = {"x": X}
    case = Case("kept", inputs, {"y": X})
    inputs["more"] = X
    assert sorted(case.inputs) == ["x"]


@pytest.fixture
def reference():
    cases = [
        Case("batch1-prefix3", {"tokens": TOKENS}, [{"logits": X}, {"logits": X * np.float32(np.nan)}], notes={"steps": 1}),
        Case("batch1", {"tokens": TOKENS[:1], "half": X.astype(np.float16)}, {"logits": X}, {"logits": X > 2}),
        Case("nothing in it", {}, {"logits": np.empty((0, 3), np.float32)}),
    ]
    return Reference({"family": "marian", "max_abs_diff": 1e-7}, {"absolute": 1e-4, "relative": 1e-3}, cases)


def test_a_reference_is_read_as_it_was_written(reference, tmp_path):
    reference.write(tmp_path / "out" / "reference")
    again = Reference.read(tmp_path / "out" / "reference")
    assert (again.model, again.tolerance) == (reference.model, reference.tolerance)
    assert [case.name for case in again.cases] == ["batch1-prefix3", "batch1", "nothing in it"]
    for one, other in zip(again.cases, reference.cases, strict=True):
        assert equal(one.inputs, other.inputs)
        assert len(one.expected) == len(other.expected)
        assert all(map(equal, one.expected, other.expected))
        assert all(map(equal, one.ignored, other.ignored))
        assert one.notes == other.notes


def test_it_is_plain_json_and_numpy_without_pickles(reference, tmp_path):
    reference.write(tmp_path)
    described = json.loads((tmp_path / "reference.json").read_text())
    assert described["schema"] == 2
    assert described["cases"][0] == {"name": "batch1-prefix3", "steps": 2, "notes": {"steps": 1}}
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as archive:
        assert "batch1/ignored/0/logits" in archive.files
        assert archive["batch1/inputs/half"].dtype == np.float16


def test_objects_are_not_read(reference, tmp_path):
    reference.write(tmp_path)
    np.savez(tmp_path / "arrays.npz", **{"batch1/inputs/tokens": np.array([{}], object)})
    with pytest.raises(ValueError, match="allow_pickle"):
        Reference.read(tmp_path)


def test_another_schema_is_refused(tmp_path):
    write_json(tmp_path / "manifest.json", {"graphs": {}})
    assert read_json(tmp_path / "manifest.json") == {"schema": 2, "graphs": {}}
    (tmp_path / "manifest.json").write_text('{"schema": 1, "graphs": {}}')
    with pytest.raises(ValueError, match=r"manifest\.json has schema 1, not 2"):
        read_json(tmp_path / "manifest.json")
