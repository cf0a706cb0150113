"""The reference: the outputs of PyTorch without a cache, checked against those with one."""

from __future__ import annotations

from typing import Any, Iterator, Sequence

import numpy as np
import torch

from ...artifact import Case
from ...compare import TOLERANCE, difference, mismatch
from ...outcome import ProbeFailure
from ..decode.case import DecodingCase
from .models.subject import Inputs, Sizes, Subject

_STEPS = 6
# (batch, source, prefix). The source is longer than the prefix, shorter, and once equal. The first row of a batch is whole,
# each further row is padded if there is something to pad.
_CASES = ((1, 1, 1), (1, 8, 3), (2, 5, 1), (3, 9, 4), (2, 3, 7), (2, 4, 4))
_LEFT_PADDED = ((3, 9, 4), (2, 5, 6))


def build_cases(subject: Subject, seed: int) -> list[Case]:
    """Decode every case without a cache: everything else is compared with the result."""
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        return [_build_case(subject, sizes, generator) for sizes in _sizes(subject)]


def check_cached(subject: Subject, cases: Sequence[Case]) -> float:
    """Decode every case with the cache, in PyTorch, and return the largest difference from decoding without.

    ProbeFailure if the two do not agree: then the model is wrong before anything is exported.
    """
    largest: float = 0.0
    with torch.no_grad():
        for case in cases:
            for step, logits in enumerate(_cached_logits(subject, DecodingCase(case))):
                expected, ignored = case.expected[step]["logits"], case.ignored[step].get("logits")
                problem = mismatch(logits, expected, TOLERANCE, ignored)
                if problem:
                    message = f"PyTorch with the cache differs from itself without: case {case.name}, step {step}: {problem}"
                    raise ProbeFailure(message)
                largest = max(largest, difference(logits, expected, ignored) or 0.0)
    return largest


def _sizes(subject: Subject) -> Iterator[Sizes]:
    for batch, source, prefix in _CASES:
        yield Sizes(batch, source, prefix, _STEPS)
    if subject.is_padded:
        for batch, source, prefix in _LEFT_PADDED:
            yield Sizes(batch, source, prefix, _STEPS, padding="left")
    if subject.limit is not None:
        yield Sizes(2, subject.limit, subject.limit - _STEPS, _STEPS)


def _build_case(subject: Subject, sizes: Sizes, generator: Any) -> Case:
    inputs = subject.draw_inputs(sizes, generator)
    tokens = subject.draw_tokens(sizes.batch, sizes.prefix + sizes.steps, generator)
    tokens[:, 0] = subject.start_token
    arrays = {f"{kind}/{name}": tensor.numpy() for kind, named in vars(inputs).items() for name, tensor in named.items()}
    arrays["tokens"] = tokens.numpy()
    logits = [subject.truth(inputs, tokens[:, : sizes.prefix]).numpy()]
    # No token sees a later one, so one pass over all tokens gives the outputs of all further steps. Copied, because a slice
    # would keep the whole array.
    everything = subject.truth(inputs, tokens)
    logits += [everything[:, at : at + 1].numpy().copy() for at in range(sizes.prefix, sizes.prefix + sizes.steps)]
    undefined = _without_attention(inputs, sizes)
    return Case(
        _name(subject, sizes),
        arrays,
        [{"logits": array} for array in logits],
        [{"logits": np.broadcast_to(undefined[:, :, None], logits[0].shape)}] + [{} for _ in logits[1:]]
        if undefined.any()
        else (),
        {
            "batch": sizes.batch,
            "prefix_length": sizes.prefix,
            "steps": sizes.steps,
            "padding": sizes.padding,
            "cache": subject.cache_sizes,
        },
    )


def _without_attention(inputs: Inputs, sizes: Sizes) -> Any:
    """Return (batch, prefix), true for the padding before the first token of a row.

    Such a token sees only padding. Its output is arbitrary, and differs between implementations of attention.
    """
    seen = [np.cumsum(mask.numpy()[:, : sizes.prefix], axis=1) for mask in inputs.growing.values()]
    return (seen[0] == 0) if seen else np.zeros((sizes.batch, sizes.prefix), dtype=bool)


def _name(subject: Subject, sizes: Sizes) -> str:
    """Return the case's name, without the length of the source if the model has no source or one length."""
    has_source = bool(subject.source_axes.keys() - {0})
    name = [f"batch{sizes.batch}", f"source{sizes.source}" if has_source else "", f"prefix{sizes.prefix}"]
    name.append("left" if sizes.padding == "left" else "")
    return "-".join(filter(None, name))


def _cached_logits(subject: Subject, case: DecodingCase) -> Iterator[Any]:
    """Yield the logits of every step, decoded with the modules that are exported."""
    encoder, common, growing = case.encoder_inputs(), case.common(), case.growing(case.length(case.steps[-1]))
    inputs = Inputs(*({name: torch.from_numpy(array) for name, array in named.items()} for named in (encoder, common, growing)))
    encoded = subject.encode(inputs)
    past: list[Any] = []
    for step in case.steps:
        arguments = subject.decoder_inputs(inputs, encoded, torch.from_numpy(case.tokens(step)), case.length(step))
        logits, *present = subject.decoder(*arguments.values(), *past)
        yield logits.numpy()
        past = subject.join_present(past, present)
