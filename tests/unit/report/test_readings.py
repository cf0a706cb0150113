"""Which runtimes read something, in a line."""

from __future__ import annotations

import pytest

from harness.decide.model_support import Reading
from harness.report.page import joined, plain
from harness.report.readings import sentence

READS, REFUSES, UNKNOWN = Reading.READS, Reading.REFUSES, Reading.UNKNOWN
VERSIONS = ("1.14.1", "1.15.1", "1.16.3", "1.17.3", "1.18.1")


@pytest.mark.parametrize(
    ("readings", "text"),
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
def test_neighbours_are_named_together(readings, text):
    assert plain(joined(*sentence(dict(zip(VERSIONS, readings, strict=False)), "it"))) == text
