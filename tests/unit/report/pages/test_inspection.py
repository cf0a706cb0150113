"""Which runtimes read a file, in a line."""

from __future__ import annotations

import pytest

from harness.decide.model_support import Reading
from harness.report.page import joined, plain
from harness.report.pages.inspection import _command, _sentence, _without_numbers

READS, REFUSES, UNKNOWN = Reading.READS, Reading.REFUSES, Reading.UNKNOWN
VERSIONS = ("1.14.1", "1.15.1", "1.16.3", "1.17.3", "1.18.1")


@pytest.mark.parametrize(
    ("readings", "sentence"),
    [
        ([READS] * 5, "each of the 5 measured onnxruntimes reads it"),
        ([REFUSES] * 5, "each of the 5 measured onnxruntimes refuses it"),
        ([REFUSES], "onnxruntime 1.14.1 refuses it"),
        ([UNKNOWN], "onnxruntime 1.14.1 may read it"),
        ([REFUSES, REFUSES, READS, READS, READS], "onnxruntime 1.16.3 and later read it; 1.15.1 and older do not"),
        ([REFUSES, READS, READS, READS, REFUSES], "onnxruntime 1.15.1 to 1.17.3 read it; 1.14.1, 1.18.1 do not"),
        ([REFUSES, UNKNOWN, READS], "onnxruntime 1.16.3 reads it; 1.15.1 may read it; 1.14.1 does not"),
        ([REFUSES, UNKNOWN], "onnxruntime 1.15.1 may read it; 1.14.1 does not"),
    ],
)
def test_neighbours_are_named_together(readings, sentence):
    assert plain(joined(*_sentence(dict(zip(VERSIONS, readings, strict=False)), "it"))) == sentence


def test_names_that_differ_in_a_number_are_one_and_sizes_are_not():
    assert _without_numbers("past.0.key_dim_3") == "past.N.key_dim_N"
    assert _without_numbers("length + 1") == "length + 1"


def test_the_command_writes_beside_the_model_whatever_its_name():
    command = _command("-a b/it's.onnx", 9)
    assert command.endswith(""" '-a b/it'"'"'s.onnx' '-a b/it'"'"'s.ir9.onnx'""")
