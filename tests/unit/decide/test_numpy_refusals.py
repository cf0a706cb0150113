"""What a compiled module says of a numpy that is too old, against the interfaces of releases."""

from __future__ import annotations

import pytest

from harness.decide.model_support import Reading
from harness.decide.numpy_refusals import numpy_refusals
from harness.published_reports import numpy_interfaces
from harness.verdicts.numpy_interfaces import NumpyInterface

READS, REFUSES = Reading.READS, Reading.REFUSES
OLD, NEW = 0x1000009, 0x2000000
KNOWN = {
    "1.19.5": NumpyInterface(abi=OLD, api=13),
    "1.20.3": NumpyInterface(abi=OLD, api=14),
    "1.22.4": NumpyInterface(abi=OLD, api=15),
    "2.0.2": NumpyInterface(abi=NEW, api=18),
}


def refused(text: str):
    return numpy_refusals(text, lambda: KNOWN)


def test_a_numpy_of_the_same_abi_with_that_interface_or_a_newer_one_will_do():
    text = "RuntimeError: module compiled against API version 0xe but this version of numpy is 0xd"
    (refusal,) = refused(f"{text}\n{text}")
    assert (refusal.part, refusal.asked, refusal.found, refusal.having) == ("API", 14, 13, ("1.19.5",))
    assert refusal.readings == {"1.19.5": REFUSES, "1.20.3": READS, "1.22.4": READS}, "numpy 2 has another ABI"


def test_what_was_compiled_with_the_headers_of_numpy_2_runs_with_both():
    text = "was compiled against NumPy C-API version 0xE (NumPy 1.20) but the running NumPy has C-API version 0xd. Check"
    (refusal,) = refused(text)
    assert refusal.readings == {"1.19.5": REFUSES, "1.20.3": READS, "1.22.4": READS, "2.0.2": READS}


@pytest.mark.parametrize(
    "text",
    [
        "module compiled against API version 0xd but this version of numpy is 0xe",
        "module compiled against ABI version 0x1000009 but this version of numpy is 0x1000009",
        "A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0.2\nAttributeError: _ARRAY_API not found",
        "numpy.core.multiarray failed to import",
    ],
)
def test_what_names_no_larger_interface_is_none(text):
    assert refused(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "RuntimeError: module compiled against ABI version 0x1000009 but this version of numpy is 0x2000000",
        "from .onnxruntime_pybind11_state import *  # noqa\nAttributeError: _ARRAY_API not found",
    ],
)
def test_another_abi_takes_a_numpy_that_has_it(text):
    (refusal,) = refused(text)
    assert (refusal.part, refusal.having) == ("ABI", ("2.0.2",))
    assert refusal.readings == {"1.19.5": READS, "1.20.3": READS, "1.22.4": READS, "2.0.2": REFUSES}


def test_a_numpy_that_is_older_than_all_that_were_read_has_the_first_abi():
    (refusal,) = refused("module compiled against API version 0xb but this version of numpy is 0xa")
    assert (refusal.having, refusal.readings) == ((), {"1.19.5": READS, "1.20.3": READS, "1.22.4": READS})


def test_the_published_interfaces_only_grow_within_an_abi():
    by_abi: dict[int, list[int]] = {}
    for own in numpy_interfaces().values():
        by_abi.setdefault(own.abi, []).append(own.api)
    assert list(by_abi) == [OLD, NEW]
    assert all(numbers == sorted(numbers) for numbers in by_abi.values())
