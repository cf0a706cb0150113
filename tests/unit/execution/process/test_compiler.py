"""Which sources are compiled for probes: a probe names them, and may name anything."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from harness.environments.bytecode import Bytecode
from harness.execution.process.compiler import Compiler
from harness.execution.process.sandbox import Sandbox
from harness.model import Interpreter, Limits
from harness.store.store import Store
from harness.subprocesses import Supervisor

INTERPRETER = Interpreter(version=platform.python_version(), path=str(Path(sys.executable).resolve()))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def compiler(store: Store) -> Compiler:
    limits = Limits(seconds=60, memory=10**9)
    bytecode = Bytecode(store.root / "bytecode", envs=store.root / "envs", scratch=store.root / "tmp")
    return Compiler(store=store, bytecode=bytecode, supervisor=Supervisor(), sandbox=Sandbox(), limits=limits)


@pytest.mark.parametrize("beside", [True, False])
def test_what_is_in_an_environment_is_compiled(store, compiler, beside):
    package = store.root / "envs" / "e" / "package"
    package.mkdir(parents=True)
    for name, text in (("good.py", "x = 1"), ("bad.py", "x ="), ("also.py", "y = 2")):
        (package / name).write_text(text)
    compiler.add(
        INTERPRETER, Path(sys.executable), [str(package / name) for name in ("bad.py", "good.py", "also.py")], beside=beside
    )
    compiler.close()
    made = {path.name.partition(".")[0] for path in (store.root / "bytecode").rglob("*.pyc") if "envs" in path.parts}
    assert made == {"good", "also"}


def test_nothing_else_is(store, compiler, tmp_path):
    (tmp_path / "own.py").write_text("x = 1")
    (store.root / "envs" / "text.txt").write_text("x = 1")
    named = [
        str(tmp_path / "own.py"),
        str(store.root / "envs" / "text.txt"),
        f"{store.root}/envs/../../own.py",
        f"{store.root}/envs/a\nb.py",
        "relative.py",
        "",
    ]
    compiler.add(INTERPRETER, Path(sys.executable), named, beside=False)
    compiler.close()
    assert not (store.root / "bytecode").exists()


def test_nothing_of_the_environment_is_executed(store, compiler, tmp_path):
    environment = store.root / "envs" / "e"
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    python.write_text(f"#!/bin/sh\ntouch {tmp_path}/executed {store.root}/bytecode/planted\n")
    python.chmod(0o755)
    (environment / "good.py").write_text("x = 1")
    compiler.add(INTERPRETER, python, [str(environment / "good.py")], beside=False)
    compiler.close()
    assert [path.name for path in (store.root / "bytecode").rglob("good*.pyc")] == [f"good.{sys.implementation.cache_tag}.pyc"]
    assert not (tmp_path / "executed").exists()
    assert not (store.root / "bytecode" / "planted").exists()
