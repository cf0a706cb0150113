"""Fill a model with random weights, with which every error shows.

A new model has zero biases and unit scales, and nobody would see that one was dropped. So every parameter is random.
"""

from __future__ import annotations

from typing import Any, Iterator

import torch

# A buffer that is a weight. The other buffers are the architecture's own (sinusoids, rotary frequencies, masks).
_WEIGHT_BUFFER = "final_logits_bias"


def randomise(model: Any, seed: int) -> None:
    """Overwrite the weights of `model` in place, the same for the same seed.

    Matrices get a standard deviation of 1.5/√inputs and embeddings one of 1/√width: large enough that logits spread
    over several units, small enough that no softmax saturates. Vectors are biases (0 ± 0.3) or scales (1 ± 0.3).
    Tied tensors stay tied: each is drawn once, and written in place.
    """
    generator = torch.Generator().manual_seed(seed)
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    with torch.no_grad():
        for name, tensor in sorted(_weights(model)):
            noise = torch.randn(tensor.shape, generator=generator)
            tensor.copy_(noise.mul_(_deviation(tensor, is_embedding=id(tensor) in embeddings)))
            if tensor.dim() == 1 and name.endswith("weight"):
                tensor.add_(1)  # the scale of a normalisation


def _weights(model: Any) -> Iterator[tuple[str, Any]]:
    fixed = {id(tensor) for module in model.modules() if _is_sinusoidal(module) for tensor in module.parameters()}
    for name, tensor in model.named_parameters():
        if id(tensor) not in fixed:
            yield name, tensor
    for name, tensor in model.named_buffers():
        if name.endswith(_WEIGHT_BUFFER):
            yield name, tensor


def _is_sinusoidal(module: Any) -> bool:
    """Whether `module` is a table of sines: by the name of its class, or (Whisper) an embedding that is never trained."""
    is_embedding = isinstance(module, torch.nn.Embedding)
    return "Sinusoidal" in type(module).__name__ or (is_embedding and not module.weight.requires_grad)


def _deviation(tensor: Any, *, is_embedding: bool) -> float:
    if is_embedding:
        return float(tensor.shape[-1] ** -0.5)
    if tensor.dim() > 1 and tensor.shape[0] > 1:  # a bias may be (1, vocabulary)
        return float(1.5 * tensor[0].numel() ** -0.5)
    return 0.3
