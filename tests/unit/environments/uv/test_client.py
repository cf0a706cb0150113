# ruff: noqa: RUF001 -- uv's text is quoted as it is
"""What uv's text means. The texts are what uv 0.9 to 0.13 print."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from values import PYTHON

from harness.environments.interface import FailureType, ProviderFailure
from harness.environments.uv import variables
from harness.environments.uv.client import Uv
from harness.environments.uv.command import find_uv
from harness.environments.uv.errors import classify, needs_build, unpublished
from harness.environments.uv.run_cache import RunCache
from harness.environments.uv.source_options import place_variables
from harness.errors import UvError
from harness.locked import Lock
from harness.matrix.schema import UvSources
from harness.subprocesses import Supervisor

NO_SOLUTION = """  × No solution found when resolving dependencies:
  ╰─▶ Because torch==2.0.0 depends on numpy<2 and onnxruntime==1.22.0 depends
      on numpy>=2, we can conclude that torch==2.0.0 and onnxruntime==1.22.0 are incompatible."""
NO_VERSION = """  × No solution found when resolving dependencies:
  ╰─▶ Because there is no version of onnxruntime==1.99.0 and you require onnxruntime==1.99.0, we can conclude that your
      requirements are unsatisfiable."""
NO_NAME = """  × No solution found when resolving dependencies:
  ╰─▶ Because nonesuch was not found in the package registry and you require nonesuch==1.0, we can conclude that your
      requirements are unsatisfiable."""
NO_LINK = NO_NAME.replace("the package registry", "the provided package locations")
NO_WHEEL = """  × No solution found when resolving dependencies:
  ╰─▶ Because torch==1.13.1 has no wheels with a matching Python ABI tag (e.g., `cp312`) and you require torch==1.13.1,
      we can conclude that your requirements are unsatisfiable."""
NOT_BUILT = """error: No solution found when resolving dependencies
  cause: Because sdonly==1.0 has no usable wheels and you require sdonly==1.0, we can conclude that your requirements are
         unsatisfiable.

hint: Wheels are required for `sdonly` because building from source is disabled for all packages (i.e., with
      `--no-build`)"""
OFFLINE = """  × No solution found when resolving dependencies:
  ╰─▶ Because torch was not found in the cache and you require torch, we can conclude that your requirements are
      unsatisfiable.
      hint: Packages were unavailable because the network was disabled."""
OFFLINE_BUILD = """  × Failed to build `needsbuild==1.0`
  ├─▶ Failed to install requirements from `build-system.requires`
  ├─▶ Failed to download `packaging==26.4`
  ╰─▶ Network connectivity is disabled, but the requested data wasn't found in the cache: https://index/packaging.whl"""
UNAUTHORIZED = """error: No solution found when resolving dependencies
  cause: Because torch was not found in the package registry and you require torch==2.1.0, we can conclude that your
         requirements are unsatisfiable.

hint: An index URL (http://127.0.0.1:9/simple) could not be queried due to a lack of valid authentication
      credentials (401 Unauthorized)"""
FORBIDDEN = f"""{NO_NAME.replace("nonesuch", "torch")}

hint: An index (http://127.0.0.1:9/simple) returned a 403
      Forbidden error. Check that the index URL is correct and the credentials are valid."""
REFUSED = """error: Request failed after 3 retries
  Caused by: Failed to fetch: `http://127.0.0.1:9/simple/torch/`
  Caused by: error sending request for url
  Caused by: tcp connect error
  Caused by: Connection refused (os error 111)"""
BUILD_REFUSED = """  × Failed to build `x==1.0`
  ├─▶ Failed to resolve requirements from `build-system.requires`
  ├─▶ No solution found when resolving: `setuptools`
  ╰─▶ Failed to fetch: `http://127.0.0.1:9/simple/setuptools/`
error sending request for url (http://127.0.0.1:9/simple/setuptools/)
 tcp connect error: Connection refused"""
BUILD_FETCH = """error: Failed to download and build `bb==1.0`
  cause: Failed to resolve requirements from `build-system.requires`
  cause: No solution found when resolving: `setuptools`
  cause: Failed to fetch: http://127.0.0.1:9/simple/setuptools/
  cause: {}"""
FETCH_CAUSES = [
    "error sending request for url (http://127.0.0.1:9/)\n  cause: operation timed out",
    "client error (SendRequest)\n  cause: connection closed before message completed",
    "error decoding response body for url (http://127.0.0.1:9/)\n  cause: end of file before message length reached",
    "HTTP status client error (429 Too Many Requests) for url (http://127.0.0.1:9/)",
    "HTTP status server error (500 Internal Server Error) for url (http://127.0.0.1:9/)",
    "client error (Connect)\n  cause: dns error\n  cause: failed to lookup address information",
    "client error (Connect)\n  cause: received corrupt message of type InvalidContentType",
]
BUILD = """  × Failed to build `sentencepiece==0.1.91`
  ├─▶ The build backend returned an error
  ╰─▶ Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)"""
DISK = "error: Failed to extract archive\n  Caused by: No space left on device (os error 28)"
BACKEND_DOWNLOADS = [
    "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
    "urllib.error.HTTPError: HTTP Error 503: Service Unavailable",
    "ConnectionResetError: [Errno 104] Connection reset by peer",
    "TimeoutError: The read operation timed out",
    "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
    "curl: (6) Could not resolve host: example.invalid",
    "fatal: unable to access 'http://127.0.0.1:9/': The requested URL returned error: 502",
]
BACKEND_FAILS = [
    "fatal error: network.h: No such file or directory",
    "cc1plus: note: -DTIMEOUT=503 -Wno-error=dns",
    "urllib.error.HTTPError: HTTP Error 404: Not Found",
    "error: Failed to download and build is not a command",
]
HASH = "  × Failed to download `onnxruntime==1.16.3`\n  ╰─▶ Hash mismatch for `onnxruntime==1.16.3`"


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        (NO_SOLUTION, FailureType.UNSATISFIABLE),
        (NO_VERSION, FailureType.UNSATISFIABLE),
        (NO_NAME, FailureType.UNSATISFIABLE),
        (NO_WHEEL, FailureType.UNSATISFIABLE),
        (OFFLINE, FailureType.INFRASTRUCTURE),
        (OFFLINE_BUILD, FailureType.INFRASTRUCTURE),
        (UNAUTHORIZED, FailureType.INFRASTRUCTURE),
        (FORBIDDEN, FailureType.INFRASTRUCTURE),
        (REFUSED, FailureType.INFRASTRUCTURE),
        (BUILD_REFUSED, FailureType.INFRASTRUCTURE),
        *[(BUILD_FETCH.format(cause), FailureType.INFRASTRUCTURE) for cause in FETCH_CAUSES],
        *[(f"{BUILD}\n\n[stderr]\n{text}", FailureType.INFRASTRUCTURE) for text in BACKEND_DOWNLOADS],
        *[(f"{BUILD}\n\n[stderr]\n{text}", FailureType.BUILD) for text in BACKEND_FAILS],
        (BUILD, FailureType.BUILD),
        (DISK, FailureType.INFRASTRUCTURE),
        (HASH, FailureType.INFRASTRUCTURE),
        ("", FailureType.INFRASTRUCTURE),
        ("error: unexpected argument '--torch-backend' found", FailureType.INFRASTRUCTURE),
    ],
)
def test_only_what_uv_calls_unsolvable_or_unbuildable_is_a_fact(text, type_):
    assert classify(text) is type_


@pytest.mark.parametrize(
    ("text", "requested", "named"),
    [
        (NO_VERSION, ["torch==2.1.2", "onnxruntime==1.99.0"], "onnxruntime==1.99.0"),
        (NO_NAME, ["nonesuch==1.0"], "nonesuch"),
        (NO_LINK, ["nonesuch==1.0"], "nonesuch"),
        (NO_VERSION, ["torch==2.1.2"], None),
        (NO_SOLUTION, ["torch==2.0.0", "onnxruntime==1.22.0"], None),
        (NO_WHEEL, ["torch==1.13.1"], None),
        (OFFLINE, ["torch==2.1.2"], None),
        (OFFLINE, ["torch"], None),
        (UNAUTHORIZED, ["torch==2.1.0"], None),
        (FORBIDDEN, ["torch==2.1.0"], None),
        ("", ["torch==2.1.2"], None),
    ],
)
def test_what_nobody_publishes_is_named_only_if_it_was_requested(text, requested, named):
    assert unpublished(text, requested) == named


def uv(tmp_path: Path, binary: str = "uv", **sources: object) -> Uv:
    return Uv(
        binary=binary,
        sources=UvSources.model_validate(sources),
        torch_backend=None,
        offline=False,
        folder=tmp_path,
        children=Supervisor(),
    )


def script(tmp_path: Path, body: str) -> str:
    """An executable that stands in for uv."""
    path = tmp_path / "uv"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("body", "type_", "words"),
    [
        ("echo 'No solution found' >&2; exit 1", FailureType.UNSATISFIABLE, "No solution found"),
        ("exit 2", FailureType.INFRASTRUCTURE, "uv exited with code 2 and printed nothing"),
        ("kill -9 $$", FailureType.INFRASTRUCTURE, "uv was killed by signal 9"),
    ],
)
def test_how_uv_can_end(tmp_path, body, type_, words):
    with pytest.raises(ProviderFailure, match=words) as caught:
        uv(tmp_path, script(tmp_path, body)).interpreters()
    assert caught.value.type is type_


def test_a_failure_names_the_requirement_that_nobody_publishes(tmp_path):
    answers = uv(tmp_path, script(tmp_path, f"cat >&2 <<'END'\n{NO_VERSION}\nEND\nexit 1"))
    with pytest.raises(ProviderFailure) as caught:
        answers.resolve(["torch==2.1.0", "onnxruntime==1.99.0"], PYTHON)
    assert caught.value.unpublished == "onnxruntime==1.99.0"
    with pytest.raises(ProviderFailure) as caught:
        answers.resolve(["torch==2.1.0"], PYTHON)
    assert caught.value.unpublished is None


@pytest.mark.parametrize(
    ("build", "fails", "installs", "calls"),
    [(False, False, True, 1), (False, True, False, 1), (True, False, False, 0)],
    ids=["there", "not there", "a build"],
)
def test_an_install_from_the_cache_asks_no_index(tmp_path, build, fails, installs, calls):
    called = tmp_path / "called"
    body = f'echo "$*" >> {called}\ncase "$*" in *--offline*) exit {int(fails)};; esac\nexit 9'
    assert (
        uv(tmp_path, script(tmp_path, body), build=build).install_from_cache(tmp_path / "env", Lock(distributions=()))
        is installs
    )
    assert (called.read_text().count("pip sync") if called.exists() else 0) == calls


def test_a_uv_that_hangs_is_ended(tmp_path):
    slow = uv(tmp_path, script(tmp_path, "sleep 600"))
    with pytest.raises(ProviderFailure, match=r"timeout after 0\.1 s"):
        slow._call(["pip", "compile"], tmp_path, 0.1)


def test_interpreters_are_the_plain_cpythons(tmp_path):
    listed = """warning: something about a shim
[{"version": "3.11.7", "path": "/a/python3.11", "implementation": "cpython", "variant": "default"},
 {"version": "3.13.0", "path": "/b/python3.13t", "implementation": "cpython", "variant": "freethreaded"},
 {"version": "3.10.1", "path": "/c/pypy", "implementation": "pypy", "variant": "default"},
 {"version": "3.12.0", "path": null, "implementation": "cpython", "variant": "default"}]"""
    found = uv(tmp_path, script(tmp_path, f"cat <<'END'\n{listed}\nEND")).interpreters()
    assert [python.path for python in found] == ["/a/python3.11"]


def test_the_identity_of_sources_changes_with_whatever_says_where_they_are(tmp_path, monkeypatch):
    plain = uv(tmp_path).identity(tmp_path)
    assert uv(tmp_path).identity(tmp_path) == plain
    assert uv(tmp_path, **{"exclude-newer": "2024-01-01"}).identity(tmp_path) != plain
    assert replace(uv(tmp_path), torch_backend="cpu").identity(tmp_path) != plain
    monkeypatch.setenv("UV_CONCURRENT_DOWNLOADS", "3")
    assert uv(tmp_path).identity(tmp_path) == plain
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", "https://example.org/simple")
    assert uv(tmp_path).identity(tmp_path) != plain


def test_the_identity_of_sources_holds_no_password(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", "https://me:secret@example.org/simple https://secret@example.org/more")
    monkeypatch.setenv("UV_INDEX_MINE_PASSWORD", "secret")
    given = {"index": ["https://me:secret@example.org"], "default-index": "https://secret@example.org", "find-links": ["a"]}
    assert "secret" not in str(uv(tmp_path, **given).identity(tmp_path))


def test_the_identity_of_sources_moves_with_the_store(tmp_path):
    def of(folder: str, store: str) -> list[object]:
        return uv(tmp_path / folder, **{"find-links": ["wheels", "/abs"], "index": ["idx"]}).identity(tmp_path / store)

    assert of("here", "here/.harness") == of("there", "there/.harness")
    assert of("here", "store") != of("there", "store")


def test_what_reaches_uv_is_chosen(monkeypatch):
    monkeypatch.setenv("UV_CONSTRAINT", "/nowhere")
    monkeypatch.setenv("UV_INDEX_PRIVATE_PASSWORD", "secret")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    environment = variables.environment(UV_HTTP_TIMEOUT="2")
    assert "UV_CONSTRAINT" not in environment
    assert "PYTHONPATH" not in environment
    assert environment["UV_INDEX_PRIVATE_PASSWORD"] == "secret"
    assert environment["UV_HTTP_TIMEOUT"] == "2"
    assert environment["UV_PYTHON_DOWNLOADS"] == "never"


def test_uv_is_the_one_beside_the_harness():
    assert Path(find_uv()).exists()


def test_a_missing_uv_is_a_sentence(monkeypatch):
    import uv as shipped

    def missing() -> str:
        raise FileNotFoundError("/somewhere/uv")

    monkeypatch.setattr(shipped, "find_uv_bin", missing)
    with pytest.raises(UvError, match="pip install uv"):
        find_uv()


def test_no_place_is_cut_or_taken_for_something_else():
    places = {
        "index": ["a=b/c=d", "x=https://host/a,b"],
        "find-links": ["a,b#c", "/a b?c", "https://host/a,b"],
        "default-index": "./a=b",
    }
    sources = UvSources.model_validate(places)
    assert place_variables(sources, Path("/m,n")) == {
        "UV_INDEX": "a=file:///m%2Cn/b/c%3Dd x=https://host/a%2Cb",
        "UV_FIND_LINKS": "file:///m%2Cn/a%2Cb%23c,file:///a%20b%3Fc,https://host/a%2Cb",
        "UV_DEFAULT_INDEX": "file:///m%2Cn/a%3Db",
    }
    assert place_variables(UvSources(), Path("/m")) == {}


FAKE_UV = """#!{python}
import json, os, pathlib, sys
with open({calls!r}, "a") as file:
    file.write(json.dumps([sys.argv, dict(os.environ)]) + "\\n")
for word in sys.argv:
    if word.startswith("--output-file="):
        pathlib.Path(word.partition("=")[2]).touch()
"""


@pytest.mark.parametrize("cached", [False, True])
def test_no_password_is_in_the_list_of_processes(tmp_path, monkeypatch, cached):
    """An argument of a program can be read by everybody on its machine, a variable only by its user."""
    monkeypatch.setenv("HOME", str(tmp_path))
    fake, calls = tmp_path / "uv", tmp_path / "calls"
    fake.write_text(FAKE_UV.format(python=sys.executable, calls=str(calls)))
    fake.chmod(0o700)
    secret = {
        "index": ["https://me:s3kr3t@index.example/simple", "mine=https://s3kr3t@mine.example/simple"],
        "find-links": ["https://me:s3kr3t@links.example/page"],
        "default-index": "https://me:s3kr3t@default.example/simple",
    }
    (tmp_path / "cache").mkdir()
    cache = RunCache(lambda: contextlib.nullcontext(tmp_path / "cache")) if cached else None
    asked = replace(uv(tmp_path, **secret), binary=str(fake), run_cache=cache)
    asked.resolve(["torch==2.1.0"], PYTHON)
    asked.install(tmp_path / "environment", Lock(distributions=()))
    asked.tool("huggingface_hub", ["hf", "download"], HF_TOKEN="s3kr3t")
    assert asked.indexes_answer(PYTHON)
    recorded = [json.loads(line) for line in calls.read_text().splitlines()]
    assert [arguments[4:6] for arguments, _ in recorded] == [
        ["pip", "compile"],
        ["pip", "sync"],
        ["tool", "run"],
        ["pip", "compile"],
    ]
    assert all("s3kr3t" not in word for arguments, _ in recorded for word in arguments)
    assert all("s3kr3t" in environ["UV_FIND_LINKS"] for _, environ in recorded)
    for _, environ in recorded[cached:]:
        assert environ["UV_INDEX"] == " ".join(secret["index"])
        assert environ["UV_DEFAULT_INDEX"] == secret["default-index"]
    # The settings of a solve with a cache of its own have them.
    assert not cached or not {"UV_INDEX", "UV_DEFAULT_INDEX"} & recorded[0][1].keys()


def test_a_build_that_is_not_allowed_is_no_fact():
    assert (
        needs_build(NOT_BUILT)
        == "nothing is built from source here, and sdonly has no wheel: `build = true` in [uv] would settle it"
    )


@pytest.mark.parametrize("text", [NO_SOLUTION, NO_WHEEL, NO_VERSION])
def test_no_build_would_give_a_solution(text):
    assert needs_build(text) is None
