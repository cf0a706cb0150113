"""Locks and their parts, failures, digests."""

from __future__ import annotations

import pytest

from harness.hashing import digest
from harness.locked import Lock, LockedDistribution


def pinned(name: str, *via: str, version: str = "1", hashes: tuple[str, ...] = ()) -> LockedDistribution:
    return LockedDistribution(name=name, version=version, via=via, hashes=hashes)


LOCK = Lock(
    distributions=(
        pinned("torch"),
        pinned("sympy", "torch"),
        pinned("mpmath", "sympy"),
        pinned("numpy", "torch", "onnxruntime"),
        pinned("onnxruntime"),
        pinned("flatbuffers", "onnxruntime"),
        pinned("a", "b"),
        pinned("b", "a", "onnxruntime"),
    )
)


@pytest.mark.parametrize(
    ("roots", "reached"),
    [
        ({"torch"}, ["torch", "sympy", "mpmath", "numpy"]),
        ({"onnxruntime", "numpy"}, ["numpy", "onnxruntime", "flatbuffers", "a", "b"]),
        ({"mpmath"}, ["mpmath"]),
        ({"nonesuch"}, []),
    ],
)
def test_a_closure_is_what_the_roots_reach(roots, reached):
    assert list(LOCK.closure(frozenset(roots)).versions) == reached


def test_a_locks_digest_is_about_files_and_not_about_order():
    one = Lock(distributions=(pinned("a", hashes=("x", "y")), pinned("b")))
    assert one.digest == Lock(distributions=(pinned("b", "a"), pinned("a", hashes=("y", "x")))).digest
    assert one.digest != Lock(distributions=(pinned("a", hashes=("x",)), pinned("b"))).digest
    assert one.digest != Lock(distributions=(pinned("a", hashes=("x", "y"), version="2"), pinned("b"))).digest


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert digest(["a", "b"]) != digest(["ab"])
    assert len(digest("")) == 32
