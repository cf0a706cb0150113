"""A working set as files to install from; they are written when a fresh environment has confirmed it."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.pylock import PylockValidationError

from harness.decide.regressions import unknown_reason, working
from harness.environments.interface import ProviderFailure
from harness.environments.lock_records import package_files
from harness.environments.lockfile import file_hashes, lock_text, parse_pylock
from harness.environments.resolved import Resolved
from harness.errors import HarnessError, ReportError
from harness.execution import audit
from harness.execution.session import Session
from harness.foreign_text import comments, without_secrets
from harness.locked import Lock
from harness.model import Interpreter, Status, Variant
from harness.packaging_values import cell_id
from harness.stack import ECOSYSTEMS, PROGRAMS
from harness.store.removal import remove
from harness.tasks import cell_tasks, keys
from harness.verdicts.judge import Verdict


class PinError(HarnessError):
    """A fresh environment did not confirm a working set, or could not; or it cannot be written as a lock."""

    exit_code = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenPin:
    """A pin that was written."""

    folder: Path
    files: tuple[str, ...]
    verdict: Verdict
    """The verdict in the fresh environment."""
    variant: Variant
    """The variant that the recipe recommends."""


Recipe = Callable[[Verdict, Variant, Mapping[Variant, int], Sequence[str]], str]
"""Verdict, recommended variant, support of each variant and header lines → the text of export-recipe.md."""


def write(
    session: Session, verdict: Verdict, support: Mapping[Variant, int], reports: Path, *, recipe: Recipe, remedy: str = ""
) -> WrittenPin:
    """Install the lock of a working cell into a fresh environment, run the probe there, and write the pin's files.

    `support` is the number of neighbouring cells in which each variant works too; of several working variants the one with
    the most is best. `remedy` is the change with which the cell works, if it does not work without.

    Raises:
        PinError: the fresh environment came to another verdict, or to none; nothing is written.
    """
    resolved = verdict.resolved
    (cell,) = cell_tasks.of_cells([resolved], session.matrix.probe)
    if cell is None or resolved.lock is None or resolved.interpreter is None:
        raise PinError(f"{verdict.cell.id} has no lock: {unknown_reason(verdict)}")
    again = audit.from_scratch(session, resolved, cell, lambda _event: None)
    differences = audit.differences(verdict, again)
    # An error or a flaky result differs from nothing, and confirms nothing: what worked in both may be the recipe.
    confirmed = {variant.variant for variant in working(again, session.matrix.variants)}
    able = [variant for variant in working(verdict, session.matrix.variants) if variant.variant in confirmed]
    unproven = [one for one in (again, verdict) if one.status is not Status.WORKS]
    if unproven or differences or not able:
        end = "; ".join(differences) or unknown_reason([*unproven, again][0])
        raise PinError(f"{verdict.cell.id} was not confirmed in a fresh environment, and nothing is written: {end}")
    best = max(able, key=lambda variant: support.get(variant.variant, 0)).variant
    cell = cell.counting(session.records)
    artifact = cell.export.artifact(best, session.records) or ""
    overrides = resolved.planned.overrides
    header = [
        f"{verdict.cell.id}, pinned by export-matrix on {dt.datetime.now(dt.UTC).date()}",
        *([f"with {remedy}, without which these versions fail"] if remedy else []),
        *(
            [f"to be installed with --no-deps: other packages refuse {', '.join(overrides)} by their metadata"]
            if overrides
            else []
        ),
        f"platform {keys.platform_id()}, Python {resolved.interpreter.version}{_program(resolved)}",
        f"torch from: {_torch(session.uv.torch_backend)}",
        f"probe {keys.probe_id(session.matrix.probe)[:16]}, result {cell.run.variant_key(best, artifact)}",
        "verified: installed into a fresh environment and probed once more before this was written",
    ]
    texts: dict[str, str] = {}
    for side, lock in _sides(resolved).items():
        for name, text in _lock_files(session, lock, resolved.interpreter, header).items():
            texts[f"{side}/{name}" if side else name] = text
    if resolved.packages:
        texts |= {f"run/{name}": text for name, text in package_files(resolved.packages.lock).items()}
    texts["export-recipe.md"] = recipe(verdict, best, support, header)
    folder = reports / "pins" / cell_id(verdict.cell.id)
    _publish(folder, texts)
    return WrittenPin(folder=folder, files=tuple(texts), verdict=again, variant=best)


def _program(resolved: Resolved) -> str:
    """What runs the packages of the runtime, as the end of a line."""
    found = resolved.packages
    return f", {PROGRAMS[ECOSYSTEMS[found.runtime]]} {found.interpreter.version}" if found and found.runtime else ""


def _sides(resolved: Resolved) -> Mapping[str, Lock]:
    """Folder of the pin → its lock; what runs packages of another kind has no need of a Python."""
    assert resolved.lock is not None
    sides = resolved.sides or {"": resolved.lock}
    return {"export": sides["export"]} if resolved.packages else sides


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
    """As uv writes it, if it names the same files as the lock."""
    try:
        text = session.uv.pylock(lock, interpreter)
        packages = parse_pylock(text).packages
    except (ProviderFailure, ValueError, PylockValidationError) as error:
        raise PinError(f"no pylock.toml can be written: {error}") from None
    offered = {(str(package.name), str(package.version)): file_hashes(package) for package in packages}
    known = {(locked.name, locked.version): set(locked.hashes) for locked in lock.distributions}
    pins = sorted(known.keys() | offered.keys())
    if other := [pin for pin in pins if known.get(pin, set()).isdisjoint(offered.get(pin, set()))]:
        raise PinError(
            f"the index offers other files than were locked: {', '.join(map('=='.join, other))}; --refresh locks anew"
        )
    return without_secrets(text)


def _publish(folder: Path, texts: Mapping[str, str]) -> None:
    """All files or none; an earlier pin of the same cell is replaced."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # The folder is new and its name is random, so that nothing is written through an existing link.
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as made:
            new = Path(made) / folder.name
            for name, text in texts.items():
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                (new / name).write_text(text, encoding="utf-8")
            remove(folder)
            new.rename(folder)
    except OSError as error:
        raise ReportError(f"the pin cannot be written to {folder}: {error}; name another folder with --reports") from None
