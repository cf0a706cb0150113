"""A model under test, as the reference and the exporters use it, whatever its architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping

import torch

from ....graph_request import Axes, GraphRequest
from .cache import cache_for, own_parts

BATCH, SOURCE = "batch_size", "encoder_sequence_length"
_TOKENS, _PAST, _PRESENT = "decoder_sequence_length", "past_decoder_sequence_length", "present_decoder_sequence_length"
_TOTAL = _PAST + " + 1"  # the length of a mask over the past and the one new token, in optimum's words


@dataclass(frozen=True)
class Sizes:
    """The sizes of one case. `padding` is the side on which the rows of a batch are padded, each by one more."""

    batch: int
    source: int
    prefix: int
    steps: int
    padding: str = "right"


@dataclass(frozen=True)
class Inputs:
    """Inputs of a decoding besides tokens and cache: tensors by the name of the graph input."""

    encoder: Mapping[str, Any]
    """For the encoder graph."""
    common: Mapping[str, Any]
    """For the decoder graphs, the same at every step."""
    growing: Mapping[str, Any]
    """For the decoder graphs, (batch, all tokens), cut to the tokens so far."""


# Example sizes for tracing: all different, none 0 or 1, and none a size of a tiny model, so that no exporter can confuse one
# with another or with a constant.
_EXAMPLE = Sizes(batch=3, source=7, prefix=5, steps=1)


class DecoderGraph(torch.nn.Module):  # type: ignore[misc]
    """(input_ids, the other inputs of a decoder, *flat past) → (logits, *flat present).

    A cache object cannot cross the border of a trace, so it is built and taken apart here. With a past, only the parts of the
    present that grow are returned: the cross-attention does not change.
    """

    def __init__(self, model: Any, parts: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.cache = cache_for(model, parts)
        self._width, self._own = len(parts), len(own_parts(parts))

    def decode(self, past: Any, **arguments: Any) -> Any:
        """Call the model with `arguments` and return one flat tuple of tensors."""
        outputs = self.model(past_key_values=self.cache.pack(past), use_cache=True, **arguments)
        present = self.cache.unpack(outputs.past_key_values)
        if past:
            present = [tensor for at, tensor in enumerate(present) if at % self._width < self._own]
        return (outputs.logits, *present)


class Subject:
    """A model under test, in eval mode. `limit`: its number of positions, None if no case shall reach it."""

    parts: tuple[str, ...]
    """The parts of a layer's cache, as optimum names them."""
    is_padded: bool
    """Whether it takes a mask for padding."""
    encoder: Any = None
    """The module of the encoder graph, (source…) → hidden states; None if the model has none."""
    source_axes: Axes = {}  # noqa: RUF012 - never written to
    """The axes of the encoder's inputs and output that may change."""

    def __init__(self, model: Any, decoder: DecoderGraph, limit: int | None) -> None:
        self.model = model
        self.decoder = decoder.eval()
        self.limit = limit
        self.vocabulary = int(model.config.vocab_size)
        self.padding_token = _special_token(model, "pad_token_id", "eos_token_id")
        self.start_token = _special_token(model, "decoder_start_token_id", "bos_token_id")
        self.attention = str(getattr(model.config, "_attn_implementation", None) or "eager")
        self.cache_sizes = self._measure_cache()

    def draw_inputs(self, sizes: Sizes, generator: Any) -> Inputs:
        """Return random inputs of the given sizes."""
        raise NotImplementedError

    def truth(self, inputs: Inputs, tokens: Any) -> Any:
        """Return the logits (batch, tokens, vocabulary) that the whole model gives without a cache."""
        raise NotImplementedError

    def draw_tokens(self, batch: int, length: int, generator: Any) -> Any:
        """Return random token ids (batch, length), none of them padding: models may look for padding."""
        ids = torch.randint(0, self.vocabulary, (batch, length), generator=generator)
        return ids.masked_fill(ids == self.padding_token, (self.padding_token + 1) % self.vocabulary)

    def encode(self, inputs: Inputs) -> dict[str, Any]:
        """Return the encoder's hidden states by the name of the decoder's input; empty without an encoder."""
        if self.encoder is None:
            return {}
        return {"encoder_hidden_states": self.encoder(*inputs.encoder.values())}

    def decoder_inputs(self, inputs: Inputs, encoded: Mapping[str, Any], tokens: Any, length: int) -> dict[str, Any]:
        """Return the arguments of the decoder's module, in order and without the past; `length` includes past tokens."""
        growing = {name: tensor[:, :length] for name, tensor in inputs.growing.items()}
        return {"input_ids": tokens, **inputs.common, **growing, **encoded}

    def join_present(self, past: list[Any], present: list[Any]) -> list[Any]:
        """Return the next step's flat past: the parts that grow from `present`, the others from the first step."""
        if not past:
            return list(present)
        fresh, own = iter(present), len(own_parts(self.parts))
        return [next(fresh) if at % len(self.parts) < own else kept for at, kept in enumerate(past)]

    def requests(self) -> list[GraphRequest]:
        """Return the graphs to export; the example past is computed by the model itself."""
        generator = torch.Generator().manual_seed(1)
        inputs = self.draw_inputs(_EXAMPLE, generator)
        total = _EXAMPLE.prefix + _EXAMPLE.steps
        tokens = self.draw_tokens(_EXAMPLE.batch, total, generator)
        with torch.no_grad():
            encoded = self.encode(inputs)
            first = self.decoder_inputs(inputs, encoded, tokens[:, :-1], total - 1)
            _, *past = self.decoder(*first.values())
        later = self.decoder_inputs(inputs, encoded, tokens[:, -1:], total)
        decoders = [self._decoder_request(inputs, first), self._with_past_request(inputs, later, past)]
        return decoders if self.encoder is None else [self._encoder_request(inputs), *decoders]

    def _encoder_request(self, inputs: Inputs) -> GraphRequest:
        return GraphRequest(
            role="encoder",
            module=self.encoder,
            inputs=dict(inputs.encoder),
            outputs=("last_hidden_state",),
            input_axes=dict.fromkeys(inputs.encoder, self.source_axes),
            output_axes={"last_hidden_state": self.source_axes},
        )

    def _decoder_request(self, inputs: Inputs, first: dict[str, Any]) -> GraphRequest:
        tokens = {0: BATCH, 1: _TOKENS}
        present = {name: _cache_axes(name, _TOKENS) for name in self._cache_names("present", self.parts)}
        return GraphRequest(
            role="decoder",
            module=self.decoder,
            inputs=first,
            outputs=("logits", *present),
            input_axes=_decoder_axes(inputs, first, tokens, _TOKENS),
            output_axes={"logits": tokens, **present},
        )

    def _with_past_request(self, inputs: Inputs, later: dict[str, Any], past: list[Any]) -> GraphRequest:
        """One token a step, as generation calls it: the sequence axis of `input_ids` is the constant 1."""
        past_names = self._cache_names("past_key_values", self.parts)
        present = {name: _cache_axes(name, _PRESENT) for name in self._cache_names("present", own_parts(self.parts))}
        axes = _decoder_axes(inputs, later, {0: BATCH}, _TOTAL)
        axes.update({name: _cache_axes(name, _PAST) for name in past_names})
        return GraphRequest(
            role="decoder_with_past",
            module=self.decoder,
            inputs={**later, **dict(zip(past_names, past))},
            outputs=("logits", *present),
            input_axes=axes,
            output_axes={"logits": {0: BATCH}, **present},
            # The cross-attention cache holds what is needed of the encoder.
            not_needed=frozenset({"encoder_hidden_states"}),
        )

    def _cache_names(self, prefix: str, parts: tuple[str, ...]) -> list[str]:
        return [f"{prefix}.{layer}.{part}" for layer in range(self.cache_sizes["layers"]) for part in parts]

    def _measure_cache(self) -> dict[str, Any]:
        """Return layers, heads, head size and parts, measured in a first step: configurations have different names for them."""
        generator = torch.Generator().manual_seed(1)
        sizes = Sizes(batch=1, source=2, prefix=2, steps=0)
        inputs = self.draw_inputs(sizes, generator)
        with torch.no_grad():
            arguments = self.decoder_inputs(inputs, self.encode(inputs), self.draw_tokens(1, 2, generator), 2)
            _, *present = self.decoder(*arguments.values())
        _, heads, _, head_size = present[0].shape
        return {
            "layers": len(present) // len(self.parts),
            "heads": int(heads),
            "head_size": int(head_size),
            "parts": list(self.parts),
        }


def padding_mask(sizes: Sizes, length: int) -> Any:
    """Return a mask (batch, length): the first row is whole, each further row is padded by one more, if it is long enough."""
    mask = torch.ones((sizes.batch, length), dtype=torch.int64)
    for row in range(sizes.batch):
        padded = min(row, length - 1)
        if sizes.padding == "left":
            mask[row, :padded] = 0
        else:
            mask[row, length - padded :] = 0
    return mask


def _decoder_axes(inputs: Inputs, names: Iterable[str], tokens: Axes, length: str) -> dict[str, Axes]:
    """Return the axes of a decoder's inputs other than the past; `length` names the length of what grows."""
    axes: dict[str, Axes] = {name: {0: BATCH, 1: length if name in inputs.growing else SOURCE} for name in names}
    axes["input_ids"] = tokens
    return axes


def _cache_axes(name: str, own: str) -> Axes:
    return {0: BATCH, 2: SOURCE if ".encoder." in name else own}


def _special_token(model: Any, *names: str) -> int:
    """Return the first of the named special tokens that the configuration, or the generation's, has; 0 where none is."""
    for name in names:
        for config in (model.config, getattr(model, "generation_config", None)):
            token = getattr(config, name, None)
            if isinstance(token, int):
                return token
    return 0
