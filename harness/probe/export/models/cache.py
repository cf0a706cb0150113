"""The key-value cache of an encoder-decoder as flat tensors, for each generation of transformers.

Flat order, for every layer: decoder key, decoder value, encoder key, encoder value, each (batch, heads, length,
head size). The encoder part is the cross-attention, whose length is the source's.
"""

from __future__ import annotations

import sys
from typing import Any, Sequence

import transformers

PARTS = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")


class TupleCache:
    """A tuple of four tensors for each layer (Marian up to transformers 4.51)."""

    def pack(self, flat: Sequence[Any]) -> Any:
        """Return what the model takes as `past_key_values`; None where `flat` is empty."""
        width = len(PARTS)
        return tuple(tuple(flat[at : at + width]) for at in range(0, len(flat), width)) or None

    def unpack(self, cache: Any) -> list[Any]:
        """Return the flat tensors of what the model returned."""
        return [tensor for layer in cache for tensor in layer]


class ObjectCache:
    """An EncoderDecoderCache of two DynamicCaches (Marian from transformers 4.52)."""

    def pack(self, flat: Sequence[Any]) -> Any:
        """Return a new cache that holds `flat`, which may be empty.

        Both halves are filled before they are joined: joining looks which cross-attention layers are there, and the
        model computes those that are not.
        """
        decoder, encoder = transformers.DynamicCache(), transformers.DynamicCache()
        for layer, at in enumerate(range(0, len(flat), len(PARTS))):
            decoder.update(flat[at], flat[at + 1], layer)
            encoder.update(flat[at + 2], flat[at + 3], layer)
        return transformers.EncoderDecoderCache(decoder, encoder)

    def unpack(self, cache: Any) -> list[Any]:
        """Return the flat tensors of what the model returned."""
        pairs = zip(_layers(cache.self_attention_cache), _layers(cache.cross_attention_cache))
        return [tensor for decoder, encoder in pairs for tensor in (*decoder, *encoder)]


def _layers(cache: Any) -> list[Any]:
    """Return (keys, values) of each layer; the attributes are named differently before transformers 4.54."""
    if hasattr(cache, "layers"):
        return [(layer.keys, layer.values) for layer in cache.layers]
    return list(zip(cache.key_cache, cache.value_cache))


def cache_for(model: Any) -> Any:
    """Return the kind of cache that `model` works with, told by whether its own source knows the cache class."""
    source = sys.modules[type(model).__module__]
    return ObjectCache() if hasattr(source, "EncoderDecoderCache") else TupleCache()
