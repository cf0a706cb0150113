"""What encoder-decoder models share: three graphs with flat inputs, named as optimum names them."""

from __future__ import annotations

from typing import Any

import torch

from ..graphs import Axes, GraphRequest
from .cache import PARTS, cache_for

# Example sizes for tracing: all different, none 0 or 1, and none a size of the tiny model, so that no exporter can
# take one for another or for a constant.
_BATCH, _SOURCE, _PREFIX = 3, 7, 5


class EncoderGraph(torch.nn.Module):  # type: ignore[misc]
    """(input_ids, attention_mask), both (batch, source) → hidden states (batch, source, width)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder = model.get_encoder()

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        """Return the last hidden state."""
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0]


class DecoderGraph(torch.nn.Module):  # type: ignore[misc]
    """(input_ids, encoder_attention_mask, encoder_hidden_states, *flat past) → (logits, *flat present).

    A cache object cannot cross the border of a trace, so it is built and taken apart in here. With a past, only the
    decoder part of the present is returned: the cross-attention does not change.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.cache = cache_for(model)

    def forward(self, input_ids: Any, encoder_attention_mask: Any, encoder_hidden_states: Any, *past: Any) -> Any:
        """Return one flat tuple of tensors."""
        outputs = self.model(
            attention_mask=encoder_attention_mask,
            encoder_outputs=(encoder_hidden_states,),
            decoder_input_ids=input_ids,
            past_key_values=self.cache.pack(past),
            use_cache=True,
        )
        present = self.cache.unpack(outputs.past_key_values)
        if past:
            present = [tensor for at, tensor in enumerate(present) if at % len(PARTS) < 2]
        return (outputs.logits, *present)


class Seq2Seq:
    """A model under test, with what the reference and the exporters need to know of it.

    `model` is a transformers encoder-decoder with a language-model head, in eval mode.
    """

    def __init__(self, model: Any, *, vocabulary: int, start_token: int, layers: int, heads: int, head_size: int) -> None:
        self.model = model
        self.vocabulary = vocabulary
        self.start_token = start_token
        self.layers = layers
        self.cache_sizes = {"layers": layers, "heads": heads, "head_size": head_size, "parts": list(PARTS)}
        self.encoder = EncoderGraph(model).eval()
        self.decoder = DecoderGraph(model).eval()

    def join_present(self, past: list[Any], present: list[Any]) -> list[Any]:
        """Return the next step's flat past: the decoder parts of `present`, the encoder parts of the first step."""
        if not past:
            return list(present)
        fresh = iter(present)
        return [next(fresh) if at % len(PARTS) < 2 else kept for at, kept in enumerate(past)]

    def requests(self) -> list[GraphRequest]:
        """Return the three graphs to export; the example past is computed by the model itself."""
        source_ids, mask, tokens = self._example()
        with torch.no_grad():
            hidden = self.encoder(source_ids, mask)
            _, *past = self.decoder(tokens[:, :-1], mask, hidden)
        return [
            self._encoder_request(source_ids, mask),
            self._decoder_request(tokens[:, :-1], mask, hidden),
            self._with_past_request(tokens[:, -1:], mask, hidden, past),
        ]

    def _example(self) -> tuple[Any, Any, Any]:
        generator = torch.Generator().manual_seed(1)
        source_ids = torch.randint(1, self.vocabulary - 1, (_BATCH, _SOURCE), generator=generator)
        tokens = torch.randint(1, self.vocabulary - 1, (_BATCH, _PREFIX + 1), generator=generator)
        mask = torch.ones_like(source_ids)
        mask[1, -2:] = 0  # a mask of ones may be optimised away while tracing
        return source_ids, mask, tokens

    def _encoder_request(self, source_ids: Any, mask: Any) -> GraphRequest:
        source = {0: "batch_size", 1: "encoder_sequence_length"}
        return GraphRequest(
            role="encoder",
            module=self.encoder,
            inputs={"input_ids": source_ids, "attention_mask": mask},
            outputs=("last_hidden_state",),
            input_axes={"input_ids": source, "attention_mask": source},
            output_axes={"last_hidden_state": source},
            required=frozenset({"input_ids", "attention_mask"}),
        )

    def _decoder_request(self, tokens: Any, mask: Any, hidden: Any) -> GraphRequest:
        inputs, axes = _decoder_inputs(tokens, mask, hidden)
        axes["input_ids"] = {0: "batch_size", 1: "decoder_sequence_length"}
        present = {name: _cache_axes(name, decoder="decoder_sequence_length") for name in self._cache_names("present", PARTS)}
        return GraphRequest(
            role="decoder",
            module=self.decoder,
            inputs=inputs,
            outputs=("logits", *present),
            input_axes=axes,
            output_axes={"logits": axes["input_ids"], **present},
            required=frozenset(inputs),
        )

    def _with_past_request(self, token: Any, mask: Any, hidden: Any, past: list[Any]) -> GraphRequest:
        """One token a step, as generation calls it: the sequence axis of `input_ids` is the constant 1."""
        inputs, axes = _decoder_inputs(token, mask, hidden)
        axes["input_ids"] = {0: "batch_size"}
        past_names = self._cache_names("past_key_values", PARTS)
        inputs.update(zip(past_names, past))
        axes.update({name: _cache_axes(name, decoder="past_decoder_sequence_length") for name in past_names})
        present = {
            name: _cache_axes(name, decoder="present_decoder_sequence_length")
            for name in self._cache_names("present", PARTS[:2])
        }
        return GraphRequest(
            role="decoder_with_past",
            module=self.decoder,
            inputs=inputs,
            outputs=("logits", *present),
            input_axes=axes,
            output_axes={"logits": {0: "batch_size"}, **present},
            # encoder_hidden_states is not among them: the cross-attention cache stands for it.
            required=frozenset({"input_ids", "encoder_attention_mask", *past_names}),
        )

    def _cache_names(self, prefix: str, parts: tuple[str, ...]) -> list[str]:
        return [f"{prefix}.{layer}.{part}" for layer in range(self.layers) for part in parts]


def _decoder_inputs(tokens: Any, mask: Any, hidden: Any) -> tuple[dict[str, Any], dict[str, Axes]]:
    source = {0: "batch_size", 1: "encoder_sequence_length"}
    inputs = {"input_ids": tokens, "encoder_attention_mask": mask, "encoder_hidden_states": hidden}
    return inputs, {"encoder_attention_mask": source, "encoder_hidden_states": source}


def _cache_axes(name: str, decoder: str) -> Axes:
    return {0: "batch_size", 2: "encoder_sequence_length" if ".encoder." in name else decoder}
