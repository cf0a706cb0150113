"""Which sources are compiled for probes: a probe names them, and may name anything."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from harness.environments.bytecode import Bytecode
from harness.execution.process.compiler import CLIENT, Compiler
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


def asking(compiler: Compiler, environment: Path, source: str, *folders: Path) -> str:
    """What a process prints that may ask while it runs `source`, with `environment` on its path."""
    program = environment.parent / "program.py"
    program.write_text(f"import sys\nsys.path.insert(0, {str(environment)!r})\n{source}")
    with compiler.asked(INTERPRETER, Path(sys.executable), [environment, *folders]) as channel:
        options = ["-I", "-B", "-X", f"pycache_prefix={compiler._store.root}/bytecode"]
        command = [] if channel is None else ["-c", CLIENT, str(channel)]
        done = subprocess.run(
            [sys.executable, *options, *command, str(program), "word"],
            check=True, capture_output=True, text=True, pass_fds=[] if channel is None else [channel],
        )  # fmt: skip
    return done.stdout


@pytest.fixture
def environment(store, compiler) -> Path:
    folder = store.root / "envs" / "e"
    folder.mkdir(parents=True)
    for name, text in (("good", "x = 1"), ("bad", "x ="), ("also", "import good\ny = 2")):
        (folder / f"{name}.py").write_text(text)
    compiler._bytecode.verify([folder])
    return folder


def made(store: Store) -> set[str]:
    return {path.name.partition(".")[0] for path in (store.root / "bytecode").rglob("*.pyc") if "envs" in path.parts}


def test_a_first_process_finds_what_it_asks_for(store, compiler, environment):
    said = asking(compiler, environment, "import also, good\nprint(sys.argv[1:], __name__, also.__cached__, also.y)")
    assert said.startswith("['word'] __main__ ")
    assert said.endswith("also." + sys.implementation.cache_tag + ".pyc 2\n")
    assert made(store) == {"also", "good"}
    # It is as trusted as what is compiled afterwards.
    compiler._bytecode.seal()
    assert sum("also" in name for name in json.loads(next((store.root / "bytecode").rglob("e/sums.json")).read_text())) == 1


def test_what_cannot_be_compiled_fails_as_it_does_without(store, compiler, environment):
    source = "try:\n    import bad\nexcept SyntaxError as error:\n    print(error.filename)\nimport good\nprint(good.x)"
    assert asking(compiler, environment, source) == f"{environment / 'bad.py'}\n1\n"
    assert made(store) == {"good"}


def test_a_second_process_does_not_ask(store, compiler, environment):
    asking(compiler, environment, "import good")
    with compiler.asked(INTERPRETER, Path(sys.executable), [environment]) as channel:
        assert channel is None


def test_what_an_earlier_run_compiled_is_not_asked_for(store, compiler, environment):
    asking(compiler, environment, "import good")
    compiler._bytecode.seal()
    later = Bytecode(store.root / "bytecode", envs=store.root / "envs", scratch=store.root / "tmp")
    later.verify([environment])
    assert not later.lacks(environment)


def test_a_process_that_asks_for_anything_gets_it_nowhere(store, compiler, environment, tmp_path):
    (tmp_path / "own.py").write_text("x = 1")
    named = [str(tmp_path / "own.py"), f"{store.root}/envs/../../own.py", f"{environment}/good.txt", "", "\x00", "x" * 5000]
    source = f"import os\nfor name in {named!r}:\n    os.write(CHANNEL, name.encode() + b'\\n')\n    print(os.read(CHANNEL, 1))"
    with compiler.asked(INTERPRETER, Path(sys.executable), [environment]) as channel:
        done = subprocess.run(
            [sys.executable, "-I", "-c", source.replace("CHANNEL", str(channel))],
            check=True, capture_output=True, text=True, pass_fds=[channel],
        )  # fmt: skip
    assert done.stdout.split() == ["b'0'"] * len(named)
    assert made(store) == set()
    assert not list((store.root / "bytecode").rglob("own*"))


def test_a_fork_does_not_ask(store, compiler, environment):
    source = "import os\nif os.fork() == 0:\n    import good\n    os._exit(0)\nos.wait()\nimport also"
    asking(compiler, environment, source.replace("import also", "pass"))
    assert made(store) == set()


def test_a_process_works_on_when_the_compiler_is_gone(store, compiler, environment):
    source = "import os, good\nos.closerange(3, 100)\nimport also\nprint(also.y)"
    assert asking(compiler, environment, source) == "2\n"
    assert made(store) == {"good"}
