"""Where tasks run: in this process (local.py), or in the processes of a dask cluster (dask.py, remote_worker.py).

A new executor is a module with a function `opened(context) -> TaskExecutor` (interface.py), and a line in `EXECUTORS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType

from harness.environments.environments import Environments
from harness.errors import HarnessError
from harness.execution.events import Listener, Note
from harness.execution.executors.interface import RunContext, TaskExecutor

EXECUTORS: Mapping[str, str] = {
    "local": "harness.execution.executors.local",
    "dask": "harness.execution.executors.dask",
}
"""The name in `--executor NAME[:ADDRESS]` → its module."""


def opened(context: RunContext) -> TaskExecutor:
    """The executor that the options name.

    Raises:
        HarnessError: what it needs is not installed.
    """
    made: TaskExecutor = module(context.settings.executor).opened(context)
    return made


def module(executor: str) -> ModuleType:
    """The module of `NAME[:ADDRESS]`.

    Raises:
        HarnessError: what it needs is not installed.
    """
    name = executor.partition(":")[0]
    try:
        return importlib.import_module(EXECUTORS[name])
    except ImportError as error:
        command = f"pip install 'export-matrix[{name}]'"
        raise HarnessError(f"--executor {name} needs what is not installed ({error}): {command}") from None


def close(made: TaskExecutor | Environments, listen: Listener, *, keep: bool) -> None:
    """Close it; what cannot be cleaned up is a note, and keeps no result from being reported."""
    try:
        made.close(keep=keep)
    except Exception as error:  # noqa: BLE001 -- whatever it is, everything is done by now
        listen(Note(text=f"not everything could be cleaned up: {error or type(error).__name__}"))
