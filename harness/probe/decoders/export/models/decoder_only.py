"""Decoder-only models: no encoder, no cross-attention, and a mask that grows with the text."""

from __future__ import annotations

from typing import Any

import torch

from .cache import DECODER_PARTS
from .subject import DecoderGraph, Inputs, Sizes, Subject, padding_mask


class _Decoder(DecoderGraph):
    """(input_ids, attention_mask, *flat past) → (logits, *flat present); the mask covers the past too."""

    def forward(self, input_ids: Any, attention_mask: Any, *past: Any) -> Any:
        """Return one flat tuple of tensors."""
        return self.decode(past, input_ids=input_ids, attention_mask=attention_mask)


class DecoderOnly(Subject):
    """Continues a text, the prefix. Positions count padding too: they follow from the length of the past alone."""

    parts = DECODER_PARTS
    is_padded = True

    def __init__(self, model: Any, limit: int | None) -> None:
        super().__init__(model, _Decoder(model, self.parts), limit)

    def draw_inputs(self, sizes: Sizes, generator: Any) -> Inputs:  # noqa: ARG002 - there is no source to draw
        """Return the mask over prefix and steps; only the prefix is padded."""
        rest = torch.ones((sizes.batch, sizes.steps), dtype=torch.int64)
        return Inputs({}, {}, {"attention_mask": torch.cat([padding_mask(sizes, sizes.prefix), rest], dim=1)})

    def truth(self, inputs: Inputs, tokens: Any) -> Any:
        """Return the logits without a cache."""
        mask = inputs.growing["attention_mask"][:, : tokens.shape[1]]
        return self.model(input_ids=tokens, attention_mask=mask, use_cache=False).logits
