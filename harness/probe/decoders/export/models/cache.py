"""The key-value cache of a model as flat tensors, for each generation of transformers.

Flat order: layer by layer, and within a layer the parts below, each (batch, heads, length, head size). The encoder
parts are the cross-attention, whose length is the source's.
"""

from __future__ import annotations

import sys
from typing import Any, Sequence

import transformers

SEQ2SEQ_PARTS = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
DECODER_PARTS = ("key", "value")


def own_parts(parts: Sequence[str]) -> tuple[str, ...]:
    """Return the parts that grow with every token, first in `parts`; those of the cross-attention do not change."""
    return tuple(part for part in parts if not part.startswith("encoder."))


class TupleCache:
    """A tuple with a tuple of `width` tensors for each layer (Marian up to transformers 4.51, T5 up to 4.42)."""

    def __init__(self, width: int) -> None:
        self._width = width

    def pack(self, flat: Sequence[Any]) -> Any:
        """Return the model's `past_key_values`; None if `flat` is empty."""
        return tuple(tuple(flat[at : at + self._width]) for at in range(0, len(flat), self._width)) or None

    def unpack(self, cache: Any) -> list[Any]:
        """Return the flat tensors of a returned cache."""
        return [tensor for layer in cache for tensor in layer]


class DecoderCache:
    """A DynamicCache (Llama from transformers 4.36, GPT-2 from 4.50)."""

    def pack(self, flat: Sequence[Any]) -> Any:
        """Return a new cache that holds `flat`, which may be empty."""
        cache = transformers.DynamicCache()
        for layer, at in enumerate(range(0, len(flat), 2)):
            cache.update(flat[at], flat[at + 1], layer)
        return cache

    def unpack(self, cache: Any) -> list[Any]:
        """Return the flat tensors of a returned cache."""
        return [tensor for layer in _layers(cache) for tensor in layer]


class EncoderDecoderCache:
    """An EncoderDecoderCache of two DynamicCaches (Whisper first, Marian from transformers 4.52)."""

    def __init__(self) -> None:
        self._half = DecoderCache()

    def pack(self, flat: Sequence[Any]) -> Any:
        """Return a new cache that holds `flat`, which may be empty.

        Both halves are filled before they are joined: the new object records which cross-attention layers are there, and the
        model computes the others.
        """
        width = len(SEQ2SEQ_PARTS)
        decoder = [tensor for at, tensor in enumerate(flat) if at % width < 2]
        encoder = [tensor for at, tensor in enumerate(flat) if at % width >= 2]
        return transformers.EncoderDecoderCache(self._half.pack(decoder), self._half.pack(encoder))

    def unpack(self, cache: Any) -> list[Any]:
        """Return the flat tensors of a returned cache."""
        pairs = zip(_layers(cache.self_attention_cache), _layers(cache.cross_attention_cache))
        return [tensor for decoder, encoder in pairs for tensor in (*decoder, *encoder)]


def _layers(cache: Any) -> list[Any]:
    """Return (keys, values) of each layer; the attributes are named differently before transformers 4.54."""
    if hasattr(cache, "layers"):
        return [(layer.keys, layer.values) for layer in cache.layers]
    return list(zip(cache.key_cache, cache.value_cache))


def cache_for(model: Any, parts: Sequence[str]) -> Any:
    """Return the kind of cache of `model`: that of the cache class that its module imports.

    Families changed in different versions: a model need not take every cache class of transformers.
    """
    name, kind = ("EncoderDecoderCache", EncoderDecoderCache) if parts == SEQ2SEQ_PARTS else ("DynamicCache", DecoderCache)
    return kind() if hasattr(sys.modules[type(model).__module__], name) else TupleCache(len(parts))
