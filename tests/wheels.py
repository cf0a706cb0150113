"""Wheels made on the spot: a zip with modules, METADATA, WHEEL and a RECORD whose hashes are right."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A distribution with one import package."""

    name: str
    version: str
    files: Mapping[str, str] = field(default_factory=dict)
    """Path inside the wheel → text."""
    requires: tuple[str, ...] = ()
    tag: str = "py3-none-any"
    python: str = ">=3.8"

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.version}-{self.tag}.whl"

    def write(self, folder: Path) -> Path:
        """Write the wheel into `folder` and return its path."""
        info = f"{self.name}-{self.version}.dist-info"
        contents = {path: text.encode() for path, text in self.files.items()}
        contents[f"{info}/METADATA"] = self._metadata().encode()
        contents[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {self.tag}\n".encode()
        record = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in contents.items()]
        contents[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
        target = folder / self.filename
        with zipfile.ZipFile(target, "w") as archive:
            for path, content in contents.items():
                # A ZipInfo has a fixed date: equal wheels are equal bytes, with equal hashes in a lock.
                archive.writestr(zipfile.ZipInfo(path), content)
        return target

    def _metadata(self) -> str:
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}", f"Requires-Python: {self.python}"]
        return "\n".join([*lines, *(f"Requires-Dist: {requirement}" for requirement in self.requires), ""])


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
