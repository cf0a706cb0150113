"""The modules whose import a text shows, and which of them failed."""

from __future__ import annotations

import re
import time

import pytest

from harness.decide.imported_modules import Imports

COMPLAINT = re.compile("the complaint")
PYTHON = '  File "/a/lib/site-packages/{}/x.py", line 3, in <module>\n'
HEAD = "Traceback (most recent call last):\n"


@pytest.mark.parametrize(
    "frame",
    [
        '  File "/usr/lib/python3/dist-packages/cv2/__init__.py", line 181, in <module>',
        r'  File "D:\a b\Lib\site-packages\cv2\__init__.py", line 181, in <module>',
        "/a/site-packages/cv2/utils.py:49: in <module>",
        "File /a/site-packages/cv2/utils.py:49",
        "[/a/dist-packages/cv2/__init__.py](https://localhost:8080/#) in <module>",
        "│ /a/site-packages/cv2/__init__.py:77 in <module>     │",
        '  File "/a/site-packages/cv2-4.1.egg/cv2/__init__.py", line 1, in <module>',
        '  File "a.py", line 1, in <module>\n    import cv2',
        '  File "a.py", line 1, in <module>\n    from cv2.gapi import wip',
        ">>> import cv2",
        "----> 2 import cv2 as cv",
        "python -c 'import cv2; print(cv2)'",
        "ImportError: DLL load failed while importing cv2: The specified module could not be found.",
    ],
)
def test_a_frame_or_a_statement_shows_a_module(frame):
    assert Imports(frame).modules == {"cv2"}


@pytest.mark.parametrize(
    "text",
    [
        '  File "a.py", line 1, in <module>\n    from . import cv2',
        "cannot import name 'x' from 'cv2' (/a/site-packages/cv2/__init__.py)",
        "the import of cv2 fails",
        "      1 import cv2",
        PYTHON.format("numpy") + PYTHON.format("google/protobuf"),
    ],
)
def test_what_shows_no_import(text):
    assert Imports(text).modules == set()


@pytest.mark.parametrize(
    ("text", "failing"),
    [
        (f"{HEAD}{PYTHON.format('onnx')}{PYTHON.format('cv2')}the complaint", {"cv2"}),
        (f"{HEAD}{PYTHON.format('cv2')}{PYTHON.format('numpy')}the complaint", {"cv2"}),
        (f"the complaint\n{HEAD}{PYTHON.format('cv2')}AttributeError: no\n{HEAD}{PYTHON.format('onnx')}", {"cv2"}),
        (f"{HEAD}{PYTHON.format('onnx')}TypeError: no\n{HEAD}{PYTHON.format('cv2')}the complaint", {"cv2"}),
        ("import onnx\nimport cv2\n\nthe complaint", set()),
        (f"import onnx\n\nthe complaint\n{HEAD}{PYTHON.format('cv2')}", {"cv2"}),
        ("import numpy as np\nimport cv2\n\nthe complaint", {"cv2"}),
        ("the complaint", set()),
        (f"{HEAD}{PYTHON.format('cv2')}another", set()),
    ],
)
def test_the_import_that_failed_is_the_last_of_its_traceback(text, failing):
    assert Imports(text).failing_with(COMPLAINT) == failing


@pytest.mark.parametrize(
    "text", ["site-packages/" + "a" * 2**18, "site-packages/a" * 2**14, "-" * 2**18, " " * 2**18, "-> " * 2**16, "\n" * 2**18]
)
def test_it_takes_time_in_proportion_to_the_text(text):
    def seconds(part: str) -> float:
        start = time.process_time()
        assert Imports(part).modules == set()
        return time.process_time() - start

    assert min(seconds(text) for _ in range(2)) < 40 * max(seconds(text[: len(text) // 8]), 0.001)


def test_who_asks_for_what_is_missing_is_the_frame_and_not_the_statement():
    text = """Traceback (most recent call last):
  File "/x/site-packages/onnxconverter_common/float16.py", line 18, in <module>
    from onnx.mapping import NP_TYPE_TO_TENSOR_TYPE
ModuleNotFoundError: No module named 'onnx.mapping'
"""
    assert Imports(text).failing_with(re.compile(re.escape("No module named 'onnx.mapping'"))) == {"onnxconverter_common"}
    clash = text.replace("No module named 'onnx.mapping'", "numpy is too new").replace("onnx.mapping", "onnx")
    assert Imports(clash).failing_with(re.compile("numpy is too new")) == {"onnx"}
