"""Encoder-decoder models: of text, whose source has a mask, and of speech, whose source has none."""

from __future__ import annotations

from typing import Any

import torch

from .cache import SEQ2SEQ_PARTS
from .subject import BATCH, SOURCE, DecoderGraph, Inputs, Sizes, Subject, padding_mask


class _TextEncoder(torch.nn.Module):  # type: ignore[misc]
    """(input_ids, attention_mask), both (batch, source) → hidden states (batch, source, width)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder = model.get_encoder()

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        """Return the last hidden state."""
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0]


class _TextDecoder(DecoderGraph):
    """(input_ids, encoder_attention_mask, encoder_hidden_states, *flat past) → (logits, *flat present)."""

    def forward(self, input_ids: Any, encoder_attention_mask: Any, encoder_hidden_states: Any, *past: Any) -> Any:
        """Return one flat tuple of tensors."""
        return self.decode(
            past,
            attention_mask=encoder_attention_mask,
            encoder_outputs=(encoder_hidden_states,),
            decoder_input_ids=input_ids,
        )


class _SpeechEncoder(torch.nn.Module):  # type: ignore[misc]
    """input_features (batch, mel, frames) → hidden states (batch, frames / 2, width)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder = model.get_encoder()

    def forward(self, input_features: Any) -> Any:
        """Return the last hidden state."""
        return self.encoder(input_features)[0]


class _SpeechDecoder(DecoderGraph):
    """(input_ids, encoder_hidden_states, *flat past) → (logits, *flat present)."""

    def forward(self, input_ids: Any, encoder_hidden_states: Any, *past: Any) -> Any:
        """Return one flat tuple of tensors."""
        return self.decode(past, encoder_outputs=(encoder_hidden_states,), decoder_input_ids=input_ids)


class _Seq2Seq(Subject):
    parts = SEQ2SEQ_PARTS

    def truth(self, inputs: Inputs, tokens: Any) -> Any:
        """Return the logits without a cache; the encoder graph's inputs are the model's."""
        return self.model(**inputs.encoder, decoder_input_ids=tokens, use_cache=False).logits


class TextSeq2Seq(_Seq2Seq):
    """Translates or rewrites text."""

    is_padded = True
    source_axes = {0: BATCH, 1: SOURCE}  # noqa: RUF012 - never written to

    def __init__(self, model: Any, limit: int | None) -> None:
        self.encoder = _TextEncoder(model).eval()
        super().__init__(model, _TextDecoder(model, self.parts), limit)

    def draw_inputs(self, sizes: Sizes, generator: Any) -> Inputs:
        """Return a source and its mask; the ids under the padding are padding, from which some models count positions."""
        mask = padding_mask(sizes, sizes.source)
        ids = self.draw_tokens(sizes.batch, sizes.source, generator).masked_fill(mask == 0, self.padding_token)
        return Inputs({"input_ids": ids, "attention_mask": mask}, {"encoder_attention_mask": mask}, {})


class SpeechSeq2Seq(_Seq2Seq):
    """Writes down speech. Whisper takes as many frames as it has positions for, two for each, and no other number."""

    is_padded = False
    source_axes = {0: BATCH}  # noqa: RUF012 - never written to

    def __init__(self, model: Any, limit: int | None) -> None:
        self.encoder = _SpeechEncoder(model).eval()
        super().__init__(model, _SpeechDecoder(model, self.parts), limit)

    def draw_inputs(self, sizes: Sizes, generator: Any) -> Inputs:
        """Return features; the source's size is the model's."""
        config = self.model.config
        shape = (sizes.batch, config.num_mel_bins, 2 * config.max_source_positions)
        return Inputs({"input_features": torch.randn(shape, generator=generator)}, {}, {})
