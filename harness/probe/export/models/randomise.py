"""Fill a model with values that no error can hide behind.

A freshly initialised model has zero biases and unit scales, and drops of either would go unseen. So everything is
random: every parameter and every floating-point buffer.
"""

from __future__ import annotations

from typing import Any

import torch


def randomise(model: Any, seed: int) -> None:
    """Overwrite all parameters and floating-point buffers of `model` in place, the same for the same seed.

    Matrices get a standard deviation of 1.5/√inputs and embeddings one of 1/√width: large enough that logits spread
    over several units, small enough that no softmax saturates. Vectors are biases (0 ± 0.3) or scales (1 ± 0.3).
    """
    generator = torch.Generator().manual_seed(seed)
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    tensors = dict(model.named_parameters())
    tensors.update(model.named_buffers())
    with torch.no_grad():
        for name, tensor in sorted(tensors.items()):
            if tensor.is_floating_point():
                noise = torch.randn(tensor.shape, generator=generator)
                tensor.copy_(_scaled(noise, name, is_embedding=id(tensor) in embeddings))


def _scaled(noise: Any, name: str, *, is_embedding: bool) -> Any:
    if is_embedding:
        return noise * noise.shape[-1] ** -0.5
    if noise.dim() > 1 and noise.shape[0] > 1:
        return noise * 1.5 * noise.shape[-1] ** -0.5
    if "norm" in name and name.endswith("weight"):
        return 1 + 0.3 * noise
    return 0.3 * noise
