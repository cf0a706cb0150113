"""The families: how each is configured, and the sizes of its profiles. Adding one: an entry in FAMILIES.

`tiny` is small enough for seconds; `base` has the sizes of the family's smallest well-known checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, NamedTuple

TINY_POSITIONS = 40
"""Positions of every tiny model: few enough that a case reaches the limit."""


@dataclass(frozen=True)
class Family:
    """One family of models. `config` and `model` are names of classes in transformers."""

    model_type: str
    """Its name in a checkpoint's config.json."""
    config: str
    model: str
    subject: str
    """The kind of model: a name of SUBJECTS (build.py)."""
    profiles: Mapping[str, Mapping[str, Any]]
    """Profile → arguments of `config`."""
    adjust: Callable[[Any], None] | None = None
    """Scales the weights of a randomised model as its architecture expects them."""


class _Size(NamedTuple):
    vocabulary: int
    width: int
    layers: int
    heads: int
    feed_forward: int
    positions: int


# The arguments of a configuration that take the six sizes, in their order.
_HEADS, _LAYERS = "encoder_attention_heads decoder_attention_heads", "encoder_layers decoder_layers"
_BART = ("vocab_size", "d_model", _LAYERS, _HEADS, "encoder_ffn_dim decoder_ffn_dim", "max_position_embeddings")
_WHISPER = (*_BART[:-1], "max_target_positions")
_T5 = ("vocab_size", "d_model", "num_layers num_decoder_layers", "num_heads", "d_ff", "")  # positions are relative: no limit
_GPT2 = ("vocab_size", "n_embd", "n_layer", "n_head", "n_inner", "n_positions")
_LLAMA = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("intermediate_size", "max_position_embeddings"),
)


def _sized(names: tuple[str, ...], size: _Size, **more: Any) -> dict[str, Any]:
    """Return the arguments of a configuration: the six sizes, and `more`."""
    return {**{argument: value for arguments, value in zip(names, size) for argument in arguments.split()}, **more}


def _marian(size: _Size) -> dict[str, Any]:
    """As opus-mt: padding is the last token, with which decoding starts."""
    tokens = {"pad_token_id": size.vocabulary - 1, "decoder_start_token_id": size.vocabulary - 1}
    tokens.update(eos_token_id=0, forced_eos_token_id=0)
    return _sized(_BART, size, **tokens, activation_function="swish", scale_embedding=True)


def _bart(size: _Size, **more: Any) -> dict[str, Any]:
    return _sized(_BART, size, bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2, **more)


def _pegasus(size: _Size) -> dict[str, Any]:
    tokens = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "forced_eos_token_id": 1}
    return _sized(_BART, size, **tokens, activation_function="relu", scale_embedding=True)


def _whisper(size: _Size, *, mels: int, source: int) -> dict[str, Any]:
    """`source`: positions of the encoder, each of which is two frames of features."""
    last = size.vocabulary - 1
    tokens = {"pad_token_id": last, "bos_token_id": last, "eos_token_id": last, "decoder_start_token_id": last - 1}
    return _sized(_WHISPER, size, **tokens, num_mel_bins=mels, max_source_positions=source)


def _t5(size: _Size, **more: Any) -> dict[str, Any]:
    tokens = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
    return _sized(_T5, size, d_kv=size.width // size.heads, **tokens, **more)


def _adjust_t5(model: Any) -> None:
    """T5 scales neither the scores of its attention nor, if they are tied, its embeddings: its weights do both."""
    model.shared.weight.data.mul_(model.config.d_model**0.5)
    for name, tensor in model.named_parameters():
        if name.endswith("Attention.q.weight"):
            tensor.data.mul_(model.config.d_kv**-0.5)


def _gpt2(size: _Size) -> dict[str, Any]:
    return _sized(_GPT2, size, bos_token_id=size.vocabulary - 1, eos_token_id=size.vocabulary - 1)


def _llama(size: _Size, *, groups: int) -> dict[str, Any]:
    """`groups`: number of heads with their own keys and values."""
    return _sized(_LLAMA, size, num_key_value_heads=groups, bos_token_id=1, eos_token_id=2)


_TINY = _Size(vocabulary=100, width=32, layers=2, heads=4, feed_forward=48, positions=TINY_POSITIONS)

FAMILIES: dict[str, Family] = {
    # opus-mt
    "marian": Family(
        "marian", "MarianConfig", "MarianMTModel", "TextSeq2Seq",
        {"tiny": _marian(_TINY), "base": _marian(_Size(65001, 512, 6, 8, 2048, 512))},
    ),
    # t5-small; in the tiny one, distances beyond the last bucket occur
    "t5": Family(
        "t5", "T5Config", "T5ForConditionalGeneration", "TextSeq2Seq",
        {
            "tiny": _t5(_TINY, relative_attention_num_buckets=8, relative_attention_max_distance=20),
            "base": _t5(_Size(32128, 512, 6, 8, 2048, 512)),
        },
        adjust=_adjust_t5,
    ),
    # bart-base
    "bart": Family(
        "bart", "BartConfig", "BartForConditionalGeneration", "TextSeq2Seq",
        {"tiny": _bart(_TINY), "base": _bart(_Size(50265, 768, 6, 12, 3072, 1024))},
    ),
    # m2m100_418M; NLLB is the same architecture
    "m2m100": Family(
        "m2m_100", "M2M100Config", "M2M100ForConditionalGeneration", "TextSeq2Seq",
        {
            "tiny": _bart(_TINY, scale_embedding=True),
            "base": _bart(_Size(128112, 1024, 12, 16, 4096, 1024), scale_embedding=True),
        },
    ),
    # mbart-large-cc25
    "mbart": Family(
        "mbart", "MBartConfig", "MBartForConditionalGeneration", "TextSeq2Seq",
        {
            "tiny": _bart(_TINY, scale_embedding=True),
            "base": _bart(_Size(250027, 1024, 12, 16, 4096, 1024), scale_embedding=True),
        },
    ),
    # pegasus-large
    "pegasus": Family(
        "pegasus", "PegasusConfig", "PegasusForConditionalGeneration", "TextSeq2Seq",
        {"tiny": _pegasus(_TINY), "base": _pegasus(_Size(96103, 1024, 16, 16, 4096, 1024))},
    ),
    # whisper-base
    "whisper": Family(
        "whisper", "WhisperConfig", "WhisperForConditionalGeneration", "SpeechSeq2Seq",
        {
            "tiny": _whisper(_TINY, mels=20, source=14),
            "base": _whisper(_Size(51865, 512, 6, 8, 2048, 448), mels=80, source=1500),
        },
    ),
    "gpt2": Family(
        "gpt2", "GPT2Config", "GPT2LMHeadModel", "DecoderOnly",
        {"tiny": _gpt2(_TINY), "base": _gpt2(_Size(50257, 768, 12, 12, 3072, 1024))},
    ),
    # SmolLM-135M
    "llama": Family(
        "llama", "LlamaConfig", "LlamaForCausalLM", "DecoderOnly",
        {
            "tiny": _llama(_TINY, groups=2),
            "base": _llama(_Size(49152, 576, 30, 9, 1536, 2048), groups=3),
        },
    ),
}  # fmt: skip
