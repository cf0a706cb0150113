"""The artifacts of a store: folders that are named by the digest of their content."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from harness import regular_files
from harness.errors import StoreError
from harness.hashing import is_digest
from harness.store.digests import folder_digest, plain_digest, sync
from harness.store.mirror import Mirror
from harness.store.plain_copy import copy_plain
from harness.store.scratch import Scratch

OnDamage = Callable[[str, str], None]
"""Receives (name of a file or folder in the store, what is wrong with it)."""


def require_digest(name: str) -> str:
    """`name`, which is to become part of a path.

    Raises:
        ValueError: it is no digest.
    """
    if not is_digest(name):
        raise ValueError(f"{name!r} is no digest")
    return name


class Artifacts:
    """The folders `artifacts/<digest>` of the store at `root`. Each is verified once."""

    def __init__(self, root: Path, mirror: Mirror | None, scratch: Scratch, on_damage: OnDamage) -> None:
        self._root = root
        self._mirror = mirror
        self._scratch = scratch
        self._on_damage = on_damage
        self._verified: set[str] = set()

    def folder(self, digest: str) -> Path:
        """The folder of that artifact; copied from the mirror if it is missing or damaged here.

        Raises:
            StoreError: neither copy is what its name says. The mirror's is removed, so that the artifact is made again.
        """
        if not self._is_whole(digest):
            if self._mirror is None:
                raise StoreError(f"artifact {digest} was lost or damaged; the next run makes it again")
            self._download(self._mirror, digest)
        return self._path(digest)

    def _download(self, mirror: Mirror, digest: str) -> None:
        with self._scratch.folder() as scratch:
            try:
                mirror.download(_name(digest), scratch / digest)
                problem = "" if plain_digest(scratch / digest) == digest else "it does not hold what its name says"
            except regular_files.RefusedFileError as refused:
                problem = str(refused)
            if problem:
                mirror.remove(_name(digest))
                raise StoreError(f"artifact {digest} was lost or damaged ({problem}); the next run makes it again")
            self._move(scratch / digest, digest)

    def publish(self, folder: Path, *inner: Path) -> str:
        """Copy a finished folder to its place, with the folders `inner` in it; return its digest.

        A process that has written them may be alive, and hold them open: what it writes now is in no copy. An artifact that
        is there has the same content and stays, unless it is damaged.

        Raises:
            RefusedFileError: there is anything in it but regular files and folders.
        """
        with self._scratch.folder() as scratch:
            copied = scratch / "artifact"
            copy_plain(folder, copied)
            for part in inner:
                copy_plain(part, copied / part.name)
            digest = folder_digest(copied)
            if not self._is_whole(digest):
                self._place(copied, digest)
        if self._mirror:
            self._mirror.upload(self._path(digest), _name(digest))
        return digest

    def _place(self, folder: Path, digest: str) -> None:
        for path in [*folder.rglob("*"), folder]:
            sync(path)
        self._move(folder, digest)
        sync(self._root / "artifacts")

    def _move(self, folder: Path, digest: str) -> None:
        """Move what is whole to its place. What is whole there stays: another task was first, and may have begun to read it."""
        try:
            folder.rename(self._path(digest))
        except OSError:
            if not self._is_whole(digest):
                self.discard(digest)
                folder.rename(self._path(digest))
        self._verified.add(digest)

    def intact(self, digest: str) -> bool:
        """Whether that artifact is here and is what its name says, or is in the mirror.

        The mirror's copy is verified only when it is used (see `folder`).
        """
        if self._is_whole(digest):
            return True
        return is_digest(digest) and self._mirror is not None and self._mirror.has(_name(digest))

    def _is_whole(self, digest: str) -> bool:
        """Whether that artifact is in the folder, and is what its name says; damage is reported."""
        if not is_digest(digest) or not os.path.lexists(self._path(digest)):
            return False
        if digest in self._verified:
            return True
        if plain_digest(self._path(digest)) != digest:
            self._on_damage(_name(digest), "does not hold what its name says")
            return False
        self._verified.add(digest)
        return True

    def discard(self, digest: str) -> None:
        """Remove that artifact, if it is there."""
        self._verified.discard(digest)
        self._scratch.discard(self._path(digest))

    def _path(self, digest: str) -> Path:
        return self._root / _name(digest)


def _name(digest: str) -> str:
    return f"artifacts/{require_digest(digest)}"
