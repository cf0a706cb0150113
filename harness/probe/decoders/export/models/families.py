"""The families: how each is configured, and how large its profiles are.

`tiny` is small enough for seconds; `base` has the sizes of the family's smallest well-known checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, NamedTuple

import torch

from .decoder_only import DecoderOnly
from .seq2seq import SpeechSeq2Seq, TextSeq2Seq

TINY_POSITIONS = 40
"""How many positions every tiny model has, so that a case can reach the limit."""


@dataclass(frozen=True)
class Family:
    """One family of models. `config` and `model` are names of classes in transformers."""

    model_type: str
    """What a checkpoint's config.json calls it."""
    config: str
    model: str
    subject: Callable[[Any, int | None], Any]
    profiles: Mapping[str, Mapping[str, Any]]
    """Profile → arguments of `config`."""
    adjust: Callable[[Any], None] | None = None
    """Brings a randomised model back to scales that its architecture relies on."""


class _Size(NamedTuple):
    vocabulary: int
    width: int
    layers: int
    heads: int
    feed_forward: int
    positions: int


def _relative(size: _Size, **more: Any) -> dict[str, Any]:
    """Return the arguments that Marian and its relatives share, and `more`."""
    return {
        "vocab_size": size.vocabulary,
        "d_model": size.width,
        "encoder_layers": size.layers,
        "decoder_layers": size.layers,
        "encoder_attention_heads": size.heads,
        "decoder_attention_heads": size.heads,
        "encoder_ffn_dim": size.feed_forward,
        "decoder_ffn_dim": size.feed_forward,
        "max_position_embeddings": size.positions,
        **more,
    }


def _marian(size: _Size) -> dict[str, Any]:
    """As opus-mt configures it: padding is the last token, and the one that decoding starts from."""
    last = size.vocabulary - 1
    special = {"pad_token_id": last, "decoder_start_token_id": last, "eos_token_id": 0, "forced_eos_token_id": 0}
    return _relative(size, **special, activation_function="swish", scale_embedding=True)


def _bart(size: _Size, **more: Any) -> dict[str, Any]:
    special = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}
    return _relative(size, **special, **more)


def _pegasus(size: _Size) -> dict[str, Any]:
    special = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "forced_eos_token_id": 1}
    return _relative(size, **special, activation_function="relu", scale_embedding=True)


def _whisper(size: _Size, *, mels: int, source: int) -> dict[str, Any]:
    """`source` counts the encoder's positions, each of which is two frames of features."""
    last = size.vocabulary - 1
    special = {"pad_token_id": last, "bos_token_id": last, "eos_token_id": last, "decoder_start_token_id": last - 1}
    arguments = _relative(size, **special, num_mel_bins=mels, max_source_positions=source)
    arguments["max_target_positions"] = arguments.pop("max_position_embeddings")
    return arguments


def _t5(size: _Size, **more: Any) -> dict[str, Any]:
    """Its positions are relative, so that it has no limit."""
    return {
        "vocab_size": size.vocabulary,
        "d_model": size.width,
        "d_kv": size.width // size.heads,
        "d_ff": size.feed_forward,
        "num_layers": size.layers,
        "num_decoder_layers": size.layers,
        "num_heads": size.heads,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "decoder_start_token_id": 0,
        **more,
    }


def _adjust_t5(model: Any) -> None:
    """T5 neither scales its attention's scores nor, where they are tied, its embeddings up: its weights do both."""
    with torch.no_grad():
        model.shared.weight.mul_(model.config.d_model**0.5)
        for name, tensor in model.named_parameters():
            if name.endswith("Attention.q.weight"):
                tensor.mul_(model.config.d_kv**-0.5)


def _gpt2(size: _Size) -> dict[str, Any]:
    return {
        "vocab_size": size.vocabulary,
        "n_embd": size.width,
        "n_layer": size.layers,
        "n_head": size.heads,
        "n_inner": size.feed_forward,
        "n_positions": size.positions,
        "bos_token_id": size.vocabulary - 1,
        "eos_token_id": size.vocabulary - 1,
    }


def _llama(size: _Size, *, groups: int) -> dict[str, Any]:
    """`groups` is the number of heads that have keys and values of their own."""
    return {
        "vocab_size": size.vocabulary,
        "hidden_size": size.width,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": groups,
        "intermediate_size": size.feed_forward,
        "max_position_embeddings": size.positions,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }


_TINY = _Size(vocabulary=100, width=32, layers=2, heads=4, feed_forward=48, positions=TINY_POSITIONS)

FAMILIES: dict[str, Family] = {
    # opus-mt
    "marian": Family(
        "marian", "MarianConfig", "MarianMTModel", TextSeq2Seq,
        {"tiny": _marian(_TINY), "base": _marian(_Size(65001, 512, 6, 8, 2048, 512))},
    ),
    # t5-small; in the tiny one, distances beyond the last bucket occur
    "t5": Family(
        "t5", "T5Config", "T5ForConditionalGeneration", TextSeq2Seq,
        {
            "tiny": _t5(_TINY, relative_attention_num_buckets=8, relative_attention_max_distance=20),
            "base": _t5(_Size(32128, 512, 6, 8, 2048, 512)),
        },
        adjust=_adjust_t5,
    ),
    # bart-base
    "bart": Family(
        "bart", "BartConfig", "BartForConditionalGeneration", TextSeq2Seq,
        {"tiny": _bart(_TINY), "base": _bart(_Size(50265, 768, 6, 12, 3072, 1024))},
    ),
    # m2m100_418M; NLLB is the same architecture
    "m2m100": Family(
        "m2m_100", "M2M100Config", "M2M100ForConditionalGeneration", TextSeq2Seq,
        {
            "tiny": _bart(_TINY, scale_embedding=True),
            "base": _bart(_Size(128112, 1024, 12, 16, 4096, 1024), scale_embedding=True),
        },
    ),
    # mbart-large-cc25
    "mbart": Family(
        "mbart", "MBartConfig", "MBartForConditionalGeneration", TextSeq2Seq,
        {
            "tiny": _bart(_TINY, scale_embedding=True),
            "base": _bart(_Size(250027, 1024, 12, 16, 4096, 1024), scale_embedding=True),
        },
    ),
    # pegasus-large
    "pegasus": Family(
        "pegasus", "PegasusConfig", "PegasusForConditionalGeneration", TextSeq2Seq,
        {"tiny": _pegasus(_TINY), "base": _pegasus(_Size(96103, 1024, 16, 16, 4096, 1024))},
    ),
    # whisper-base
    "whisper": Family(
        "whisper", "WhisperConfig", "WhisperForConditionalGeneration", SpeechSeq2Seq,
        {
            "tiny": _whisper(_TINY, mels=20, source=14),
            "base": _whisper(_Size(51865, 512, 6, 8, 2048, 448), mels=80, source=1500),
        },
    ),
    "gpt2": Family(
        "gpt2", "GPT2Config", "GPT2LMHeadModel", DecoderOnly,
        {"tiny": _gpt2(_TINY), "base": _gpt2(_Size(50257, 768, 12, 12, 3072, 1024))},
    ),
    # SmolLM-135M
    "llama": Family(
        "llama", "LlamaConfig", "LlamaForCausalLM", DecoderOnly,
        {
            "tiny": _llama(_TINY, groups=2),
            "base": _llama(_Size(49152, 576, 30, 9, 1536, 2048), groups=3),
        },
    ),
}  # fmt: skip
