"""One's own probe module as it was when its run began: what keys say, and what is run, are the same bytes.

The files are read once, put into the store under their content, and used from there by everybody: keys, probes, remedies,
other machines. An edit that comes later is the next run's.
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError
from harness.matrix.schema import ProbeSection
from harness.regular_files import RefusedFileError
from harness.store.digests import copy_within
from harness.store.store import Store


def of(model: ProbeSection, store: Store) -> ProbeSection:
    """`model` with its module in `store`; without a module as it is.

    Raises:
        HarnessError: the files cannot be read, or not be put there.
    """
    if model.module is None:
        return model
    return model.model_copy(update={"module": str(store.artifacts.folder(publish(model, store)) / Path(model.module).name)})


def publish(model: ProbeSection, store: Store) -> str:
    """Put the module of `model` and its files into `store`; returns the artifact's digest. Raises as `of`."""
    module = Path(model.module or "")
    try:
        with store.scratch() as scratch:
            folder = scratch / "probe"
            folder.mkdir()
            # The module is named by the user, by a link or not; what lies beside it is found by patterns.
            (folder / module.name).write_bytes(module.read_bytes())
            copy_within(module.parent, folder, [name for name in model.sources if name != module.name])
            return store.artifacts.publish(folder)
    except (OSError, RefusedFileError) as error:
        raise HarnessError(f"the probe module cannot be read, or put into the store: {error}") from None
