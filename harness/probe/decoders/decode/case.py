"""A case of a decoding. B: batch, P: length of the prefix, V: vocabulary.

inputs      encoder/<input>                  of the encoder graph, if there is one
            common/<input>                   of the decoder graphs, at every step
            growing/<input>  (B, P + steps)  of the decoder graphs, cut to the length so far
            tokens           (B, P + steps)  int64, the decoder's tokens, prefix first
expected    logits           (B, P, V)       float32, at step 0; (B, 1, V) at each further step
ignored     logits           (B, P, V)       at step 0: true for tokens that can attend to nothing
"""

from __future__ import annotations

from typing import Any, Mapping

from ...artifact import Case


class DecodingCase:
    """A view of a case. Its notes: batch, prefix_length, steps, padding, and the sizes of the cache."""

    def __init__(self, case: Case) -> None:
        self._inputs = case.inputs
        self.batch: int = case.notes["batch"]
        self.prefix: int = case.notes["prefix_length"]
        self.cache: Mapping[str, Any] = case.notes["cache"]
        self.steps = range(case.notes["steps"] + 1)

    def tokens(self, step: int) -> Any:
        """Return the tokens of `step`: the prefix (B, P) at 0, then one token (B, 1)."""
        first = 0 if step == 0 else self.prefix + step - 1
        return self._inputs["tokens"][:, first : self.prefix + step]

    def tokens_so_far(self, step: int) -> Any:
        """Return the tokens of a decoder without a cache at `step` (B, P + step)."""
        return self._inputs["tokens"][:, : self.length(step)]

    def length(self, step: int) -> int:
        """Return the number of tokens so far, those of `step` included."""
        return self.prefix + step

    def encoder_inputs(self) -> dict[str, Any]:
        """Return input → array of the encoder graph."""
        return self._in("encoder/")

    def common(self) -> dict[str, Any]:
        """Return input → array of the decoder graphs at every step."""
        return self._in("common/")

    def growing(self, length: int) -> dict[str, Any]:
        """Return input → array (B, length) of the inputs that grow with the tokens."""
        return {name: array[:, :length] for name, array in self._in("growing/").items()}

    def _in(self, folder: str) -> dict[str, Any]:
        return {name[len(folder) :]: array for name, array in self._inputs.items() if name.startswith(folder)}
