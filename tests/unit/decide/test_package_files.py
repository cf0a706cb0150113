"""The runtime that a package.json names, as a version set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.decide.version_files import read
from harness.decide.version_sets import Versions
from harness.errors import VersionsError


def of(folder: Path, dependencies: dict[str, Any], lock: str | None = None, group: str = "dependencies") -> Versions:
    (folder / "package.json").write_text(json.dumps({"name": "app", group: dependencies}))
    if lock:
        packages = {"": {}, "node_modules/onnxruntime-node": {"version": lock}, "node_modules/left-pad": {"version": "1.3.0"}}
        (folder / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": packages}))
    return read(folder / "package.json", None, "3.11")


@pytest.mark.parametrize(
    ("written", "exact", "open_"),
    [
        ("1.16.3", {"onnxruntime-node": "1.16.3"}, ()),
        ("=1.16.3", {"onnxruntime-node": "1.16.3"}, ()),
        ("^1.16.3", {}, ("onnxruntime-node>=1.16.3,<2",)),
        ("^0.5.1", {}, ("onnxruntime-node>=0.5.1,<0.6",)),
        ("~1.16.3", {}, ("onnxruntime-node>=1.16.3,<1.17",)),
        ("~1", {}, ("onnxruntime-node>=1,<2",)),
        ("1.16", {}, ("onnxruntime-node==1.16.*",)),
        (">=1.16 <1.20", {}, ("onnxruntime-node<1.20,>=1.16",)),
        ("<=1.16", {}, ("onnxruntime-node<1.17",)),
        (">1.16", {}, ("onnxruntime-node>=1.17",)),
        (">1 <= 2", {}, ("onnxruntime-node<3,>=2",)),
        (">1.16.2 <=1.16.3", {}, ("onnxruntime-node<=1.16.3,>1.16.2",)),
        ("*", {}, ("onnxruntime-node",)),
        ("latest", {}, ("onnxruntime-node",)),
    ],
)
def test_a_range_of_npm_is_a_requirement(tmp_path, written, exact, open_):
    found = of(tmp_path, {"onnxruntime-node": written, "left-pad": "git+ssh://host/x"})
    assert (found.exact, found.open, found.python) == (exact, open_, "3.11")


def test_the_lock_beside_it_says_which_version_it_is(tmp_path):
    assert of(tmp_path, {"onnxruntime-node": "^1.16.0"}, lock="1.16.3").exact == {"onnxruntime-node": "1.16.3"}


def test_a_lock_by_itself(tmp_path):
    packages = {"node_modules/onnxruntime-node": {"version": "1.20.1"}}
    path = tmp_path / "package-lock.json"
    path.write_text(json.dumps({"packages": packages}))
    exact = {"onnxruntime-node": "1.20.1"}
    assert read(path, "3.12", None) == Versions(source=str(path), python="3.12", exact=exact, is_environment=False)


@pytest.mark.parametrize("group", ["devDependencies", "optionalDependencies", "peerDependencies"])
def test_every_kind_of_dependency_counts(tmp_path, group):
    assert of(tmp_path, {"onnxruntime-node": "1.16.3"}, group=group).exact == {"onnxruntime-node": "1.16.3"}


def test_of_several_kinds_the_one_counts_that_npm_installs(tmp_path):
    groups = {"devDependencies": ">=1.17", "dependencies": "1.16.3", "peerDependencies": ">=1.14"}
    path = tmp_path / "package.json"
    path.write_text(json.dumps({group: {"onnxruntime-node": range_} for group, range_ in groups.items()}))
    assert (read(path, None, "3.11").exact, read(path, None, "3.11").open) == ({}, ("onnxruntime-node>=1.17",))
    del groups["devDependencies"]
    path.write_text(json.dumps({group: {"onnxruntime-node": range_} for group, range_ in groups.items()}))
    assert (read(path, None, "3.11").exact, read(path, None, "3.11").open) == ({"onnxruntime-node": "1.16.3"}, ())


@pytest.mark.parametrize("written", ["file:../x", "git+ssh://host/x", "npm:other@1", "next", "1.16 || 1.20", 3, None])
def test_what_is_no_range_of_versions_is_named(tmp_path, written):
    with pytest.raises(VersionsError, match="onnxruntime-node: expected a version such as"):
        of(tmp_path, {"onnxruntime-node": written})


NIGHTLY = "1.24.0-dev.20251116-b39e144322"
"""As npm has it; no version in Python."""


@pytest.mark.parametrize("lock", [None, NIGHTLY])
def test_a_build_that_has_no_version_is_named(tmp_path, lock):
    with pytest.raises(
        VersionsError, match=f"onnxruntime-node: expected a version such as '1.16.3', not the build '{NIGHTLY}'"
    ):
        of(tmp_path, {"onnxruntime-node": NIGHTLY if lock is None else "*"}, lock=lock)


@pytest.mark.parametrize(
    ("text", "words"), [("[]", "expected a table"), ("{", "is not valid JSON"), ("{}", "names no known runtime")]
)
def test_what_names_no_runtime(tmp_path, text, words):
    path = tmp_path / "package.json"
    path.write_text(text)
    with pytest.raises(VersionsError, match=words):
        read(path, None, None)
