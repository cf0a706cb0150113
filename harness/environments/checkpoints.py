"""A checkpoint that is named by its hub id is downloaded once, into the store; nothing else ever is.

Downloading is `hf`'s work, the hub's own command, which uv gets and runs in an environment of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

from harness.environments.uv.client import Uv
from harness.environments.uv.errors import UvFailure
from harness.errors import ConfigError
from harness.store.store import Store

_WEIGHTS = ("*.safetensors", "*.bin")
"""The formats that transformers reads, the preferred one first; a repository with both is not downloaded twice."""


def checkpoint(hub_id: str, store: Store, uv: Uv, *, file: str, refresh: bool) -> Path:
    """The folder that holds the checkpoint `hub_id`, downloaded where it is not there or `refresh` is asked for.

    Raises:
        ConfigError: it cannot be downloaded, or holds no weights that transformers reads.
    """
    folder = store.root / "models" / hub_id
    if (folder / "config.json").is_file() and not refresh:
        return folder
    if uv.offline:
        raise ConfigError(file, "probe.model", f"{hub_id} has not been downloaded yet, and nobody may be asked now")
    with store.scratch() as scratch:
        for weights in _WEIGHTS:
            _download(hub_id, scratch / "model", ["*.json", weights], uv, file)
            if any((scratch / "model").glob(weights)):
                break
        else:
            raise ConfigError(file, "probe.model", f"{hub_id} holds neither {' nor '.join(_WEIGHTS)}")
        store.replace(scratch / "model", folder)
    return folder


def _download(hub_id: str, folder: Path, patterns: list[str], uv: Uv, file: str) -> None:
    settings = {name: value for name, value in os.environ.items() if name.startswith("HF_")} | {"NO_COLOR": "1"}
    chosen = [word for pattern in patterns for word in ("--include", pattern)]
    try:
        uv.tool("huggingface_hub", ["hf", "download", hub_id, *chosen, "--local-dir", str(folder)], **settings)
    except UvFailure as failure:
        said = "; ".join(line for line in str(failure).splitlines() if line.strip() and not line.startswith("Hint"))
        raise ConfigError(
            file, "probe.model", f"{hub_id!r} is no model family and no folder, and the hub did not give it: {said}"
        ) from None
