"""A case of a decoding: what its arrays are to an encoder and to decoders.

`inputs` hold `encoder/<input>`, what the encoder graph is given, where there is one; `common/<input>`, what the decoder
graphs are given at every step; `growing/<input>` (B, P + steps), the same, cut to the length so far; and `tokens`
(B, P + steps) int64, what the decoder is given, prefix first. Expected are the `logits`: (B, P, V) float32 at step 0,
(B, 1, V) at each further one. Of step 0 those are ignored whose token can attend to nothing.
"""

from __future__ import annotations

from typing import Any, Mapping

from ...artifact import Case


class DecodingCase:
    """A view of a case. Its notes: batch, source_length, prefix_length, steps, padding, and the sizes of the cache."""

    def __init__(self, case: Case) -> None:
        self._inputs = case.inputs
        self.batch: int = case.notes["batch"]
        self.prefix: int = case.notes["prefix_length"]
        self.cache: Mapping[str, Any] = case.notes["cache"]
        self.steps = range(case.notes["steps"] + 1)

    def tokens(self, step: int) -> Any:
        """Return what the decoder is given at `step`: the prefix (B, P) at 0, one token (B, 1) after."""
        first = 0 if step == 0 else self.prefix + step - 1
        return self._inputs["tokens"][:, first : self.prefix + step]

    def tokens_so_far(self, step: int) -> Any:
        """Return everything that a decoder without a cache is given at `step` (B, P + step)."""
        return self._inputs["tokens"][:, : self.length(step)]

    def length(self, step: int) -> int:
        """Return how many tokens there are at `step`, its own included."""
        return self.prefix + step

    def encoder_inputs(self) -> dict[str, Any]:
        """Return input → array of the encoder graph."""
        return self._in("encoder/")

    def common(self) -> dict[str, Any]:
        """Return input → array of what the decoder graphs are given at every step."""
        return self._in("common/")

    def growing(self, length: int) -> dict[str, Any]:
        """Return input → array (B, length) of what grows with the tokens."""
        return {name: array[:, :length] for name, array in self._in("growing/").items()}

    def _in(self, folder: str) -> dict[str, Any]:
        return {name[len(folder) :]: array for name, array in self._inputs.items() if name.startswith(folder)}
