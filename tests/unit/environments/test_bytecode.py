"""Copies of bytecode for a process that is to read none that another process has left."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from harness.environments.bytecode import Bytecode
from harness.model import Interpreter

HERE = Interpreter(version="{}.{}.{}".format(*sys.version_info), path=sys.executable)
IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
import shared
print(shared.VALUE, shared.__file__, shared.f.__code__.co_filename)
"""


class Folders:
    """A store with an environment in which `shared` was imported, and another one with the same file."""

    def __init__(self, root: Path) -> None:
        self.store, self.prefix = root / "store", root / "own"
        self.root = self.store / "bytecode"
        self.first, self.other = (self.store / "envs" / name for name in ("first", "other"))
        for folder in (self.first, self.other, self.root):
            folder.mkdir(parents=True)
        self.source.write_text("VALUE = 1\ndef f(): ...\n")
        os.link(self.source, self.other / "shared.py")
        self.bytecode = self.opened()
        self.bytecode.verify([self.first])
        self.imports(self.root, self.first)

    @property
    def source(self) -> Path:
        return self.first / "shared.py"

    def opened(self) -> Bytecode:
        return Bytecode(self.root, envs=self.store / "envs", scratch=self.store / "tmp")

    def imports(self, prefix: Path, environment: Path, *options: str) -> list[str]:
        command = [sys.executable, "-I", *options, "-X", f"pycache_prefix={prefix}", "-c", IMPORT, str(environment)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    def compiled(self, prefix: Path, environment: Path) -> list[Path]:
        """The bytecode of `shared`."""
        return list((prefix / environment.relative_to("/")).glob("shared.*.pyc"))

    def copied(self, bytecode: Bytecode | None = None) -> list[Path]:
        """The bytecode of `shared` for a process in the other environment."""
        (bytecode or self.bytecode).copy(HERE, [self.other], self.prefix)
        return self.compiled(self.prefix, self.other)


@pytest.fixture
def folders(tmp_path) -> Folders:
    return Folders(tmp_path)


def test_what_another_process_has_left_is_not_copied(folders):
    assert len(folders.compiled(folders.root, folders.first)) == 1
    assert folders.copied() == []


def test_what_the_harness_compiled_is_copied_to_where_the_same_file_is_imported(folders):
    folders.bytecode.compiled([str(folders.source)], HERE)
    (copy,) = folders.copied()
    before = copy.stat()
    name = str(folders.other / "shared.py")
    assert folders.imports(folders.prefix, folders.other) == ["1", name, name]
    assert copy.stat().st_mtime_ns == before.st_mtime_ns, "it was compiled again"


def test_what_an_earlier_run_has_sealed_is_copied(folders):
    folders.bytecode.seal()
    later = folders.opened()
    later.verify([folders.first])
    assert len(folders.copied(later)) == 1


def test_a_file_that_has_changed_since_is_not_copied(folders):
    folders.bytecode.compiled([str(folders.source)], HERE)
    (path,) = folders.compiled(folders.root, folders.first)
    status = path.stat()
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert folders.copied() == []


def test_a_copy_is_no_bytecode_of_another_source(folders):
    folders.bytecode.compiled([str(folders.source)], HERE)
    (folders.other / "shared.py").unlink()
    (folders.other / "shared.py").write_text("VALUE = 2\ndef f(): ...\n")
    assert folders.copied() == []


def test_a_source_that_was_written_since_is_compiled_again(folders):
    folders.bytecode.compiled([str(folders.source)], HERE)
    folders.copied()
    (folders.other / "shared.py").write_text("VALUE = 22\ndef f(): ...\n")
    assert folders.imports(folders.prefix, folders.other)[0] == "22"


def test_half_a_copy_is_none(folders):
    """A disk may be full for a moment, and Python raises EOFError for such a file."""
    folders.bytecode.compiled([str(folders.source)], HERE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        assert folders.copied() == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
