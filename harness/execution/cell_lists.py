"""The cells of a matrix without a session: quick lists for the noxfile and for merging files."""

from __future__ import annotations

from pathlib import Path

from harness import regular_files
from harness.environments import providers, published_versions
from harness.environments.index_answers import IndexAnswers
from harness.environments.interface import ProviderFailure
from harness.environments.sources import Pythons
from harness.environments.uv.client import Uv
from harness.environments.uv.command import find_uv
from harness.execution.settings import Settings
from harness.matrix import load, plan
from harness.matrix.schema import Matrix
from harness.matrix.selection import Selection
from harness.model import Cell, Setup
from harness.store import scratch
from harness.store.access import Access
from harness.store.store import Store
from harness.subprocesses import Supervisor


def client(settings: Settings, config: Matrix, supervisor: Supervisor, *, offline: bool) -> Uv:
    """Uv with the sources of the matrix; where torch comes from is decided later."""
    folder = regular_files.real(settings.config).parent
    return Uv(binary=find_uv(), sources=config.uv, folder=folder, torch_backend=None, offline=offline, children=supervisor)


def listed(settings: Settings) -> list[tuple[Cell, str]]:
    """The cells that one environment can hold, each with the path of its interpreter, or the version if there is none.

    Quick, makes no folders and asks no network: a selector that no run has resolved yet contributes nothing.
    """
    config, axes, pythons = _recorded(settings, file=None)
    found = {version: pythons.find(version) for version in axes["python"]}
    return [
        (cell, python.path if (python := found.get(cell.python) or pythons.find(cell.python)) else cell.python)
        for cell in plan.cells(config, axes)
        if cell.setup is Setup.TOGETHER
    ]


def selected(settings: Settings) -> tuple[list[str], list[str]]:
    """(ids of the selected cells in the matrix's order, names of its axes), as quickly; a selector must have been resolved."""
    config, axes, _ = _recorded(settings, file=settings.config.name)
    planned = plan.plan(config, axes, Selection.of(settings.select, settings.exclude, axes=list(axes)))
    return [item.cell.id for item in planned], list(axes)


def _recorded(settings: Settings, *, file: str | None) -> tuple[Matrix, dict[str, list[str]], Pythons]:
    """The matrix, its axes as far as known (see `published_versions.recorded`), and the interpreters."""
    config = load.load(settings.config)
    children = Supervisor()
    uv = client(settings, config, children, offline=True)
    packages = providers.opened(providers.kinds(config.axes), children, scratch.temporary, offline=True)
    pythons = Pythons(uv)
    with scratch.temporary() as empty:
        store = Store.open(settings.store if Path(settings.store).is_dir() else empty, access=Access.ADD)
        try:
            known = IndexAnswers(store, provisional=uv.asks_index)
            present = pythons.present(config.axes["python"])
            axes = published_versions.recorded(config, known, uv, present, file=file, packages=packages)
        except ProviderFailure as failure:
            raise failure.as_error() from None
    return config, axes, pythons
