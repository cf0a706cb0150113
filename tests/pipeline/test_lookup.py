"""The command lookup, on the reports that come with the project and on others; and the page of all messages."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from project import printed
from values import report, reported_cell, reported_variant

from harness import report_locations
from harness.model import Cause, Certainty, Stage, Status
from harness.verdicts.report_schema import ADAPTER

ROOT = Path(__file__).resolve().parents[2]
PYTREE = "module 'torch.utils._pytree' has no attribute 'register_pytree_node'"
IR = "Unsupported model IR version: 10, max supported IR version: 9"


@pytest.fixture
def measured(tmp_path, monkeypatch) -> Path:
    """One published report: a cell in which the loop is at fault, with a remedy, and a cell that works."""
    inside = "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running If node. Name:'a' Status Message: "
    reshape = "Non-zero status code returned while running Reshape node. Name:'/b' Status Message: "
    fails = reported_variant(
        Status.FAILS,
        Stage.DECODE,
        feedback="feed-all",
        cause=Cause.CONSUMER_PROTOCOL,
        certainty=Certainty.PROVEN,
        evidence=["it fails", "with feedback keep-cross the same artifact works"],
        remedy="feedback keep-cross",
        remedies=["feedback keep-cross"],
        error=f"{inside}{reshape}The dimension with value zero exceeds the dimension size of the input tensor.",
    )
    fields = {"strategy": "cached", "attention": "default", "unanswered": [], "outcomes": []}
    fails, works = replace(fails, **fields), reported_variant(**fields)
    made = report(reported_cell(fails, works), reported_cell(works, onnxruntime="1.20.1"))
    folder = tmp_path / "reports" / "variants"
    folder.mkdir(parents=True)
    (folder / "matrix.json").write_bytes(ADAPTER.dump_json(replace(made, generated="2026-11-29T00:00:00+00:00")))
    shutil.copy(ROOT / "reports" / "misuse.json", tmp_path / "reports")
    monkeypatch.setattr(report_locations, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_known_message_is_explained(measured):
    answer = printed("lookup", "Reshape … The dimension with value zero exceeds", "the dimension size of the input tensor")
    assert answer.code == 0
    lines = [line.strip() for line in answer.out.splitlines()]
    assert lines[0] == "recognised: fails at decode; cause, where it was measured: consumer protocol, proven"
    assert "cause: consumer protocol, proven" in lines
    assert "1 variant of 1 cell" in lines
    assert "works with: feedback keep-cross in place of feed-all (1 variant)" in lines
    assert "with feedback keep-cross the same artifact works" in lines
    assert "in full: python -m harness explain 3.11-2.1.2-4.46.3-1.16.2-1.16.3" in lines
    (where,) = [line for line in lines if "report variants" in line]
    assert where.startswith("with onnxruntime 1.16.3 · feedback feed-all; all with python 3.11 · torch 2.1.2 · ")
    assert where.endswith("report variants, measured on Linux-x86_64-glibc2.36, 2026-11-29")
    (part,) = [line for line in lines if line.startswith("The text has the end")]
    assert "in a node Reshape inside a node If" in part


def test_an_unknown_message_has_the_nearest_and_a_command(measured):
    node = "Non-zero status code returned while running Reshape node. Name:'/b' Status Message: "
    text = f"{node}The dimension with value zero exceeds the dimension size of the input tensor"
    answer = printed("lookup", text)
    assert answer.code == 1
    assert answer.out.startswith("unknown: no published report has this message\n")
    assert "of the report variants" in answer.out
    assert "docs/probe.md" in answer.out
    assert "works with" not in answer.out


def test_programs_read_the_answer_as_data(measured):
    text = "The dimension with value zero exceeds the dimension size of the input tensor."
    data = json.loads(printed("lookup", text, "--format", "json").out)
    (message,) = data["messages"]
    assert (data["recognised"], message["stage"], message["whole"], message["shows_cause"]) == (True, "decode", False, False)
    (cause,) = message["causes"]
    assert (cause["cause"], cause["certainty"], cause["remedies"]) == (
        "consumer protocol",
        "proven",
        {"feedback keep-cross": 1},
    )
    assert cause["occurrences"][0]["report"] == "variants"
    unknown = json.loads(printed("lookup", "ImportError: something else", "--format", "json").out)
    assert unknown["recognised"] is False
    assert (unknown["find_out"], unknown["next"]) == ("versions", "python -m harness check --from requirements.txt")
    unknown = json.loads(printed("lookup", "Error: no available backend found", "--format", "json").out)
    assert (unknown["find_out"], unknown["next"]) == ("model", None)


def test_a_file_and_stdin_are_read(tmp_path, monkeypatch):
    log = tmp_path / "error.log"
    frame = 'File "/a/site-packages/transformers/utils/generic.py", line 3, in <module>'
    log.write_text(f"Traceback\n  {frame}\nAttributeError: {PYTREE}\n", encoding="utf-8")
    title = "recognised: fails at import; cause: version conflict, proven"
    assert printed("lookup", str(log)).out.splitlines()[0] == title
    stdin = io.TextIOWrapper(io.BytesIO(log.read_bytes() + b"\xff"))
    monkeypatch.setattr("sys.stdin", stdin)
    assert printed("lookup", "-").out.splitlines()[0] == title


def test_values_that_were_not_measured_are_said_so():
    known, other = printed("lookup", IR), printed("lookup", IR.replace("10", "77"))
    assert known.out.splitlines()[0] == "recognised: fails at load; cause: format gate, proven"
    title = (
        "recognised: fails at load: IR version 77, where 9 is the largest; fails at load; cause, with other values: format gate"
    )
    assert other.out.splitlines()[0] == f"{title}, proven"
    assert "Not measured with 77 and 9, as the text has it." in other.out


def test_a_refusal_is_answered_from_the_measured_limits():
    opset = (
        "Opset 16 is under development and support for this is limited. The operator schemas and or other functionality may "
        "change before next ONNX release and in this case ONNX Runtime will not guarantee backward compatibility. "
    )
    answer = printed("lookup", f"{opset}Current official support for domain ai.onnx.ml is till opset 4.")
    assert answer.code == 0
    lines = [line.strip() for line in answer.out.splitlines()]
    assert lines[0] == "recognised: fails at load: opset 16 of ai.onnx.ml, where 4 is the largest"
    assert re.match(r"each of the \d+ measured onnxruntimes refuses opset 16 of ai.onnx.ml$", lines[3])
    assert lines[4] == "the limit 4 is that of onnxruntime 1.17.3"


def test_a_version_of_the_c_api_is_answered_from_what_each_library_has():
    said = "The requested API version [20] is not available, only API versions [1, 16] are supported in this build."
    answer = printed("lookup", f"{said} Current ORT Version is: 1.16.0")
    assert answer.code == 0
    lines = [line.strip() for line in answer.out.splitlines()]
    assert (
        lines[0]
        == "recognised: fails: the program calls version 20 of onnxruntime's C API, of which its library has 16 at most"
    )
    assert "load the library of an onnxruntime that has version 20: 1.20.1 and later" in lines
    assert "16 is that of onnxruntime 1.16.0 to 1.16.3" in lines


def test_an_operator_without_a_kernel_is_answered_from_the_measured_kernels():
    text = "NOT_IMPLEMENTED : Could not find an implementation for Trilu(14) node with name '/Trilu'"
    answer = printed("lookup", text, "--format", "json")
    data = json.loads(answer.out)
    assert (answer.code, data["recognised"]) == (0, True)
    (refusal,) = data["refusals"]
    assert (refusal["operator"], refusal["since"], refusal["type"]) == ("Trilu", 14, None)
    first = refusal["takes"][0]
    assert first["types"] == ["tensor(double)", "tensor(float)", "tensor(int64)"]
    assert first["runtimes"] == ["1.16.0", "1.16.3", "1.17.3", "1.18.1"]
    text = printed("lookup", text).out
    assert "Trilu-14 takes tensor(double), tensor(float), tensor(int64): 1.16.0 to 1.18.1" in text


def test_a_type_that_an_operator_does_not_take_is_answered_from_the_measured_kernels():
    text = "Type 'tensor(float16)' of input parameter (/a) of operator (Range) in node (/Range) is invalid."
    answer = printed("lookup", text)
    assert answer.code == 0
    assert answer.out.startswith("recognised: fails at load: Range does not take tensor(float16)\n")
    assert "measured onnxruntimes has a kernel for tensor(float16)" in answer.out


@pytest.mark.parametrize("arguments", [(), ("",), (" \n",)])
def test_without_a_text_it_says_what_to_give(arguments):
    answer = printed("lookup", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert "there is no message" in answer.err


def test_what_cannot_be_read_is_said(tmp_path, monkeypatch):
    folder = printed("lookup", str(tmp_path))
    assert (folder.code, folder.err) == (2, f"error: {tmp_path} is a folder, not a regular file\n")
    assert printed("lookup", "missing.log").err == "error: missing.log: no such file\n"
    large = tmp_path / "large.log"
    large.write_bytes(b"a" * (2**20 + 1))
    assert "more than the 1,048,576 that are read" in printed("lookup", str(large)).err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(large.read_bytes())))
    assert printed("lookup", "-").code == 2
    assert printed("lookup", "a" * (2**20 + 1)).code == 2


def test_the_page_of_all_messages_is_what_the_command_gives(monkeypatch):
    monkeypatch.setenv("HARNESS_STARTED_BY", "nox")
    page = printed("lookup", "--list", "--format", "markdown")
    written = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert page.code == 0
    assert page.out == written, "write it anew: python -m harness lookup --list --format markdown > docs/errors.md"
    assert len(written.encode()) < 150_000
    heading = PYTREE.replace("._", r".\_")
    assert f"\n## {heading}\n" in written
