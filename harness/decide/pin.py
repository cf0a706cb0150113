"""A set that was seen to work, as files to install from: written when a fresh environment has confirmed it."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.pylock import PylockValidationError

from harness.decide.check import trouble
from harness.decide.regressions import working
from harness.environments.interface import ProviderFailure
from harness.environments.lockfile import file_hashes, lock_text, parse_pylock
from harness.errors import HarnessError, ReportError
from harness.execution import audit
from harness.execution.session import Session
from harness.foreign_text import comments, without_userinfo
from harness.model import Interpreter, Lock, Status, Variant
from harness.packaging_values import cell_id
from harness.store.scratch import remove
from harness.tasks import cell_tasks, keys
from harness.verdicts.judge import Verdict


class PinError(HarnessError):
    """A set that was seen to work was not confirmed in a fresh environment, or cannot be written as a lock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenPin:
    """A lock that was written."""

    folder: Path
    files: tuple[str, ...]
    verdict: Verdict
    """What the fresh environment came to."""
    variant: Variant
    """What the recipe recommends."""


Recipe = Callable[[Verdict, Variant, Mapping[Variant, int], Sequence[str]], str]
"""Verdict, recommended variant, support of each variant and header lines → the text of export-recipe.md."""


def write(
    session: Session, verdict: Verdict, support: Mapping[Variant, int], reports: Path, *, recipe: Recipe, remedy: str = ""
) -> WrittenPin:
    """Install the lock of a working cell into a fresh environment, run the probe there, and write the pin's files.

    `support` says in how many neighbouring cells each variant works too; where several work here, most is best. `remedy`
    is what `verdict` has besides the cell's versions, if it works with that only.

    Raises:
        PinError: the fresh environment came to another verdict, or to none; nothing is written.
    """
    resolved = verdict.resolved
    (cell,) = cell_tasks.of_cells([resolved], session.matrix.probe)
    if cell is None or resolved.lock is None or resolved.interpreter is None:
        raise PinError(f"{verdict.cell.id} has no lock: {trouble(verdict)}")
    again = audit.from_scratch(session, resolved, cell, lambda _event: None)
    differences = audit.differences(verdict, again)
    if again.status is not Status.WORKS or differences:
        end = "; ".join(differences) or trouble(again)
        raise PinError(f"{verdict.cell.id} was not confirmed in a fresh environment, and nothing is written: {end}")
    best = max(working(verdict, session.matrix.variants), key=lambda one: support.get(one.variant, 0)).variant
    record = session.records.get(cell.export.variant_key(best))
    artifact = (record and record.artifact) or ""
    header = [
        f"{verdict.cell.id}, pinned by export-matrix on {dt.datetime.now(dt.UTC).date()}",
        *([f"with {remedy}, without which these versions fail"] if remedy else []),
        f"platform {keys.platform_id()}, Python {resolved.interpreter.version}",
        f"torch from: {_torch(session.uv.torch_backend)}",
        f"probe {keys.probe_id(session.matrix.probe)[:16]}, result {cell.run.variant_key(best, artifact)}",
        "verified: installed into a fresh environment and probed once more before this was written",
    ]
    texts: dict[str, str] = {}
    for side, lock in (resolved.sides or {"": resolved.lock}).items():
        for name, text in _lock_files(session, lock, resolved.interpreter, header).items():
            texts[f"{side}/{name}" if side else name] = text
    texts["export-recipe.md"] = recipe(verdict, best, support, header)
    folder = reports / "pins" / cell_id(verdict.cell.id)
    _publish(folder, texts)
    return WrittenPin(folder=folder, files=tuple(texts), verdict=again, variant=best)


def _torch(backend: str | None) -> str:
    return f"PyTorch's own index (uv pip install --torch-backend {backend})" if backend else "the default index"


def _lock_files(session: Session, lock: Lock, interpreter: Interpreter, header: Sequence[str]) -> dict[str, str]:
    comment = comments(header)
    versions = sorted(lock.versions.items())
    return {
        "requirements.txt": comment + lock_text(lock),
        "constraints.txt": comment + "".join(f"{name}=={version}\n" for name, version in versions),
        "pylock.toml": comment + _pylock(session, lock, interpreter),
    }


def _pylock(session: Session, lock: Lock, interpreter: Interpreter) -> str:
    """As uv writes it; that it names the same files is checked."""
    try:
        text = session.uv.pylock(lock, interpreter)
        packages = parse_pylock(text).packages
    except (ProviderFailure, ValueError, PylockValidationError) as error:
        raise PinError(f"no pylock.toml can be written: {error}") from None
    offered = {(str(one.name), str(one.version)): file_hashes(one) for one in packages}
    known = {(one.name, one.version): set(one.hashes) for one in lock.distributions}
    if offered.keys() != known.keys() or any(known[one].isdisjoint(offered[one]) for one in known):
        other = sorted(
            one for one in known.keys() | offered.keys() if known.get(one, set()).isdisjoint(offered.get(one, set()))
        )
        raise PinError(
            f"the index offers other files than were locked: {', '.join(map('=='.join, other))}; --refresh locks anew"
        )
    return without_userinfo(text)


def _publish(folder: Path, texts: Mapping[str, str]) -> None:
    """All files or none; an earlier pin of the same cell is replaced."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A new folder of a name that nobody knows: nothing is written through what lies there.
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as made:
            new = Path(made) / folder.name
            for name, text in texts.items():
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                (new / name).write_text(text, encoding="utf-8")
            remove(folder)
            new.rename(folder)
    except OSError as error:
        raise ReportError(f"the pin cannot be written to {folder}: {error}; name another folder with --reports") from None
