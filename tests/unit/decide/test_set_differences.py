"""What a target changes, where the same version is written in two ways."""

from __future__ import annotations

from types import SimpleNamespace

from harness.decide import set_differences
from harness.decide.version_sets import TargetSet, Versions


def run(**exact: str):
    """A set that was run; it has no lock, so its pins are what is installed."""
    versions = Versions(source="s", python="3.11", exact=exact)
    return SimpleNamespace(versions=versions, verdict=SimpleNamespace(resolved=SimpleNamespace(lock=None, versions={})))


def test_another_spelling_is_no_change():
    current, goal = run(torch="2.1", numpy="1.26"), TargetSet(base=run(torch="2.1.0", numpy="1.26.1").versions)
    found = set_differences.changes(goal, current, {"torch": "2.1.0", "numpy": "1.26.1"}, ())
    assert list(map(str, found)) == ["numpy 1.26 → 1.26.1"]


def test_another_spelling_was_not_moved():
    found = set_differences.moved(run(numpy="1.26", onnx="1.16").versions, run(numpy="1.26.0", onnx="1.17").versions, ())
    assert list(map(str, found)) == ["onnx 1.16 → 1.17"]


def test_another_spelling_of_what_nobody_needs_is_no_difference():
    lock = SimpleNamespace(versions={})
    first, second = run(extrathing="1.0", other="1.0"), run(extrathing="1", other="1.1")
    for end in (first, second):
        end.verdict.resolved.lock = lock
    notes = list(set_differences.not_needed(second.versions, first, second))
    assert [note.partition(":")[0] for note in notes] == ["other"]
