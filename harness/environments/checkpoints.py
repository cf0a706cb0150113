"""Checkpoints: in which format their weights may be, and those that matrix.toml names by a hub id.

The latter are downloaded once, into the store; no other model is downloaded. The hub's own command `hf` does it; uv installs
and runs it in an environment of its own.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from harness import regular_files
from harness.environments.interface import ProviderFailure
from harness.environments.uv.client import Uv
from harness.errors import ConfigError
from harness.store.store import Store

_SAFE, _PICKLED = "*.safetensors", "*.bin"
_PICKLES = ("pytorch_model*.bin", "pytorch_model*.bin.index.json", "adapter_model*.bin")
"""The pickled weights that transformers reads in a folder, and what names them."""
_NAMES_OTHERS = "adapter_config.json"
"""It names the folder of another model, whose weights are read too."""
_ALLOW = "--allow-pickle reads pickled weights, which may run code of whoever made them"
_INDEX_LIMIT = 2**26
"""Bytes of the largest index of weights that is read."""


def require_no_pickle(folder: Path, file: str) -> None:
    """Refuse the checkpoint in `folder` if some release of transformers may read pickled weights there.

    Raises:
        ConfigError: it may.
    """
    found = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    found += sorted(path.name for path in folder.glob("*.safetensors.index.json") if not _names_safe_ones(path))
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        beside = "move it elsewhere" if any(folder.glob(_SAFE)) else "save the model as safetensors (safe_serialization=True)"
        raise ConfigError(
            file, "probe.model", f"{folder} has {found[0]}{more}, a pickle or what names one: {beside}; or {_ALLOW}"
        )
    if (folder / _NAMES_OTHERS).exists():
        raise ConfigError(
            file, "probe.model", f"{folder} is an adapter: save it merged with its model, which may be pickled; or {_ALLOW}"
        )


def _names_safe_ones(index: Path) -> bool:
    """Whether an index of weights names safetensors in its own folder alone."""
    try:
        named = json.loads(regular_files.read(index, limit=_INDEX_LIMIT))["weight_map"].values()
        return all(Path(name).name == name and Path(name).suffix == ".safetensors" for name in named)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, regular_files.RefusedFileError):
        return False


def checkpoint(
    hub_id: str, store: Store, uv: Uv, *, file: str, refresh: bool, installs: bool, allow_pickle: bool = False
) -> Path:
    """The folder of the checkpoint `hub_id`, downloaded if it is missing or if `refresh`; safetensors, if it has them.

    Without `installs` nothing is downloaded: the hub's command would have to be installed, and run.

    Raises:
        ConfigError: it cannot be downloaded, or holds no weights that transformers reads, or may read here.
    """
    folder = store.root / "models" / hub_id
    if (folder / "config.json").is_file() and not (refresh and installs):
        return folder
    if uv.offline or not installs:
        why = "asks no network" if uv.offline else "installs nothing"
        raise ConfigError(file, "probe.model", f"{hub_id} has not been downloaded yet, and a command that {why} cannot do that")
    with store.scratch() as scratch:
        formats = (_SAFE, _PICKLED) if allow_pickle else (_SAFE,)
        for weights in formats:
            _download(hub_id, scratch / "model", ["*.json", weights], uv, file)
            if any((scratch / "model").glob(weights)):
                break
        else:
            held = f"neither {_SAFE} nor {_PICKLED}" if allow_pickle else f"no {_SAFE}; {_ALLOW}"
            raise ConfigError(file, "probe.model", f"{hub_id} holds {held}")
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
