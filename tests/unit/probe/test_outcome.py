"""Whose fault an exception is: a fact about the versions (`fails`) or a lack of the machine, or a bug, of ours (`error`).

An exception is raised as it would be in an environment: through files of the probe, of packages and of the standard library.
The probe is loaded as it is there, under a name of its own.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from http.client import RemoteDisconnected
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import HTTPError

import numpy as np
import pytest

from harness.probe import __main__ as bootstrap

HERE = Path(bootstrap.__file__).parent
PROBE = f"{HERE}/decoders/export/models/subject.py"
RUNNING = f"{HERE}/runtimes/ort/session.py"
SITE = "/store/envs/0f1e2d3c4b5a6978/lib/python3.11/site-packages"
STDLIB = sysconfig.get_path("stdlib")

TORCH, DYNAMO = f"{SITE}/torch/onnx/utils.py", f"{SITE}/torch/_dynamo/eval_frame.py"
TRANSFORMERS, OPTIMUM = f"{SITE}/transformers/models/marian/modeling_marian.py", f"{SITE}/optimum/exporters/onnx/convert.py"
ONNX, ONNXSCRIPT = f"{SITE}/onnx/checker.py", f"{SITE}/onnxscript/optimizer/_inliner.py"
ORT = f"{SITE}/onnxruntime/capi/onnxruntime_inference_collection.py"
NUMPY = f"{SITE}/numpy/core/_methods.py"

FAILS, LACK_THERE, LACK_HERE, BUG = ("fails", "package"), ("error", "package"), ("error", "probe"), ("error", "probe")


@pytest.fixture(scope="module")
def outcome() -> Iterator[ModuleType]:
    bootstrap._register_package()
    yield importlib.import_module(f"{bootstrap.PACKAGE}.outcome")
    for name in [name for name in sys.modules if name.partition(".")[0] == bootstrap.PACKAGE]:
        del sys.modules[name]


def kind(name: str, *bases: type[BaseException], module: str = "package") -> type[BaseException]:
    """A class of exceptions as a package under test defines it."""
    return type(name, bases or (Exception,), {"__module__": module})


def through(files: tuple[str, ...], raises: Callable[[], Any]) -> Any:
    """Call `raises` through a function in each of `files`, the first outermost."""
    if not files:
        return raises()
    names: dict[str, Any] = {}
    exec(compile("def called(inner):\n    return inner()\n", files[0], "exec"), names)
    return names["called"](lambda: through(files[1:], raises))


def caught(files: tuple[str, ...], exception: BaseException, cause: BaseException | None = None) -> BaseException:
    """`exception` with a traceback whose frames lie in `files`, the innermost last."""
    names: dict[str, Any] = {"exception": exception, "cause": cause}
    *outer, innermost = files
    line = "raise exception from cause" if cause else "raise exception"
    exec(compile(f"def raises():\n    {line}\n", innermost, "exec"), names)
    try:
        through(tuple(outer), names["raises"])
    except BaseException as raised:  # noqa: BLE001 -- whatever was given
        # The frames of this file are no part of it; the calls between the files are.
        raised.__traceback__ = _without_this_file(raised.__traceback__)
        return raised
    raise AssertionError


def _without_this_file(traceback: Any) -> Any:
    kept = []
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename != __file__:
            kept.append(traceback)
        traceback = traceback.tb_next
    for one, after in zip(kept, [*kept[1:], None], strict=True):
        one.tb_next = after
    return kept[0] if kept else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An exception, the files that it came through, and the verdict."""

    raised: BaseException
    files: tuple[str, ...]
    verdict: tuple[str, str]
    cause: BaseException | None = None


def fact(raised: BaseException, *files: str) -> Row:
    return Row(raised=raised, files=(PROBE, *files), verdict=FAILS)


def lack(raised: BaseException, *files: str, cause: BaseException | None = None) -> Row:
    return Row(raised=raised, files=(PROBE, *files), verdict=LACK_THERE if files else LACK_HERE, cause=cause)


def bug(raised: BaseException, *files: str) -> Row:
    return Row(raised=raised, files=(PROBE, *files), verdict=BUG)


def ort(name: str, number: int, code: str, text: str) -> Row:
    """What onnxruntime raises from C++, through its own Python."""
    return fact(kind(name)(f"[ONNXRuntimeError] : {number} : {code} : {text}"), RUNNING, ORT)


def json_error() -> json.JSONDecodeError:
    return json.JSONDecodeError("Expecting value", "", 0)


def machine(number: int) -> OSError:
    """What Python makes of an errno."""
    return OSError(number, os.strerror(number))


UNSUPPORTED = "Exporting the operator 'aten::scaled_dot_product_attention' to ONNX opset version 12 is not supported."
MERGE = "The size of tensor a (5) must match the size of tensor b (4) at non-singleton dimension 3"
ALLOC = (
    "[enforce fail at alloc_cpu.cpp:114] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "51539607552 bytes. Error code 12 (Cannot allocate memory)"
)

TABLE = {
    # torch's exporters
    "an operator that the opset has not": fact(kind("UnsupportedOperatorError", RuntimeError)(UNSUPPORTED), TORCH),
    "a symbolic function that gives up": fact(
        kind("SymbolicValueError", RuntimeError)("Unsupported: prim::ListConstruct"), TORCH
    ),
    "a check of torch's own": fact(AssertionError(), TORCH),
    "torch.export": fact(kind("UserError")("Constraints violated (batch)! L['x'].size()[0] = 1 is a constant"), DYNAMO),
    "dynamo": fact(kind("Unsupported", RuntimeError)("call_function BuiltinVariable(getattr) [NNModuleVariable()]"), DYNAMO),
    "a guard on data": fact(kind("GuardOnDataDependentSymNode", RuntimeError)("Could not guard on Eq(u0, 1)"), DYNAMO),
    "the exporter's report": fact(kind("TorchExportError")("Failed to export the model with torch.export."), TORCH),
    "code that torch.fx has written": fact(RuntimeError(MERGE), DYNAMO, "<eval_with_key>.12"),
    "a library that torch lacks": fact(
        OSError("libcudart.so.11.0: cannot open shared object file"), f"{SITE}/torch/__init__.py"
    ),
    "a compiler that torch calls": fact(
        subprocess.CalledProcessError(1, ["g++"]), f"{SITE}/torch/_inductor/cpp.py", f"{STDLIB}/subprocess.py"
    ),
    "numpy that torch does not find": fact(RuntimeError("Numpy is not available"), f"{SITE}/torch/_tensor.py"),
    "an operator of torchvision": fact(
        RuntimeError("operator torchvision::nms does not exist"), f"{SITE}/torchvision/_meta.py"
    ),
    "a script that torch compiles": fact(kind("NotSupportedError", RuntimeError)("Compiled functions can't take *args"), TORCH),
    "an exit": fact(SystemExit(1), f"{SITE}/torch/cuda/__init__.py"),
    # transformers, optimum, tokenizers, onnxscript
    "sizes that do not fit": fact(RuntimeError(MERGE), TRANSFORMERS),
    "a bare key": fact(KeyError("marian"), f"{SITE}/transformers/models/auto/configuration_auto.py"),
    "what nobody has written yet": fact(NotImplementedError(), f"{SITE}/transformers/cache_utils.py"),
    "an attribute that is gone": fact(AttributeError("'DynamicCache' object has no attribute 'key_cache'"), TRANSFORMERS),
    "an argument that is new": fact(TypeError("forward() got an unexpected keyword argument 'cache_position'"), TRANSFORMERS),
    "too deep": fact(RecursionError("maximum recursion depth exceeded"), TRANSFORMERS),
    "a hub that is switched off": fact(
        kind("OfflineModeIsEnabled", ConnectionError)("Cannot reach https://hub/x: offline mode is enabled."), TRANSFORMERS
    ),
    "a module that transformers lacks": fact(
        ModuleNotFoundError("No module named 'sentencepiece'", name="sentencepiece"),
        TRANSFORMERS,
        "<frozen importlib._bootstrap>",
    ),
    "a name that transformers has moved": fact(
        ImportError("cannot import name 'is_torch_tpu_available' from 'transformers'", name="transformers"),
        f"{SITE}/optimum/exporters/utils.py",
    ),
    "an error in Rust": fact(
        kind("PanicException", BaseException)("called `Option::unwrap()` on a `None` value"), TRANSFORMERS
    ),
    "a JSON file of a package": fact(json_error(), TRANSFORMERS, f"{STDLIB}/json/__init__.py", f"{STDLIB}/json/decoder.py"),
    "a setting that optimum does not know": fact(ValueError("Unsupported past_key_values"), OPTIMUM),
    "a graph that onnxscript does not rewrite": fact(ValueError("Function not found"), ONNXSCRIPT),
    "compiled Cython": fact(
        RuntimeError("Internal: could not parse ModelProto"), TRANSFORMERS, "sentencepiece/_sentencepiece.pyx"
    ),
    "Debian's folder": fact(ValueError("bad marshal data"), "/usr/lib/python3/dist-packages/yaml/__init__.py"),
    "site-packages within the standard library's folder": fact(ValueError("no"), f"{STDLIB}/site-packages/torch/__init__.py"),
    # onnx and numpy
    "a graph that is out of order": fact(kind("ValidationError")("Nodes in a graph must be topologically sorted"), ONNX),
    "a file that is no model": fact(kind("DecodeError")("Error parsing message"), f"{SITE}/onnx/__init__.py"),
    "a model that is too large": fact(ValueError("onnx.ModelProto exceeds maximum protobuf size of 2GB: 2281700000"), ONNX),
    "shapes that are not inferred": fact(kind("InferenceError")("[ShapeInferenceError] (op_type:Concat)"), ONNX),
    "external data that are not there": fact(
        FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "decoder.onnx.data"), f"{SITE}/onnx/external_data_helper.py"
    ),
    "numpy that was built for another": fact(
        ImportError("numpy.core.multiarray failed to import"),
        f"{SITE}/onnxruntime/__init__.py",
        f"{STDLIB}/importlib/__init__.py",
    ),
    "numpy's own code": fact(np.linalg.LinAlgError("Singular matrix"), NUMPY),
    "a frame that numpy makes up": fact(TypeError("no implementation found"), "<__array_function__ internals>"),
    # onnxruntime
    "a format gate": ort("Fail", 1, "FAIL", "Unsupported model IR version: 10, max supported IR version: 9"),
    "an invalid graph": ort("InvalidGraph", 10, "INVALID_GRAPH", "This is an invalid model. Type Error: Type 'tensor(bool)'"),
    "no kernel": ort("NotImplemented", 9, "NOT_IMPLEMENTED", "Could not find an implementation for Trilu(14) node"),
    "a node that fails": ort("RuntimeException", 6, "RUNTIME_EXCEPTION", "Non-zero status code returned while running Reshape"),
    "an argument that does not fit": ort("InvalidArgument", 2, "INVALID_ARGUMENT", "Got invalid dimensions for input: x"),
    "an input that is not given": fact(ValueError("Required inputs (['past']) are missing from input feed"), RUNNING, ORT),
    "a file that is no protobuf": ort("InvalidProtobuf", 7, "INVALID_PROTOBUF", "Protobuf parsing failed."),
    # memory, disk, files, network: the machine's, wherever it shows
    "no memory, in a package": lack(MemoryError(), TORCH),
    "no memory, in the probe": lack(MemoryError()),
    "no memory for an array": lack(kind("_ArrayMemoryError", MemoryError)("Unable to allocate 12.0 GiB for an array"), NUMPY),
    "no memory for a tensor": lack(RuntimeError(ALLOC), TRANSFORMERS),
    "no memory in C++": lack(RuntimeError("std::bad_alloc"), ONNX),
    "no memory in onnxruntime": lack(
        kind("RuntimeException")("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer"),
        ORT,
    ),
    "a full disk, in a package": lack(machine(errno.ENOSPC), f"{SITE}/torch/serialization.py"),
    "a full disk, in the probe": lack(machine(errno.ENOSPC)),
    "a full disk, in C++": lack(RuntimeError("write failed: No space left on device"), ONNX),
    "no memory for a process": lack(machine(errno.ENOMEM), f"{SITE}/torch/_inductor/cpp.py", f"{STDLIB}/subprocess.py"),
    "no memory behind another exception": lack(RuntimeError("cannot load the weights"), TORCH, cause=MemoryError()),
    "no room in a quota": lack(machine(errno.EDQUOT), f"{SITE}/torch/serialization.py"),
    "no room in a quota, in C++": lack(RuntimeError("write failed: Disk quota exceeded"), ONNX),
    "no more files": lack(machine(errno.EMFILE), TRANSFORMERS),
    "a disk that is broken": lack(machine(errno.EIO), TRANSFORMERS),
    "an address that nobody answers": lack(machine(errno.ECONNREFUSED), TRANSFORMERS, f"{STDLIB}/socket.py"),
    "a connection that was cut": lack(machine(errno.ECONNRESET), TRANSFORMERS, f"{STDLIB}/ssl.py"),
    "no answer in time": lack(machine(errno.ETIMEDOUT), TRANSFORMERS),
    "a name that is not resolved": lack(
        kind("ConnectionError", OSError)("Max retries exceeded with url: /config.json"),
        f"{SITE}/requests/adapters.py",
        cause=socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
    ),
    "no answer in time, without a number": lack(TimeoutError("The read operation timed out"), TRANSFORMERS),
    "no answer in time, of an old Python": lack(kind("timeout", OSError, module="socket")("timed out"), TRANSFORMERS),
    "a connection that was cut, without a number": lack(ConnectionResetError("Connection reset by peer"), TRANSFORMERS),
    "a server that hangs up": lack(
        RemoteDisconnected("Remote end closed connection"), f"{STDLIB}/http/client.py", TRANSFORMERS
    ),
    "a server that is out of order": lack(HTTPError("http://h/", 503, "Service Unavailable", Message(), None), TRANSFORMERS),
    "a library that speaks HTTP": lack(
        kind("ConnectTimeout", kind("RequestException", OSError, module="requests.exceptions"))("Max retries exceeded"),
        f"{SITE}/requests/adapters.py",
    ),
    # what only looks like it
    "a size that no machine has": fact(RuntimeError(ALLOC.replace("51539607552", "9223372036854775807")), TORCH),
    "a size that no machine has, of numpy": fact(
        kind("_ArrayMemoryError", MemoryError)("Unable to allocate 6.94 EiB for an array with shape (1, 1000000000000000000)"),
        NUMPY,
    ),
    "a size that no machine has, in onnxruntime": ort(
        "RuntimeException",
        6,
        "RUNTIME_EXCEPTION",
        "Failed to allocate memory for requested buffer of size 18446744073709551488",
    ),
    "a class that is only called so": fact(kind("TimeoutError")("the pattern matcher gave up at depth 7"), TORCH),
    "a text that is only quoted": fact(ValueError("unknown option 'Connection refused' for this node"), ORT),
    "a full disk, in Node.js": lack(RuntimeError("ENOSPC: no space left on device, write"), ORT),
    "no room in a quota, in Node.js": lack(RuntimeError("EDQUOT: disk quota exceeded, write"), ORT),
    "no more files, in Node.js": lack(RuntimeError("EMFILE: too many open files, open '/x'"), ORT),
    "no more files of anybody, in Node.js": lack(RuntimeError("ENFILE: file table overflow, open '/x'"), ORT),
    "no memory, in Node.js": lack(RuntimeError("ENOMEM: not enough memory, read"), ORT),
    "a disk that is broken, in Node.js": lack(RuntimeError("EIO: i/o error, read"), ORT),
    "a network that is away, in Node.js": lack(RuntimeError("connect ENETUNREACH 10.0.0.1:443"), ORT),
    "a name that is not resolved, in Node.js": lack(RuntimeError("getaddrinfo EAI_AGAIN host"), ORT),
    "a file too large for a runtime": fact(RuntimeError("model file too large"), ORT),
    "a word with the name of an error in it": fact(RuntimeError("no node MEIOSIS in the graph"), ORT),
    "something that is busy": lack(machine(errno.EAGAIN), TORCH),
    "no more threads": lack(RuntimeError("can't start new thread"), TORCH, f"{STDLIB}/threading.py"),
    "no more threads, in C++": lack(RuntimeError("pthread_create failed: Resource temporarily unavailable"), ORT),
    # the probe's own code
    "a check of the probe's": bug(AssertionError()),
    "a key that the probe misspells": bug(KeyError("mask")),
    "an option that the probe misspells": bug(TypeError("export() got an unexpected keyword argument 'dynmo'")),
    "too deep in the probe": bug(RecursionError("maximum recursion depth exceeded")),
    "numpy in C, called by the probe": bug(ValueError("could not broadcast input array from shape (2,3) into shape (3,2)")),
    "a JSON file of the probe's": bug(json_error(), f"{STDLIB}/json/__init__.py", f"{STDLIB}/json/decoder.py"),
    "an attribute that the probe expects": bug(AttributeError("module 'torch.onnx' has no attribute 'ExportOptions'")),
    "a module of the probe's": bug(
        ModuleNotFoundError("No module named 'harness_probe.nonesuch'", name="harness_probe.nonesuch"),
        "<frozen importlib._bootstrap>",
    ),
    "a name of the probe's": bug(
        ImportError("cannot import name 'x' from 'harness_probe.imports'", name="harness_probe.imports")
    ),
    "a package that nobody has asked for": bug(ModuleNotFoundError("No module named 'nonesuch'", name="nonesuch")),
    # an import of the probe's that fails of the package
    "a module that a package has no more": fact(ModuleNotFoundError("No module named 'numpy.nonesuch'", name="numpy.nonesuch")),
    "a name that a package has no more": fact(ImportError("cannot import name 'x' from 'torch.onnx'", name="torch.onnx")),
    "an extension that does not load": fact(
        ImportError("libgomp.so.1: cannot open shared object file"), "<frozen importlib._bootstrap>"
    ),
}


def test_the_table_is_a_large_one():
    assert len(TABLE) >= 60


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_whose_fault_it_is(outcome, row):
    exc = caught(row.files, row.raised, row.cause)
    assert outcome.status_of(exc) == row.verdict
    described = outcome.describe(exc, row.verdict[1])
    assert (described["type"], described["where"]) == (type(row.raised).__name__, row.verdict[1])
    assert f'File "{row.files[-1]}"' in described["traceback"]


def test_an_exception_that_cannot_be_printed_is_described_all_the_same(outcome):
    class Broken(Exception):  # noqa: N818 -- as packages name theirs
        def __str__(self):
            raise ValueError

    class Nameless(type):
        @property
        def __name__(cls):
            raise ValueError

    for kind_, name in ((Broken, "Broken"), (Nameless("Q", (Exception,), {}), "Q")):
        exc = caught((PROBE, TORCH), kind_())
        described = outcome.describe(exc, "package")
        assert outcome.status_of(exc) == FAILS
        assert (described["type"], described["message"]) == (name, f"{name} (in torch/onnx/utils.py, raises)")
        assert "torch/onnx/utils.py" in described["traceback"]


FINDINGS = {
    "a finding of the probe's own": (lambda: None, ("fails", "package")),
    "of a package's exception": (lambda: caught((RUNNING, ORT), RuntimeError("no kernel")), ("fails", "package")),
    "of one that has no frame but the probe's": (lambda: caught((RUNNING,), RuntimeError("no kernel")), ("fails", "package")),
    "of memory that there is not": (lambda: caught((RUNNING, ORT), MemoryError()), ("error", "package")),
    "of memory that C++ does not get": (lambda: caught((RUNNING,), RuntimeError("std::bad_alloc")), ("error", "probe")),
    "of a disk that is full": (lambda: caught((RUNNING, ONNX), OSError(errno.ENOSPC, "full")), ("error", "package")),
}


@pytest.mark.parametrize(("original", "verdict"), FINDINGS.values(), ids=FINDINGS)
@pytest.mark.parametrize("name", ["ProbeFailure", "InventedInput", "MissingOutput"])
def test_a_finding_is_a_fact_unless_the_machine_lacks_something(outcome, name, original, verdict):
    graph_names = importlib.import_module(f"{bootstrap.PACKAGE}.runtimes.graph_names")
    finding = getattr(outcome, name, None) or getattr(graph_names, name)
    assert outcome.status_of(caught((RUNNING,), finding("case 1, step 2: it differs", original()))) == verdict


def test_what_a_probe_module_lacks_is_an_error(outcome):
    assert outcome.status_of(caught((PROBE,), outcome.ProbeModuleError("it has no function cases()"))) == ("error", "probe")


def test_what_was_never_raised_is_nobodys_but_the_probes(outcome):
    assert outcome.status_of(ValueError("no frame at all")) == ("error", "probe")


def test_a_probe_of_ones_own_is_the_probe(outcome, tmp_path, monkeypatch):
    monkeypatch.setattr(outcome, "_PROBE_FOLDERS", list(outcome._PROBE_FOLDERS))
    exc = caught((PROBE, f"{tmp_path}/mine/helper.py"), KeyError("mask"))
    assert outcome.status_of(exc) == ("fails", "package")
    outcome.add_probe_folder(tmp_path / "mine")
    assert outcome.status_of(exc) == ("error", "probe")
    beside = caught((PROBE, f"{tmp_path}/mine-too/helper.py"), KeyError("mask"))
    assert outcome.status_of(beside) == ("fails", "package")


def test_long_texts_keep_what_matters(outcome):
    described = outcome.describe(caught((PROBE, TORCH), ValueError("first " + "x " * 9000 + " last")), "package")
    assert len(described["message"]) == 4000
    assert described["message"].startswith("first x")
    assert described["message"].endswith("last")
    assert len(described["traceback"]) == 8000
    assert "\n[…]\n" in described["traceback"]


def test_what_the_probe_does_not_find_says_what_would_help(outcome):
    exc = caught((PROBE,), ModuleNotFoundError("No module named 'sacremoses'", name="sacremoses"))
    assert "[probe] requires" in outcome.describe(exc, "probe")["message"]
    assert "[probe] requires" not in outcome.describe(exc, "package")["message"]


@pytest.fixture
def confined(outcome, monkeypatch) -> ModuleType:
    """The module in a process that is confined, and may read one folder of /tmp."""
    for name in ("_refusals", "_hidden", "_shown"):
        monkeypatch.setattr(outcome, name, type(getattr(outcome, name))())
    rights = {"landlock": 7, "namespaces": ["user", "mount"], "processes": 0, "read": ["/tmp/store"], "write": []}
    outcome.expect_refusals(rights)
    return outcome


def missing(path: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "No such file or directory", path)


@pytest.mark.parametrize(
    ("raised", "refused"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), True),
        (OSError(errno.EROFS, "Read-only file system"), True),
        (ProcessLookupError(errno.ESRCH, "No such process"), True),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), True),
        (RuntimeError("open failed: Operation not permitted"), True),
        (RuntimeError("EACCES: permission denied, open '/x/package.json'"), True),
        (RuntimeError("connect EPERM 10.0.0.1:443"), True),
        (RuntimeError("getaddrinfo ENOTFOUND host"), True),
        (missing("/run/user/1/socket"), True),
        (missing("/tmp/other"), True),
        (missing("/tmp/store/envs/x.json"), False),
        (missing("/usr/share/x.json"), False),
        (ValueError("bad model"), False),
    ],
    ids=str,
)
def test_what_a_confined_process_may_have_been_refused_is_an_error(confined, raised, refused):
    exc = caught((PROBE, ONNX), raised)
    assert confined.status_of(exc) == ("error" if refused else "fails", "package")
    assert confined.describe(exc, "package")["refused"] == refused


def test_what_was_caught_before_counts_too(confined):
    source = "try:\n    raise PermissionError(13, 'no')\nexcept OSError:\n    raise ValueError('bad') from None\n"
    with pytest.raises(ValueError, match="bad") as raised:
        exec(compile(source, ONNX, "exec"))
    assert confined.status_of(raised.value)[0] == "error"
    assert confined.describe(raised.value, "package")["refused"]


def test_without_a_sandbox_nothing_is_a_refusal(outcome):
    exc = caught((PROBE, ONNX), PermissionError(errno.EACCES, "Permission denied"))
    assert outcome.status_of(exc) == ("fails", "package")
    assert not outcome.describe(exc, "package")["refused"]
