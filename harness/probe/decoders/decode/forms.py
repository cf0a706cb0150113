"""The dtypes and shapes that a decoder's outputs must have, from the case and the cache's sizes."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ...runtime import Form
from .program import PRESENT


class Expected(NamedTuple):
    """The step that the outputs are of."""

    cache: Mapping[str, Any]
    tokens: tuple[int, int]
    """(batch, number of tokens of this step)."""
    length: int
    """Number of tokens so far, those of this step included."""
    source_length: int | None
    """The length of the encoder's hidden states; None if there is no encoder."""
    may_empty_cross: bool


def wrong_form(outputs: Mapping[str, Form], expected: Expected) -> str | None:
    """Return in words the first output with another form than expected; None if all are right.

    The vocabulary size of the logits is checked by the comparison with the reference.
    """
    for name, form in outputs.items():
        allowed = _allowed(name, expected)
        if allowed and form not in allowed and not (name == "logits" and _same_but_last(form, allowed[0])):
            return f"{name} is {form} instead of {allowed[0]}"
    missing = sorted(_required(expected) - set(outputs))
    return f"the graph returns no {', '.join(missing)}" if missing else None


def _allowed(name: str, expected: Expected) -> list[Form]:
    """Return the forms that output `name` may have; empty for an unknown output."""
    if name == "logits":
        return [Form("float32", (*expected.tokens, -1))]
    if not name.startswith(PRESENT):
        return []
    heads, size, batch = expected.cache["heads"], expected.cache["head_size"], expected.tokens[0]
    if ".encoder." not in name:
        return [Form("float32", (batch, heads, expected.length, size))]
    full = Form("float32", (batch, heads, expected.source_length or 0, size))
    return [full, Form("float32", (0, heads, 1, size))] if expected.may_empty_cross else [full]


def _required(expected: Expected) -> set[str]:
    """Return the outputs that a loop needs at every step; the cross-attention cache may be returned once or always."""
    parts = [part for part in expected.cache["parts"] if not part.startswith("encoder.")]
    return {"logits", *(f"{PRESENT}{layer}.{part}" for layer in range(expected.cache["layers"]) for part in parts)}


def _same_but_last(form: Form, pattern: Form) -> bool:
    return form.dtype == pattern.dtype and form.shape[:-1] == pattern.shape[:-1] and len(form.shape) == len(pattern.shape)
