"""Records and artifacts on disk: atomic, crash-safe, shared between processes.

    <store>/results/<ab>/<key>.json   records (envelope.py), one JSON file per key
    <store>/artifacts/<digest>/       artifacts (artifacts.py), named by content
    <store>/logs/<key>.log            output of one process, by digest of the keys of its results
    <store>/envs/                     environments (environments/environments.py)
    <store>/claims/                   who works on what (claims.py)
    <store>/tmp/                      work in flight (scratch.py)
    <store>/bytecode/                 bytecode of the environments, by path
    <store>/in-use.lock               held by every process that uses the store (usage.py)

A file appears under its final name complete or not at all, so a `kill -9` loses at most the work in flight. Its content is
on the disk before its name is. If a disk failed to keep that order, a record that does not verify counts as absent, and so
does an artifact that is not what its name says.

A store behind a URL is such a folder in the user's cache, which shares records and artifacts with a mirror (mirror.py).
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pydantic import TypeAdapter

from harness import regular_files
from harness.errors import StoreError
from harness.hashing import DIGEST, digest
from harness.store import usage
from harness.store.access import Access, Note
from harness.store.artifacts import Artifacts, require_digest
from harness.store.claims import claimed
from harness.store.digests import make_folder, sync
from harness.store.envelope import LIMIT, DamagedRecordError, OlderRecordError, RecordKind, T, opened
from harness.store.mirror import Mirror, cache_of
from harness.store.scratch import Scratch, temporaries, temporary_in, with_sockets

BYTECODE = "bytecode"
"""The folder of a store that Python keeps bytecode in."""

_FOLDERS = ("results", "artifacts", "logs", "envs", "tmp")


class Store:
    """A folder of records and artifacts. Keys are digests that the caller computes from all inputs of a result."""

    def __init__(
        self, root: Path, mirror: Mirror | None = None, *, access: Access = Access.REMOVE, note: Note = lambda _text: None
    ) -> None:
        """`note` receives one sentence for each damaged file that is read.

        Raises:
            StoreError: `root` cannot be made or written.
        """
        self.root = regular_files.real(root)
        self._mirror = mirror
        self._access = access
        self._note = note
        self._noted: set[str] = set()
        self.found: set[str] = set()
        """The keys of all records that were read: what is not among them was of no use to this process."""
        self._flight = Scratch(self.root / "tmp")
        self.artifacts = Artifacts(self.root, mirror, self._flight, self._damaged)
        self._require_own_folders()
        try:
            for name in _FOLDERS:
                (self.root / name).mkdir(parents=True, exist_ok=True)
            usage.share(self.root)
            if access is Access.REMOVE:
                for place in (self._flight, *temporaries()):
                    place.sweep()
        except OSError as error:
            raise StoreError(f"the store {root} cannot be used: {error}; name another with --store") from None

    def _require_own_folders(self) -> None:
        """Refuse a store that has a link for one of its folders: nothing is written or removed through a link."""
        names = (*_FOLDERS, "claims", BYTECODE, "models")
        for folder in [*(self.root / name for name in names), *(self.root / "results").glob("*")]:
            if folder.is_symlink() and folder.is_dir():
                advice = "move the store as a whole, or name another with --store"
                raise StoreError(f"the store {self.root} cannot be used: its folder {folder} is a symbolic link; {advice}")

    @classmethod
    def open(
        cls, place: Path | str, *, pull: bool = True, access: Access = Access.REMOVE, note: Note = lambda _text: None
    ) -> Store:
        """The store at `place`, a folder or a URL; `pull` copies the records that are new in the mirror.

        Raises:
            StoreError: it cannot be used.
        """
        if isinstance(place, Path):
            return cls(place, access=access, note=note)
        store = cls(cache_of(place), Mirror(place, access=access), access=access, note=note)
        try:
            if pull:
                store._pull()
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 -- every file system has errors of its own
            raise StoreError(f"the store {place} cannot be read: {error or type(error).__name__}") from None
        return store

    def get(self, kind: RecordKind[T], key: str) -> T | None:
        """The value of that kind under `key`, or None; a record that does not verify counts as absent, and is noted once."""
        value = self._value(kind, key, self._name(key))
        if value is not None:
            self.found.add(key)
        return value

    def put(self, kind: RecordKind[T], key: str, value: T) -> None:
        """Store `value` under `key`; it replaces another value as far as the access allows."""
        name, content = self._name(key), kind.seal(key, value)
        if not self._may_write(name):
            return
        if self._mirror:
            # First: a record that is only here would never be made again, and so never reach the mirror.
            self._mirror.write(name, content)
        self._write(name, content)

    def doubt(self, key: str, problem: str) -> None:
        """Note that the record under `key` is not believed, for a reason that its reader has found."""
        self._damaged(self._name(key), problem)

    def refresh(self, keys: Iterable[str]) -> None:
        """Copy the records under `keys` from the mirror, where another process has stored them."""
        if self._mirror:
            self._bring(self._mirror, [self._name(key) for key in keys])

    def replace(self, folder: Path, target: Path) -> None:
        """Move a finished folder from `scratch` to `target` in the store; it replaces what is there."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self._flight.discard(target)
        folder.rename(target)

    def log(self, key: str) -> Path:
        """The path of the log of `key`."""
        return self.root / "logs" / f"{require_digest(key)}.log"

    def claim(self, key: str, look: Callable[[], object]) -> AbstractContextManager[bool]:
        """See `claims.claimed`: of the processes that use this folder one works on `key`. Raises OSError."""
        folder = self.root / "claims"
        # Not before: who only reads a store of an earlier version may have no right to write to it.
        folder.mkdir(exist_ok=True)
        return claimed(folder, require_digest(key), look)

    def scratch(self) -> AbstractContextManager[Path]:
        """A new folder for work in flight; removed at the end."""
        return self._flight.folder()

    def temporary(self) -> AbstractContextManager[Path]:
        """A new folder for the temporary files of one process; removed at the end.

        It lies in the store if packages can make sockets there, else in the system's temporary folder.
        """
        return temporary_in(self._temporaries)

    @functools.cached_property
    def _temporaries(self) -> Scratch:
        return with_sockets(self._flight)

    def _pull(self) -> None:
        """Copy the records that are new in the mirror, or changed, since the last call."""
        if self._mirror:
            listed = {name: version for name, version in self._mirror.versions("results").items() if _RECORD(name)}
            seen = self._value(_SEEN, _SEEN_KEY, "seen.json") or {}
            new = [name for name in listed if seen.get(name) != listed[name] or not (self.root / name).exists()]
            self._bring(self._mirror, new)
            self._write("seen.json", _SEEN.seal(_SEEN_KEY, listed))

    def _bring(self, mirror: Mirror, names: Sequence[str]) -> None:
        """Copy records of these names from `mirror`; a damaged one replaces nothing here."""
        for name, content in mirror.read(names).items() if names else ():
            try:
                opened(Path(name).stem, content)
            except DamagedRecordError as problem:
                self._damaged(name, f"{problem} (in the store's mirror)")
            else:
                self._write(name, content)

    def _value(self, kind: RecordKind[T], key: str, name: str) -> T | None:
        """The value in the file `name`, if that is the record of `kind` and `key`."""
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
            self._note(f"damaged, and ignored: {self.root / name} {problem}; `run` makes it again")

    def _may_write(self, name: str) -> bool:
        """Whether the access allows a record of that name, given what is there."""
        path = self.root / name
        if self._access is Access.REMOVE:
            return True
        if os.path.lexists(path):
            return self._access is Access.REPLACE and path.is_file() and not path.is_symlink()
        return path.parent.is_dir() or not os.path.lexists(path.parent)

    def _write(self, name: str, content: bytes) -> None:
        """Write the file `name`, in place of what was there."""
        path = self.root / name
        if path.is_dir() and not path.is_symlink():
            self._flight.discard(path)
        make_folder(path.parent)
        with self._flight.name() as temporary:
            temporary.write_bytes(content)
            sync(temporary)
            temporary.replace(path)
        sync(path.parent)

    @staticmethod
    def _name(key: str) -> str:
        return f"results/{require_digest(key)[:2]}/{key}.json"


_RECORD = re.compile(rf"results/(..)/(?=\1){DIGEST}\.json").fullmatch

_SEEN = RecordKind(name="seen", adapter=TypeAdapter(dict[str, str]))
"""Name of a record → its version in the mirror when it was last brought."""

_SEEN_KEY = digest("seen")
