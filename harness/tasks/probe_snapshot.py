"""One's own probe module as it was when its run began: what keys say, and what is run, are the same bytes.

The files are read once, put into the store under their content, and used from there by everybody: keys, probes, remedies,
other machines. An edit that comes later is the next run's.
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError
from harness.matrix.schema import ProbeSection
from harness.store.store import Store


def of(model: ProbeSection, store: Store) -> ProbeSection:
    """`model` with its module in `store`; without a module as it is.

    Raises:
        HarnessError: the files cannot be read, or not be put there.
    """
    if model.module is None:
        return model
    try:
        files = {name: path.read_bytes() for name, path in model.sources.items()}
        with store.scratch() as scratch:
            for name, content in files.items():
                path = scratch / "probe" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            digest = store.publish(scratch / "probe")
    except OSError as error:
        raise HarnessError(f"the probe module cannot be read, or put into the store: {error}") from None
    return model.model_copy(update={"module": str(store.artifact(digest) / Path(model.module).name)})
