"""A package index over HTTP on loopback, that changes while a test goes on: PEP 503 pages, PEP 658 metadata, yanked files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import urllib.parse
import zipfile
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import loopback
from wheels import Wheel

from harness.environments.uv.command import find_uv


@dataclass(kw_only=True)
class Index:
    """What the index offers; it sends no lifetimes and no validators, as many private ones do."""

    folder: Path
    url: str = ""
    metadata: bool = True
    """Whether it serves each wheel's METADATA by itself (PEP 658)."""
    yanked: set[str] = field(default_factory=set)
    """File names."""
    broken: set[str] = field(default_factory=set)
    """Distributions whose page is answered with 503."""
    login: str = ""
    """`user:password` that it demands; nothing for none."""
    sizes: bool = True
    """Whether it says, when it is asked for no more than that, how large a file is."""
    asked: list[str] = field(default_factory=list)
    """Paths that were requested, in this order."""
    fetched: list[str] = field(default_factory=list)
    """Those of which the content was requested too."""

    def publish(self, *wheels: Wheel) -> None:
        """Offer wheels from now on."""
        for wheel in wheels:
            wheel.write(self.folder)

    def page(self, name: str) -> str | None:
        """The page of one distribution; None where there is none."""
        files = [path for path in sorted(self.folder.glob("*.whl")) if path.name.partition("-")[0].replace("_", "-") == name]
        lines = [self._link(path) for path in files]
        return "\n".join(["<!DOCTYPE html><html><body>", *lines, "</body></html>"]) if files else None

    def _link(self, path: Path) -> str:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        requires = next(line for line in _metadata(path).decode().splitlines() if line.startswith("Requires-Python: "))
        marks = [f'data-requires-python="{requires.partition(": ")[2].replace(">", "&gt;").replace("<", "&lt;")}"']
        marks += ['data-core-metadata="true"'] if self.metadata else []
        marks += ['data-yanked="broken"'] if path.name in self.yanked else []
        return f'<a href="../../files/{path.name}#sha256={sha256}" {" ".join(marks)}>{path.name}</a><br>'


def _metadata(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA")))


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Index]:
    """An index over the wheels in `folder`."""
    index = Index(folder=folder)

    class Handler(loopback.Handler):
        def answer(self) -> None:
            path = urllib.parse.unquote(self.path)
            index.asked.append(path)
            index.fetched += [path] if self.command == "GET" else []
            kind, _, name = path.strip("/").partition("/")
            if index.login and self.headers.get("Authorization") != f"Basic {b64encode(index.login.encode()).decode()}":
                self.send_error(401)
                return
            if kind == "simple" and name in index.broken:
                self.send_error(503)
                return
            content = _content(index, kind, name)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if kind == "simple" else "application/octet-stream")
            if index.sizes or self.command == "GET":
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

    with loopback.index(Handler) as address:
        index.url = address
        yield index


def _content(index: Index, kind: str, name: str) -> bytes | None:
    if kind == "simple":
        page = index.page(name)
        return page.encode() if page is not None else None
    path = index.folder / Path(name).name.removesuffix(".metadata")
    if kind != "files" or not path.is_file() or (name.endswith(".metadata") and not index.metadata):
        return None
    return _metadata(path) if name.endswith(".metadata") else path.read_bytes()


def compiled(index: Index, requirements: Sequence[str], scratch: Path, cache: Path | None = None) -> dict[str, str]:
    """The oracle: name → version, as `uv pip compile` chooses with an empty cache and nothing else configured.

    With `cache` that folder is uv's cache, and holds what the index answered.
    """
    scratch.mkdir()
    (scratch / "wanted.in").write_text("\n".join(requirements) + "\n")
    options = ["--python", sys.executable, "--default-index", index.url, "--no-build", "--prerelease", "explicit"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    text = subprocess.run(
        [find_uv(), "pip", "compile", "--no-header", "--no-annotate", "--quiet", "--no-config",
         "--cache-dir", str(cache or scratch / "cache"), *options, "wanted.in"],
        cwd=scratch, env=environ, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return dict(line.split("==") for line in text.split())
