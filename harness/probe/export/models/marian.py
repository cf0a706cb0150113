"""MarianMT, the architecture of the opus-mt translation models."""

from __future__ import annotations

from typing import Any

import torch
from transformers import MarianConfig, MarianMTModel

from .randomise import randomise
from .seq2seq import Seq2Seq

_SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"vocab_size": 100, "d_model": 32, "heads": 4, "feed_forward": 48, "layers": 2, "positions": 40},
}


def build(profile: str, seed: int) -> Seq2Seq:
    """Return a Marian of the profile's size whose parameters follow from `seed`."""
    sizes = _SIZES[profile]
    # As opus-mt configures it: padding is the last token of the vocabulary and the one that decoding starts from.
    padding = sizes["vocab_size"] - 1
    config = MarianConfig(
        vocab_size=sizes["vocab_size"],
        d_model=sizes["d_model"],
        encoder_layers=sizes["layers"],
        decoder_layers=sizes["layers"],
        encoder_attention_heads=sizes["heads"],
        decoder_attention_heads=sizes["heads"],
        encoder_ffn_dim=sizes["feed_forward"],
        decoder_ffn_dim=sizes["feed_forward"],
        max_position_embeddings=sizes["positions"],
        activation_function="swish",
        scale_embedding=True,
        pad_token_id=padding,
        decoder_start_token_id=padding,
        eos_token_id=0,
        forced_eos_token_id=0,
    )
    torch.manual_seed(seed)
    model = MarianMTModel(config).eval()
    randomise(model, seed)
    return Seq2Seq(
        model,
        vocabulary=sizes["vocab_size"],
        start_token=padding,
        layers=sizes["layers"],
        heads=sizes["heads"],
        head_size=sizes["d_model"] // sizes["heads"],
    )
