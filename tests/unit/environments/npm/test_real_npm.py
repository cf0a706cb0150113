"""What npm itself does with packages of a registry on loopback."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import loopback
import pytest
from node_environment import NEEDS_NODE

from harness.environments.interface import ANY, FailureType, ProviderFailure
from harness.environments.npm.client import Npm
from harness.subprocesses import Supervisor

pytestmark = NEEDS_NODE


def archive(version: str, requires: Mapping[str, str]) -> bytes:
    """The package `top` as npm packs it."""
    text = json.dumps({"name": "top", "version": version, "dependencies": requires}).encode()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as packed:
        member = tarfile.TarInfo("package/package.json")
        member.size = len(text)
        packed.addfile(member, io.BytesIO(text))
    return content.getvalue()


class Registry(loopback.Handler):
    """Has the package `top`, as npm's own registry does: an answer may be kept for five minutes."""

    published: Mapping[str, tuple[bytes, Mapping[str, str]]]
    """Version → archive, and what it requires."""
    asked: list[str]
    """The paths."""

    def answer(self) -> None:
        self.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        if name == "top":
            self._send(json.dumps(self._document()).encode())
        elif name in self.published:
            self._send(self.published[name][0])
        else:
            self.send_error(404)

    def _document(self) -> dict[str, object]:
        address = f"http://127.0.0.1:{self.server.server_address[1]}"
        versions = {
            version: {
                "name": "top", "version": version, "dependencies": requires,
                "dist": {
                    "tarball": f"{address}/{version}",
                    "integrity": f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}",
                },
            }
            for version, (content, requires) in self.published.items()
        }  # fmt: skip
        return {"name": "top", "dist-tags": {"latest": next(iter(versions))}, "versions": versions}

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "public, max-age=300")
        self.end_headers()
        self.wfile.write(body)

    @classmethod
    def publish(cls, version: str, requires: Mapping[str, str]) -> None:
        """Publish a version of `top`."""
        cls.published = {**cls.published, version: (archive(version, requires), requires)}


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
    monkeypatch.setattr(Registry, "published", {}, raising=False)
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
def test_what_is_not_of_a_registry_is_not_fetched(address, tmp_path: Path, required):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "package.json").write_text('{"name": "inner", "version": "1.0.0"}')
    Registry.publish("1.0.0", {"inner": required.format(url=address, folder=tmp_path)})
    with pytest.raises(ProviderFailure) as caught:
        Npm(Supervisor()).resolve(["top==1.0.0"], ANY)
    assert caught.value.type is FailureType.INFRASTRUCTURE
    assert not (tmp_path / "git-ran").exists()
    if knows_allow_remote():
        words = "a package requires one from git, a URL or a file, and only those of a registry are installed"
        assert words in str(caught.value)
        assert {path.rpartition("/")[2] for path in Registry.asked} == {"top"}


@pytest.mark.usefixtures("address")
def test_what_was_published_after_the_last_install_is_installed(tmp_path):
    npm = Npm(Supervisor())
    for version in ("1.0.0", "1.1.0"):
        Registry.publish(version, {})
        lock, folder = npm.resolve([f"top=={version}"], ANY), tmp_path / version
        npm.create(folder, ANY)
        assert npm.install_from_cache(folder, lock) is False
        npm.install(folder, lock)
        assert npm.installed(folder, ANY) == {"top": version}
        assert npm.install_from_cache(folder, lock) is True
    npm.create(tmp_path / "again", ANY)
    npm.install(tmp_path / "again", lock)
    assert [path.rpartition("/")[2] for path in Registry.asked].count("1.1.0") == 1
