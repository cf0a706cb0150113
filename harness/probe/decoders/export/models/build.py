"""Build a model under test from a configuration, seeded, or read it from a checkpoint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
import transformers

from ....messages import text_of
from ....outcome import NotRun
from .decoder_only import DecoderOnly
from .families import FAMILIES, TINY_POSITIONS, Family
from .randomise import randomise
from .seq2seq import SpeechSeq2Seq, TextSeq2Seq
from .subject import Subject

SUBJECTS = {kind.__name__: kind for kind in (TextSeq2Seq, SpeechSeq2Seq, DecoderOnly)}
"""Kinds of models by name."""


def build(model: dict[str, Any], attention: str | None = None) -> Subject:
    """Build `{"family", "profile", "seed"}`, or read the checkpoint of `{"path", "seed"}`.

    `attention` is `eager`, `sdpa`, or None for the default of transformers. KeyError: the family or the profile is unknown.
    NotRun: the checkpoint's family is unknown, or the model has no such attention.
    """
    if "path" in model:
        family, config = _read_config(Path(model["path"]))
        limit = None
    else:
        family = FAMILIES[model["family"]]
        config = getattr(transformers, family.config)(**family.profiles[model["profile"]])
        # At the limit of a large model a reference would have gigabytes.
        limit = TINY_POSITIONS if model["profile"] == "tiny" else None
    _choose_attention(config, attention)
    try:
        built = _load(family, config, model["path"]) if "path" in model else _construct(family, config, model["seed"])
    except (ValueError, ImportError) as exc:
        if attention and re.search(r"attention implementation|attn_implementation|scaled_dot_product", text_of(exc)):
            raise NotRun(f"transformers {transformers.__version__}, attention {attention}: {text_of(exc)}") from exc
        raise
    subject: Subject = SUBJECTS[family.subject](built.eval(), limit)
    if attention and subject.attention != attention:
        raise NotRun(f"transformers {transformers.__version__} gives this model {subject.attention} for {attention}")
    return subject


def _read_config(path: Path) -> tuple[Family, Any]:
    if not (path / "config.json").is_file():
        # Checked here, not by transformers: a wrong path is no fact about versions.
        message = f"{path} is no checkpoint: it has no config.json"
        raise FileNotFoundError(message)
    config = transformers.AutoConfig.from_pretrained(str(path), local_files_only=True)
    for family in FAMILIES.values():
        if family.model_type == config.model_type:
            return family, config
    known = ", ".join(family.model_type for family in FAMILIES.values())
    raise NotRun(f"the checkpoint is of the type {config.model_type}, and this probe knows {known}")


def _choose_attention(config: Any, attention: str | None) -> None:
    if attention is None:
        return
    if hasattr(config, "_attn_implementation"):
        config._attn_implementation = attention  # noqa: SLF001 - the only way that works for new and for loaded models
    elif attention != "eager":
        raise NotRun(f"transformers {transformers.__version__} has no attention to choose: every model's is eager")


def _construct(family: Family, config: Any, seed: int) -> Any:
    torch.manual_seed(seed)
    model = getattr(transformers, family.model)(config)
    randomise(model, seed)
    if family.adjust is not None:
        family.adjust(model)
    return model


def _load(family: Family, config: Any, path: str) -> Any:
    """Return the checkpoint's model in float32, in which everything is compared."""
    return getattr(transformers, family.model).from_pretrained(path, config=config, local_files_only=True).float()
