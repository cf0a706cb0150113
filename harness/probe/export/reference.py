"""The reference: what PyTorch says without a cache, checked against what it says with one."""

from __future__ import annotations

from typing import Any

import torch

from ..artifact import Case, Reference
from ..compare import TOLERANCE, difference, mismatch
from ..failures import ProbeFailure
from .models.seq2seq import Seq2Seq

_STEPS = 6
# (batch, source length, prefix length). Prefix and source are unequal in both directions and once equal; the first
# source of a batch is whole, each further one is padded on the right, except where there is nothing to pad.
_CASES = ((1, 1, 1), (1, 8, 3), (2, 5, 1), (3, 9, 4), (2, 3, 7), (2, 4, 4))


def build_reference(subject: Seq2Seq, model: dict[str, Any]) -> Reference:
    """Decode every case without a cache; the result is the truth that everything else is compared with."""
    generator = torch.Generator().manual_seed(model["seed"] + 1)
    with torch.no_grad():
        cases = [_build_case(subject, sizes, generator) for sizes in _CASES]
    return Reference(model, TOLERANCE, cases)


def check_cached(subject: Seq2Seq, reference: Reference) -> float:
    """Decode every case with the cache, in PyTorch, and return the largest difference from the truth.

    Raises ProbeFailure where the two do not agree: then the model is wrong before anything is exported.
    """
    largest: float = 0.0
    with torch.no_grad():
        for case in reference.cases:
            for step, logits in enumerate(_cached_logits(subject, case)):
                expected = case.logits(step)
                problem: str | None = mismatch(logits, expected, reference.tolerance)
                if problem:
                    message = f"PyTorch with the cache differs from itself without: case {case.name}, step {step}: {problem}"
                    raise ProbeFailure(message)
                largest = max(largest, difference(logits, expected) or 0.0)
    return largest


def _build_case(subject: Seq2Seq, sizes: Any, generator: Any) -> Case:
    batch, source, prefix = sizes
    source_ids = torch.randint(1, subject.vocabulary - 1, (batch, source), generator=generator)
    mask = torch.ones_like(source_ids)
    for row in range(1, batch):
        mask[row, max(1, source - row) :] = 0
    tokens = torch.randint(1, subject.vocabulary - 1, (batch, prefix + _STEPS), generator=generator)
    tokens[:, 0] = subject.start_token
    arrays = {
        "encoder/input_ids": source_ids.numpy(),
        "encoder/attention_mask": mask.numpy(),
        "common/encoder_attention_mask": mask.numpy(),
        "tokens": tokens.numpy(),
    }
    for step in range(_STEPS + 1):
        logits = subject.model(
            input_ids=source_ids, attention_mask=mask, decoder_input_ids=tokens[:, : prefix + step], use_cache=False
        ).logits
        arrays[f"logits/{step}"] = (logits if step == 0 else logits[:, -1:]).numpy()
    description = {
        "name": f"batch{batch}-source{source}-prefix{prefix}",
        "batch": batch,
        "source_length": source,
        "prefix_length": prefix,
        "steps": _STEPS,
    }
    return Case(description, arrays)


def _cached_logits(subject: Seq2Seq, case: Case) -> list[Any]:
    """Return the logits of every step, decoded with the modules that will be exported."""
    mask = torch.from_numpy(case.arrays["encoder/attention_mask"])
    hidden = subject.encoder(torch.from_numpy(case.arrays["encoder/input_ids"]), mask)
    found = []
    past: list[Any] = []
    for step in case.steps():
        logits, *present = subject.decoder(torch.from_numpy(case.tokens(step)), mask, hidden, *past)
        found.append(logits.numpy())
        past = subject.join_present(past, present)
    return found
