"""Which sources are compiled for probes: a probe names them, and may name anything."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.environments.bytecode import Bytecode
from harness.execution.process.bytecode_compiler import CLIENT, Compiler
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


def test_what_is_run_looks_as_if_it_had_been_started_by_itself(store, compiler, environment):
    source = """
import __main__
print(sorted(name for name in vars(__main__) if name[:2] != "__"), __file__ == sys.argv[0], __cached__, __name__, __doc__)
print(type(__loader__).__name__, sys.orig_argv[-2:] == sys.argv if hasattr(sys, "orig_argv") else True)
import os
print([name for name in os.listdir("/proc/self/fd") if int(name) > 2 and os.path.exists("/proc/self/fd/" + name)
       and os.get_inheritable(int(name))])
"""
    said = asking(compiler, environment, source).splitlines()
    assert said == ["['sys'] True None __main__ None", "SourceFileLoader True", "[]"]


@pytest.mark.parametrize("broken", ["memory", "start"])
def test_a_process_does_not_wait_for_a_compiler_that_died(store, compiler, environment, monkeypatch, broken):
    if broken == "memory":
        compiler._limits = Limits(seconds=60, memory=10**6)
    else:
        monkeypatch.setattr(compiler._supervisor, "run", raising(OSError(28, "No space left on device")))
    assert asking(compiler, environment, "import time, also\ntime.sleep(1)\nimport good\nprint(also.y)") == "2\n"


def test_what_is_still_compiled_when_the_process_has_ended_is_given_up(store, compiler, environment):
    # All these numbers have one hash: Python takes minutes to compile them.
    (environment / "slow.py").write_text("x = [" + ",".join(hex(number * (2**61 - 1)) for number in range(60_000)) + "]")
    with compiler.asked(INTERPRETER, Path(sys.executable), [environment]) as channel:
        subprocess.run(
            [sys.executable, "-c", f"import os; os.write({channel}, b'{environment}/slow.py\\n')"],
            check=True,
            pass_fds=[channel],
        )
    assert made(store) == set()


def test_a_source_without_a_name_is_not_compiled_in_the_place_of_another(store, compiler, environment):
    (environment / ".py").write_text("x = 'planted'")
    (environment / "py.py").write_text("x = 'honest.'")
    for path in (environment / ".py", environment / "py.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    with compiler.asked(INTERPRETER, Path(sys.executable), [environment]) as channel:
        ask = f"import os; os.write({channel}, b'{environment}/.py\\n'); print(os.read({channel}, 1))"
        done = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True, pass_fds=[channel])
    compiler.add(INTERPRETER, Path(sys.executable), [str(environment / ".py")], beside=False)
    compiler.close()
    assert (done.stdout, made(store)) == ("b'0'\n", set())


def test_what_a_signal_imports_while_a_process_asks_is_compiled_in_memory(store, compiler, environment):
    # All these numbers have one hash: it takes the compiler a while, in which the signal comes.
    (environment / "slow.py").write_text("x = [" + ",".join(hex(number * (2**61 - 1)) for number in range(6_000)) + "]\ny = 2")
    source = """
import signal
def imports(*_):
    import good
    print(good.x)
signal.signal(signal.SIGALRM, imports)
signal.setitimer(signal.ITIMER_REAL, 0.1)
import slow
while "good" not in sys.modules: pass
print(slow.y)
"""
    assert sorted(asking(compiler, environment, source).split()) == ["1", "2"]


def test_nothing_is_written_to_what_a_package_opens_in_the_place_of_the_channel(store, compiler, environment, tmp_path):
    source = f"""
import os
os.closerange(3, 100)
opened = [open({str(tmp_path / "own")!r}, "w") for _ in range(90)]
import good
print(good.x)
"""
    assert asking(compiler, environment, source) == "1\n"
    assert (tmp_path / "own").read_text() == ""


def raising(error: Exception) -> Callable[..., None]:
    def run(*_: object, **__: object) -> None:
        raise error

    return run


def test_a_process_works_on_when_the_compiler_is_gone(store, compiler, environment):
    source = "import os, good\nos.closerange(3, 100)\nimport also\nprint(also.y)"
    assert asking(compiler, environment, source) == "2\n"
    assert made(store) == {"good"}
