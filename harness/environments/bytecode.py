"""The store's bytecode: trusted only as far as its digests are those that an earlier run wrote.

    <store>/bytecode/…/envs/<name>/    what Python compiled for one environment
    <store>/bytecode/…                 all else that probes import: the standard library, the probe itself

Each of these *groups* has a file `sums.json` with the digest of every file. Before the first probe of a run that may read a
group, files that the sums do not name, or name with another digest, are removed; Python compiles them anew. A run that is
killed, or has met a full disk, writes no sums.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness import regular_files
from harness.disk_space import nearly_full
from harness.environments.bytecode_copies import BytecodeCopies
from harness.model import Interpreter
from harness.store.digests import file_digest
from harness.store.removal import remove
from harness.subprocesses import chosen_environment

_SUMS = "sums.json"

_SUMS_LIMIT = 256 * 2**20
"""Bytes of the largest of these files. One for 20,000 modules has some 2 MB."""

_CHECK_SECONDS = 120.0

_CHECK = """
import importlib.util, marshal, os, sys
left_out, *groups = sys.argv[1:]
for group in groups:
    for at, folders, names in os.walk(group):
        folders[:] = [name for name in folders if os.path.join(at, name) != left_out]
        for path in (os.path.join(at, name) for name in names if name.endswith(f".{sys.implementation.cache_tag}.pyc")):
            try:
                with open(path, "rb") as file:
                    content = file.read()
                if content[:4] != importlib.util.MAGIC_NUMBER:
                    raise ValueError
                marshal.loads(content[16:])
            except Exception:
                print(path)
"""
"""Prints the files that this interpreter's import system cannot read. Python 3.8 syntax."""


class Bytecode:
    """The bytecode of one store, as one process uses it. Thread-safe."""

    def __init__(self, root: Path, *, envs: Path, scratch: Path) -> None:
        """`root` is the `pycache_prefix` of probes; `envs` is the folder of environments.

        Bytecode of modules in `scratch` is of no use to another run.
        """
        self._root = root
        self._envs = self._within(envs)
        self._scratch = self._within(scratch)
        self._sums: dict[Path, dict[str, str]] = {}
        """Group → relative name and digest of each file of it that was verified or sealed."""
        self._digests: dict[Path, tuple[int, int, str]] = {}
        """File → its digest, and its modification time (ns) and size (bytes) when that was taken."""
        self._copies = BytecodeCopies(root)
        self._lock = threading.Lock()

    def verify(self, environments: Iterable[Path]) -> None:
        """Remove files that are not as an earlier run left them, from the groups that a process in these environments reads."""
        with self._lock:
            for group in self._groups(environments):
                if group not in self._sums:
                    self._sums[group] = self._verified(group)

    def mend(self, python: Path, environments: Iterable[Path]) -> bool:
        """Remove the groups of these environments if a file in one is damaged; return whether one was.

        `python` is what they were made with, and belongs to none of them: it is not confined.
        """
        with self._lock:
            groups = self._groups(environments)
            damaged = self._unreadable(python, groups)
            damaged += [path for group in groups for path, changed in self._files(group) if changed]
            if damaged:
                for group in groups:
                    self._remove(group)
            return bool(damaged)

    def seal(self) -> None:
        """Write the sums of the groups that were verified; the next run will trust them.

        Not on a full disk, where Python may have left incomplete files.
        """
        if nearly_full(self._root):
            return
        with self._lock:
            remove(self._scratch)
            for group in self._sums:
                with contextlib.suppress(OSError):
                    _write(group / _SUMS, self._kept(group))

    def lacks(self, environment: Path) -> bool:
        """Whether there is no bytecode at all for this environment of the store, which was verified."""
        with self._lock:
            return self._sums.get(self._within(environment)) == {}

    def compiled(self, sources: Iterable[str], interpreter: Interpreter) -> None:
        """The harness itself has compiled these sources with `interpreter`: their bytecode is intact as it is now."""
        with self._lock:
            for source in map(Path, sources):
                path = self._within(source.parent) / (source.stem + _suffix(interpreter))
                group = next((group for group in path.parents if group.parent == self._envs), self._root)
                if group in self._sums:
                    with contextlib.suppress(OSError):
                        self._sums[group][self._name(group, path)] = self._digest(path)

    def copy(self, interpreter: Interpreter, environments: Iterable[Path], prefix: Path) -> None:
        """Fill `prefix`, the `pycache_prefix` of one process, with copies of intact bytecode of what it imports.

        Environments share the files of a distribution by hard links. So bytecode of one environment is that of another, too:
        Python compares the time and size of the source, and corrects its name. A copy has the digest that its file should
        have, however that file is now. What is not known to be intact is left to the process to compile.
        """
        suffix, folders = _suffix(interpreter), {*environments}
        with self._lock:
            known = {group: dict(sums) for group, sums in self._sums.items()}
        own = {self._root, *map(self._within, folders)}
        new = [folder for folder in folders if not known.get(self._within(folder))]
        self._copies.fill(prefix, suffix, {group: known[group] for group in own & known.keys()})
        if new:
            self._copies.fill_by_source(prefix, suffix, new, {group: known[group] for group in known.keys() - own})

    def _kept(self, group: Path) -> dict[str, str]:
        """The sums of a group as it is now. Files that changed since it was verified are removed."""
        sums = {}
        for path, changed in list(self._files(group)):
            if changed:
                remove(path)
            elif path.suffix == ".pyc":
                with contextlib.suppress(OSError):
                    sums[self._name(group, path)] = self._digest(path)
        return sums

    def _verified(self, group: Path) -> dict[str, str]:
        try:
            sums = json.loads(regular_files.read(group / _SUMS, limit=_SUMS_LIMIT))
        except (OSError, ValueError, RecursionError, regular_files.RefusedFileError):
            sums = {}
        known: dict[str, str] = {}
        for path in list(self._walk(group)):
            name = self._name(group, path)
            with contextlib.suppress(OSError):
                if isinstance(sums, dict) and stat.S_ISREG(path.lstat().st_mode) and sums.get(name) == self._digest(path):
                    known[name] = sums[name]
                    continue
            remove(path)
        return known

    def _files(self, group: Path) -> Iterator[tuple[Path, bool]]:
        """(file, whether it has changed since it was verified) for each file of a verified group."""
        known = self._sums.get(group, {})
        for path in self._walk(group):
            with contextlib.suppress(OSError):
                name = self._name(group, path)
                yield path, not stat.S_ISREG(path.lstat().st_mode) or known.get(name, self._digest(path)) != self._digest(path)

    def _walk(self, group: Path) -> Iterator[Path]:
        """Every file of a group, and whatever else is no folder; a folder with the name of a file counts as a file."""
        if group.is_symlink():
            yield group
            return
        for at, folders, names in os.walk(group):
            for name in list(folders):
                path = Path(at, name)
                if path.is_symlink() or path.suffix == ".pyc":
                    folders.remove(name)
                    yield path
                elif path == self._envs and group == self._root:
                    folders.remove(name)
            yield from (Path(at, name) for name in names if (at, name) != (str(group), _SUMS))

    def _digest(self, path: Path) -> str:
        """The digest of the content; a file is read again only if it was written since."""
        status = path.stat()
        *stamp, digest = self._digests.get(path, (0, 0, ""))
        if stamp == [status.st_mtime_ns, status.st_size]:
            return digest
        digest = file_digest(path)
        self._digests[path] = (status.st_mtime_ns, status.st_size, digest)
        return digest

    def _unreadable(self, python: Path, groups: Iterable[Path]) -> list[Path]:
        """The files that `python` cannot load."""
        command = [str(python), "-I", "-S", "-B", "-c", _CHECK, str(self._envs), *map(str, groups)]
        try:
            checked = subprocess.run(
                command,
                check=False,
                env=chosen_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_CHECK_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return []
        return [Path(os.fsdecode(line)) for line in checked.stdout.splitlines()]

    def _remove(self, group: Path) -> None:
        for path in list(self._walk(group)):
            remove(path)
        if group in self._sums:
            self._sums[group] = {}

    def _groups(self, environments: Iterable[Path]) -> list[Path]:
        """The groups that a process in these environments reads."""
        groups = dict.fromkeys(map(self._within, environments))
        return [self._root, *(group for group in groups if group.parent == self._envs)]

    def _within(self, path: Path) -> Path:
        """The folder in which Python keeps the bytecode of the modules in `path`."""
        return self._root / path.relative_to(path.anchor)

    @staticmethod
    def _name(group: Path, path: Path) -> str:
        return path.relative_to(group).as_posix()


def _suffix(interpreter: Interpreter) -> str:
    """How names of its bytecode files end."""
    major, minor = interpreter.version.split(".")[:2]
    return f".cpython-{major}{minor}.pyc"


def _write(path: Path, sums: dict[str, str]) -> None:
    """Write the sums whole and to the disk, or not at all."""
    if not path.parent.is_dir():
        return
    temporary = path.with_name(f"{_SUMS}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(sums, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
