"""Checkpoints that matrix.toml names by a hub id: downloaded once, into the store. No other model is downloaded.

The hub's own command `hf` downloads; uv installs and runs it in an environment of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

from harness.environments.interface import ProviderFailure
from harness.environments.uv.client import Uv
from harness.errors import ConfigError
from harness.store.store import Store

_WEIGHTS = ("*.safetensors", "*.bin")
"""The formats that transformers reads, the preferred one first; only one of them is downloaded."""


def checkpoint(hub_id: str, store: Store, uv: Uv, *, file: str, refresh: bool, installs: bool) -> Path:
    """The folder of the checkpoint `hub_id`, downloaded if it is missing or if `refresh`.

    Without `installs` nothing is downloaded: the hub's command would have to be installed, and run.

    Raises:
        ConfigError: it cannot be downloaded, or holds no weights that transformers reads.
    """
    folder = store.root / "models" / hub_id
    if (folder / "config.json").is_file() and not (refresh and installs):
        return folder
    if uv.offline or not installs:
        why = "asks no network" if uv.offline else "installs nothing"
        raise ConfigError(file, "probe.model", f"{hub_id} has not been downloaded yet, and a command that {why} cannot do that")
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
    included = [word for pattern in patterns for word in ("--include", pattern)]
    try:
        uv.tool("huggingface_hub", ["hf", "download", hub_id, *included, "--local-dir", str(folder)], **settings)
    except ProviderFailure as failure:
        reason = "; ".join(line for line in str(failure).splitlines() if line.strip() and not line.startswith("Hint"))
        raise ConfigError(
            file, "probe.model", f"{hub_id!r} is no model family and no folder, and the hub did not give it: {reason}"
        ) from None
