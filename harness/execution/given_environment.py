"""Environments that outlive a run: one that the caller made (`cell --environment`), and those that `cell` keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.environments.environments import Environments
from harness.environments.layers import closure
from harness.environments.providers import Packages
from harness.environments.uv.client import Uv
from harness.errors import HarnessError
from harness.execution.work import CellWork
from harness.model import Setup
from harness.store.store import Store
from harness.tasks.records import Records


def adopt(made: Environments, folder: Path, cells: Sequence[CellWork], records: Records) -> dict[str, Path]:
    """Closure key → python of the environment at `folder`, made to hold the lock of the only one of `cells`.

    Raises:
        HarnessError: it cannot be made to.
    """
    ((resolved, cell),) = cells
    if cell is None or resolved.interpreter is None or resolved.lock is None:
        raise HarnessError(f"{resolved.cell.id} has no lock: {resolved.result.status.value} at {resolved.result.stage.value}")
    if resolved.cell.setup is Setup.HANDOFF:
        raise HarnessError(f"{resolved.cell.id} needs two environments and cannot share one; leave out --environment")
    python, result = made.adopt(folder, closure(resolved.interpreter, resolved.lock))
    if python is None:
        raise HarnessError(
            f"{folder} does not hold the lock of {resolved.cell.id}: {result.error.message if result.error else result.status}"
        )
    for install in cell.installs:
        if records.get(install.key) is None:
            records.put(install.key, [result])
    return {install.closure.key: python for install in cell.installs}


def keep(cells: Iterable[CellWork], store: Store, uv: Uv, packages: Packages) -> list[Path]:
    """The environments of `cells`, built where they are not there: one for a cell, or those of a handoff."""
    made = Environments(store, uv, packages)
    folders = []
    try:
        for _, cell in cells:
            if cell and all([made.ensure(install.closure)[0] for install in cell.installs]):  # noqa: C419 -- build all
                parts = [install.closure for install in cell.installs]
                groups = [tuple(parts)] if cell.together else [(part,) for part in parts]
                folders += [made.folder(group) for group in groups]
    finally:
        made.close(keep=True)
    return folders
