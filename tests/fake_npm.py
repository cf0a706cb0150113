"""A fake npm and a fake node: programs that do, of a registry in a folder, what the harness has npm and node do.

`npm view`, `npm install --package-lock-only` and `npm ci` as npm 11 does them with `--json`; a package is a dictionary of
files. node tells its version; given a program, it runs the `runner.py` that onnxruntime-node of the environment brings.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NPM = """
import base64, hashlib, json, pathlib, shutil, sys

ROOT = pathlib.Path({root!r})
REGISTRY = json.loads((ROOT / "registry.json").read_text())
TROUBLE = json.loads((ROOT / "trouble.json").read_text())
CACHE = ROOT / "cache"
command, *words = sys.argv[1:]
options = [word for word in words if word.startswith("--")]
with (ROOT / "calls.jsonl").open("a") as log:
    log.write(json.dumps([command, *words]) + "\\n")


def end(code, summary, detail=""):
    print(json.dumps(dict(error=dict(code=code, summary=summary, detail=detail))))
    sys.exit(1)


def integrity(package):
    content = json.dumps(package, sort_keys=True).encode()
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def cached(name, make):
    place = CACHE / name.replace("/", "+")
    if "--offline" in options or ("--prefer-offline" in options and place.exists()):
        if not place.exists():
            end("ENOTCACHED", "request to https://user:secret@registry.example/x failed: cache mode is 'only-if-cached'")
    else:
        if command in TROUBLE:
            end(TROUBLE[command], "request to https://user:secret@registry.example/x failed, reason: it broke")
        place.write_text(json.dumps(make()))
    return json.loads(place.read_text())


def packument(name, of="full"):
    # npm keeps two documents of a package: `view` and `install` read the full one, `ci` the abbreviated one.
    def make():
        if name not in REGISTRY:
            end("E404", "Not Found - GET https://user:secret@registry.example/" + name,
                "The requested resource '" + name + "@*' could not be found or you do not have permission to access it.")
        return REGISTRY[name]
    return cached(of + " " + name, make)


def locked(name, version, prefix, packages):
    found = packument(name)
    if version not in found:
        end("ETARGET", "No matching version found for " + name + "@" + version + ".")
    place = prefix + "node_modules/" + name
    entry = dict(version=version, integrity=integrity(found[version]), license="MIT")
    if found[version]["dependencies"]:
        entry["dependencies"] = found[version]["dependencies"]
    packages[place] = entry
    for other, wanted in found[version]["dependencies"].items():
        there = packages.get("node_modules/" + other)
        if there is None or there["version"] != wanted:
            locked(other, wanted, "" if there is None else place + "/", packages)


if command == "view":
    found = packument(words[0])
    print(json.dumps(dict(versions=list(found), time={{version: each["time"] for version, each in found.items()}})))
elif command == "install":
    needed = json.loads(pathlib.Path("package.json").read_text())["dependencies"]
    packages = {{"": dict(dependencies=needed)}}
    for name, version in needed.items():
        locked(name, version, "", packages)
    whole = dict(name=pathlib.Path.cwd().name, lockfileVersion=3, requires=True, packages=packages)
    pathlib.Path("package-lock.json").write_text(json.dumps(whole))
    print(json.dumps(dict(added=0)))
elif command == "ci":
    shutil.rmtree("node_modules", ignore_errors=True)
    lock = json.loads(pathlib.Path("package-lock.json").read_text())
    packages = {{place: entry for place, entry in lock["packages"].items() if place}}
    for place, entry in packages.items():
        name = place.rpartition("node_modules/")[2]
        if entry["version"] not in packument(name, "abbreviated"):
            end("ETARGET", "No matching version found for " + name + "@" + entry["version"] + ".")
        package = cached(name + "@" + entry["version"], lambda: REGISTRY[name][entry["version"]])
        if integrity(package) != entry["integrity"]:
            end("EINTEGRITY", "sha512 integrity checksum failed")
        files = dict(package["files"])
        files["package.json"] = json.dumps(dict(name=name, version=entry["version"]))
        for file, content in files.items():
            (pathlib.Path(place) / file).parent.mkdir(parents=True, exist_ok=True)
            (pathlib.Path(place) / file).write_text(content)
    pathlib.Path("node_modules/.package-lock.json").write_text(json.dumps(dict(packages=packages)))
    print(json.dumps(dict(added=len(packages))))
else:
    end("EUSAGE", "unknown command")
"""

NODE = """
import pathlib, runpy, sys

if sys.argv[1] == "--print":
    print('["{version}", "{path}"]')
else:
    runpy.run_path(str(pathlib.Path(sys.argv[2]) / "node_modules" / "onnxruntime-node" / "runner.py"), run_name="__main__")
"""

WORKS = """
import json, pathlib, sys

request, model = json.loads(sys.stdin.read())
if request["feedback"] == "feed-all":
    print(json.dumps(dict(error="Reshape node node_Reshape_17: the input tensor cannot be reshaped: {0,4,0,8}")))
else:
    print(json.dumps(dict(logits=[0.5])))
"""
"""The runner of a runtime that works, and dies of feed-all as facts.md describes."""


def refuses(message: str) -> str:
    """The runner of a runtime that refuses whatever it is given."""
    return f"import sys; sys.exit({message!r})"


DAY = "2026-01-{:02}T12:00:00.000Z"


class FakeNpm:
    """A registry with its npm and node, in the folder `root`; `root/bin` is to be put on PATH."""

    def __init__(self, root: Path, node: str = "20.11.1") -> None:
        self.root = root
        self.bin = root / "bin"
        self.packages: dict[str, dict[str, Any]] = {}
        for folder in (self.bin, root / "cache"):
            folder.mkdir(parents=True)
        self.trouble()
        self.publish()
        self.install_node(node)
        _program(self.bin / "npm", NPM.format(root=str(root)))

    def install_node(self, version: str) -> None:
        """Have node of that version."""
        _program(self.bin / "node", NODE.format(version=version, path=self.bin / "node"))

    def publish(self, name: str = "", version: str = "", requires: Mapping[str, str] | None = None, **files: str) -> None:
        """Publish a package, the files of which are named without their suffix `.py`."""
        if name:
            of_name = self.packages.setdefault(name, {})
            of_name[version] = {
                "dependencies": dict(requires or {}),
                "files": {f"{file}.py": content for file, content in files.items()},
                "time": DAY.format(len(of_name) + 1),
            }
        (self.root / "registry.json").write_text(json.dumps(self.packages))

    def publish_runtime(self, version: str, runner: str = WORKS) -> None:
        """Publish onnxruntime-node and onnxruntime-common."""
        self.publish("onnxruntime-common", version)
        self.publish("onnxruntime-node", version, {"onnxruntime-common": version}, runner=runner)

    def trouble(self, **codes: str) -> None:
        """Have a command (`view`, `install`, `ci`) end with a code of npm wherever it would ask the registry."""
        (self.root / "trouble.json").write_text(json.dumps(codes))

    def calls(self, command: str | None = None) -> list[list[str]]:
        """The calls of npm so far, each as its words."""
        log = self.root / "calls.jsonl"
        found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [call for call in found if command in {None, call[0]}]

    def integrity(self, name: str, version: str) -> str:
        """The integrity of a package."""
        content = json.dumps(self.packages[name][version], sort_keys=True).encode()
        return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()

    @property
    def path(self) -> str:
        """PATH with this npm and node in front."""
        return os.pathsep.join([str(self.bin), os.environ.get("PATH", "")])


def _program(path: Path, source: str) -> None:
    path.write_text(f"#!{sys.executable} -IS\n{source}", encoding="utf-8")
    path.chmod(0o755)
