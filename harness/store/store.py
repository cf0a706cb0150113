"""Results and artifacts by key: atomic, crash-safe, shareable between processes.

    <store>/results/<ab>/<key>.json   what is known, one small JSON file per key
    <store>/artifacts/<digest>/       what an export left behind, with the reference to compare a run with; named by content
    <store>/logs/<key>.log            output of one process, by digest of the keys it was to give results under
    <store>/envs/                     environments (see environments/environments.py)
    <store>/tmp/                      work in flight (see scratch.py)
    <store>/bytecode/                 what Python compiled for them, by path; it outlives them, and a bounded number is kept

A file appears under its final name complete or not at all, so a `kill -9` at any moment loses at most the work in
flight, and two processes that finish the same work write the same thing. What was written is on the disk before its
name is; where a disk lied about that, a record that does not verify and an artifact that is not what its name says
count as absent.

A store behind a URL (mirror.py) is such a folder, in the user's cache, that shares results and artifacts with a mirror.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from harness import regular_files
from harness.errors import StoreError
from harness.model import DIGEST, digest, is_digest
from harness.store.access import Access, Note, ignore
from harness.store.digests import folder_digest, make_folder, make_plain, plain_digest, sync
from harness.store.envelope import LIMIT, DamagedRecordError, OlderRecordError, RecordKind, T, opened
from harness.store.mirror import Mirror, cache_of
from harness.store.scratch import Scratch, temporaries, temporary_in, with_sockets

BYTECODE = "bytecode"
"""The folder of a store that Python keeps bytecode in."""

_FOLDERS = ("results", "artifacts", "logs", "envs", "tmp")


class Store:
    """A folder of records (envelope.py) and artifacts. Keys are digests that the caller computes from all inputs."""

    def __init__(
        self, root: Path, mirror: Mirror | None = None, *, access: Access = Access.REMOVE, note: Note = ignore
    ) -> None:
        """`note` receives one sentence for each damaged file that is met.

        Raises:
            StoreError: `root` cannot be made or written.
        """
        self.root = root.resolve()
        self._mirror = mirror
        self._access = access
        self._note = note
        self._noted: set[str] = set()
        self._intact: set[str] = set()
        self._flight = Scratch(self.root / "tmp")
        self._require_own_folders()
        try:
            for name in _FOLDERS:
                (self.root / name).mkdir(parents=True, exist_ok=True)
            if access is Access.REMOVE:
                for place in (self._flight, *temporaries()):
                    place.sweep()
        except OSError as error:
            raise StoreError(f"the store {root} cannot be used: {error}; name another with --store") from None

    def _require_own_folders(self) -> None:
        """Nothing is written or removed through a link; the store's root alone may be one."""
        for folder in [*(self.root / name for name in (*_FOLDERS, BYTECODE, "models")), *(self.root / "results").glob("*")]:
            if folder.is_symlink() and folder.is_dir():
                advice = "move the store as a whole, or name another with --store"
                raise StoreError(f"the store {self.root} cannot be used: its folder {folder} is a symbolic link; {advice}")

    @classmethod
    def open(cls, place: Path | str, *, pull: bool = True, access: Access = Access.REMOVE, note: Note = ignore) -> Store:
        """The store at `place`, a folder or a URL; `pull` brings what others have found out since the last time.

        Raises:
            StoreError: it cannot be used.
        """
        if isinstance(place, Path):
            return cls(place, access=access, note=note)
        store = cls(cache_of(place), Mirror(place, access=access), access=access, note=note)
        try:
            if pull:
                store._pull()
        except Exception as error:  # noqa: BLE001 -- every file system has errors of its own
            raise StoreError(f"the store {place} cannot be read: {error or type(error).__name__}") from None
        return store

    def get(self, kind: RecordKind[T], key: str) -> T | None:
        """The value of that kind stored under `key`, or None; what does not verify counts as absent, and is noted once."""
        return self._value(kind, key, self._name(key))

    def put(self, kind: RecordKind[T], key: str, value: T) -> None:
        """Store `value`, replacing what was there as far as the access allows."""
        name, content = self._name(key), kind.seal(key, value)
        if not self._may_write(name):
            return
        if self._mirror:
            # First: what is known here alone would never be made again, and never be known elsewhere.
            self._mirror.write(name, content)
        self._write(name, content)

    def doubt(self, key: str, problem: str) -> None:
        """Note that what is stored under `key` is not believed, for a reason that only its reader can know."""
        self._damaged(self._name(key), problem)

    def refresh(self, keys: Iterable[str]) -> None:
        """Take what another process has stored under `keys` for what is here."""
        if self._mirror:
            self._bring(self._mirror, [self._name(key) for key in keys])

    def artifact(self, digest: str) -> Path:
        """Where the artifact of that digest is; brought from the mirror where it is not here, or damaged here.

        Raises:
            StoreError: neither is what its name says; what the mirror has is gone now, so that it is made again.
        """
        if not self._is_whole(digest):
            if self._mirror is None:
                raise StoreError(f"artifact {digest} was lost or damaged; the next run makes it again")
            self._download(self._mirror, digest)
        return self._folder(digest)

    def _download(self, mirror: Mirror, digest: str) -> None:
        with self.scratch() as scratch:
            try:
                mirror.download(_artifact(digest), scratch / digest)
                problem = "" if plain_digest(scratch / digest) == digest else "it does not hold what its name says"
            except regular_files.RefusedFileError as refused:
                problem = str(refused)
            if problem:
                mirror.remove(_artifact(digest))
                raise StoreError(f"artifact {digest} was lost or damaged ({problem}); the next run makes it again")
            self.discard(digest)
            with contextlib.suppress(OSError):  # another task was first
                (scratch / digest).rename(self._folder(digest))
            self._intact.add(digest)

    def publish(self, folder: Path) -> str:
        """Move a finished folder (on the store's filesystem: see `scratch`) to its place; returns the digest that names it.

        What is there already has the same content and stays, unless it was damaged.
        """
        make_plain(folder)
        digest = folder_digest(folder)
        if not self._is_whole(digest):
            self.discard(digest)
            for path in [*folder.rglob("*"), folder]:
                sync(path)
            try:
                folder.rename(self._folder(digest))
            except OSError:
                # Another process may have been first.
                if not self._is_whole(digest):
                    raise
            sync(self.root / "artifacts")
            self._intact.add(digest)
        if self._mirror:
            self._mirror.upload(self._folder(digest), _artifact(digest))
        return digest

    def intact(self, digest: str) -> bool:
        """Whether that artifact is there and is what its name says; looked at once, then believed.

        What only the mirror has is believed until somebody needs it (see `artifact`).
        """
        if self._is_whole(digest):
            return True
        return is_digest(digest) and self._mirror is not None and self._mirror.has(_artifact(digest))

    def _is_whole(self, digest: str) -> bool:
        """Whether that artifact is in the folder, and is what its name says; damage is noted."""
        if not is_digest(digest) or not os.path.lexists(folder := self._folder(digest)):
            return False
        if digest in self._intact:
            return True
        if plain_digest(folder) != digest:
            self._damaged(_artifact(digest), "does not hold what its name says")
            return False
        self._intact.add(digest)
        return True

    def discard(self, digest: str) -> None:
        """Remove that artifact, if it is there."""
        self._intact.discard(digest)
        self._remove(self._folder(digest))

    def replace(self, folder: Path, target: Path) -> None:
        """Move a finished folder from `scratch` to `target`, which lies in the store too, in place of what is there."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self._remove(target)
        folder.rename(target)

    def log(self, key: str) -> Path:
        """Where the log of `key` goes."""
        return self.root / "logs" / f"{_valid(key)}.log"

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for work in flight, gone afterwards."""
        with self._flight.folder() as folder:
            yield folder

    @contextlib.contextmanager
    def temporary(self) -> Iterator[Path]:
        """A folder for the temporary files of one process, gone afterwards.

        It lies in the store; where the store cannot be written, its path is too long for a socket, or its file system has
        no sockets, it lies in the system's temporary folder.
        """
        with temporary_in(self._temporaries) as folder:
            yield folder

    @functools.cached_property
    def _temporaries(self) -> Scratch:
        return with_sockets(self._flight)

    def _pull(self) -> None:
        """Bring the records that the mirror has got, or got anew, since this was last done."""
        if self._mirror:
            listed = {name: version for name, version in self._mirror.versions("results").items() if _RECORD(name)}
            seen = self._value(_SEEN, _SEEN_KEY, "seen.json") or {}
            new = [name for name in listed if seen.get(name) != listed[name] or not (self.root / name).exists()]
            self._bring(self._mirror, new)
            self._write("seen.json", _SEEN.seal(_SEEN_KEY, listed))

    def _bring(self, mirror: Mirror, names: Sequence[str]) -> None:
        """Copy records of these names from `mirror`; what is damaged there replaces nothing here."""
        for name, content in mirror.read(names).items() if names else ():
            try:
                opened(Path(name).stem, content)
            except DamagedRecordError as problem:
                self._damaged(name, f"{problem} (in the store's mirror)")
            else:
                self._write(name, content)

    def _value(self, kind: RecordKind[T], key: str, name: str) -> T | None:
        """The value in the file `name`, where that is the record of `kind` and `key`."""
        try:
            return kind.unseal(key, regular_files.read(f"{self.root}/{name}", limit=LIMIT))
        except FileNotFoundError:
            return None
        except OlderRecordError as problem:
            self._damaged("results", f"has records that cannot be believed; the first ({name}) {problem}")
        except (regular_files.RefusedFileError, DamagedRecordError) as problem:
            self._damaged(name, str(problem))
        return None

    def _damaged(self, name: str, problem: str) -> None:
        """Note, once, that a file of the store is not believed."""
        if name not in self._noted:
            self._noted.add(name)
            self._note(f"damaged, and taken for absent: {self.root / name} {problem}; `run` makes it again")

    def _may_write(self, name: str) -> bool:
        """Whether the access allows a record of that name, given what is there."""
        path = self.root / name
        if self._access is Access.REMOVE:
            return True
        if os.path.lexists(path):
            return self._access is Access.REPLACE and path.is_file() and not path.is_symlink()
        return path.parent.is_dir() or not os.path.lexists(path.parent)

    def _write(self, name: str, content: bytes) -> None:
        """Have a file of that content in the folder, in place of what was there."""
        path = self.root / name
        if path.is_dir() and not path.is_symlink():
            self._remove(path)
        make_folder(path.parent)
        with self._flight.name() as temporary:
            temporary.write_bytes(content)
            sync(temporary)
            temporary.replace(path)
        sync(path.parent)

    def _remove(self, path: Path) -> None:
        """Remove what is at `path`, if anything is: at once, and not file by file, for nobody is to see half of it."""
        with self.scratch() as trash, contextlib.suppress(FileNotFoundError):
            path.rename(trash / "old")

    def _folder(self, digest: str) -> Path:
        return self.root / _artifact(digest)

    @staticmethod
    def _name(key: str) -> str:
        return f"results/{_valid(key)[:2]}/{key}.json"


_RECORD = re.compile(rf"results/(..)/(?=\1){DIGEST}\.json").fullmatch

_SEEN = RecordKind(name="seen", adapter=TypeAdapter(dict[str, str]))
"""Name of a record → its version in the mirror when it was last brought."""

_SEEN_KEY = digest("seen")


def _valid(name: str) -> str:
    """`name`, which is to become part of a path."""
    if not is_digest(name):
        raise ValueError(f"{name!r} is no digest")
    return name


def _artifact(digest: str) -> str:
    return f"artifacts/{_valid(digest)}"
