"""Version sets, and requirements of the command line."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from harness.decide.version_sets import Versions, distribution, is_requirement, requirement, together
from harness.errors import VersionsError

FOUR = {"torch": "2.1.0", "transformers": "4.46.3", "onnx": "1.16.2", "onnxruntime": "1.16.3"}


def test_what_is_added_stands_in_place_of_what_was_there():
    base = Versions(source="s", python="3.11", exact=FOUR, open=("numpy<2", "protobuf>3"))
    changed = base.with_([Requirement("numpy==1.26.4"), Requirement("onnx>=1.17")])
    assert changed.exact == {name: version for name, version in FOUR.items() if name != "onnx"} | {"numpy": "1.26.4"}
    assert changed.open == ("protobuf>3", "onnx>=1.17")


@pytest.mark.parametrize("text", ["torch=2", "torch @ https://example.org/t.whl", "torch; python_version>'3'", "torch[cpu]>2"])
def test_an_option_that_is_no_plain_requirement(text):
    with pytest.raises(VersionsError, match=r"--to: expected"):
        requirement(text, "--to")


def test_sets_that_write_a_version_otherwise_are_one():
    sets = [Versions(source=version, python="3.11", exact={"torch": version}) for version in ("2.1", "2.1.0", "2.1.0.0")]
    assert together(sets).exact == {"torch": "2.1"}
    with pytest.raises(VersionsError, match=r"two versions of torch: 2\.1 and 2\.1\.0\.post1"):
        together([sets[0], Versions(source="post", python="3.11", exact={"torch": "2.1.0.post1"})])


def test_of_sets_that_become_one_every_bound_that_excludes_a_pin_counts_and_every_build():
    first = Versions(source="a", python="3.11", exact={"torch": "2.6.0"}, open=("numpy<2", "onnx>1"))
    second = Versions(source="b", python="3.11", exact={"torch": "2.6.0+cpu", "numpy": "2.1.0", "onnx": "1.16.2"})
    for sets in ([first, second], [second, first]):
        one = together(sets)
        assert one.exact == {"torch": "2.6.0+cpu", "numpy": "2.1.0", "onnx": "1.16.2"}
        assert one.open == ("numpy<2",)


def test_bounds_become_entries_where_something_is_there_anyway():
    base = Versions(
        source="s", python="3.11", exact=FOUR, bounds=("numpy==1.26.4", "protobuf<4", "extrathing==0.1.0", "onnx<2")
    )
    taken = base.with_bounds_as_entries(["extrathing"])
    assert (taken.exact, taken.open) == ({**FOUR, "numpy": "1.26.4"}, ("protobuf<4",))
    assert taken.bounds == ("extrathing==0.1.0", "onnx<2")
    assert taken.requirements["extrathing"] == "extrathing==0.1.0"
    assert taken.without(["extrathing"]).bounds == ("onnx<2",)
    assert together([base, taken]).bounds == base.bounds


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("onnxruntime-node@latest", "onnxruntime-node"),
        ("onnxruntime-node@1.20.1", "onnxruntime-node==1.20.1"),
        ("torch>=2", "torch>=2"),
    ],
)
def test_a_requirement_may_be_written_as_npm_does(text, meant):
    assert str(distribution(text, "--to")) == meant
    assert is_requirement(text)


@pytest.mark.parametrize("text", ["x@https://example.org/x.whl", "x@", "x@next", "x @ file:///x"])
def test_anything_else_behind_an_at_is_refused(text):
    assert not is_requirement(text)
