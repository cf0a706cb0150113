"""What npm itself does with packages of a registry on loopback."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import loopback
import pytest
from node_environment import NEEDS_NODE

from harness.environments.interface import ANY, FailureType, ProviderFailure
from harness.environments.npm.client import Npm
from harness.subprocesses import Supervisor

pytestmark = NEEDS_NODE


class Registry(loopback.Handler):
    """Has one package, which requires another one as `required` says; it notes what it was asked for."""

    required = ""
    asked: list[str]

    def answer(self) -> None:
        self.asked.append(self.path)
        version = {
            "name": "top",
            "version": "1.0.0",
            "dependencies": {"inner": self.required},
            "dist": {"tarball": "http://127.0.0.1:9/top.tgz", "integrity": f"sha512-{'A' * 86}=="},
        }
        whole = {"name": "top", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        found = self.path.endswith("/top")
        body = json.dumps(whole if found else {}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def address(tmp_path, monkeypatch) -> Iterator[str]:
    """The address of a registry; a git in front of the others notes that it was run."""
    for name in [name for name in os.environ if name.lower().startswith("npm_config_")]:
        monkeypatch.delenv(name)
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text(f"#!/bin/sh\necho run >> {tmp_path}/git-ran\nexit 1\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{git.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setattr(Registry, "asked", [], raising=False)
    with loopback.index(Registry) as url:
        monkeypatch.setenv("npm_config_registry", url)
        yield url


def knows_allow_remote() -> bool:
    """Whether this npm has the option."""
    return subprocess.run(["npm", "config", "get", "allow-remote"], capture_output=True, check=False).stdout.strip() == b"all"


@pytest.mark.parametrize(
    "required",
    ["git+https://127.0.0.1:9/x.git", "github:somebody/something", "{url}x.tgz", "file:{folder}/inner", "file:{folder}/x.tgz"],
)
def test_what_is_not_of_a_registry_is_not_fetched(address, tmp_path: Path, monkeypatch, required):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "package.json").write_text('{"name": "inner", "version": "1.0.0"}')
    monkeypatch.setattr(Registry, "required", required.format(url=address, folder=tmp_path))
    with pytest.raises(ProviderFailure) as caught:
        Npm(Supervisor()).resolve(["top==1.0.0"], ANY)
    assert caught.value.type is FailureType.INFRASTRUCTURE
    assert not (tmp_path / "git-ran").exists()
    if knows_allow_remote():
        words = "a package requires one from git, a URL or a file, and only those of a registry are installed"
        assert words in str(caught.value)
        assert {path.rpartition("/")[2] for path in Registry.asked} == {"top"}
