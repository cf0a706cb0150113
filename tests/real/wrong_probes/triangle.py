"""A causal mask as decoders make it: right in itself, and with an operator that old onnxruntimes lack (Trilu of booleans)."""

from harness_probe.protocol import Case, GraphRequest


def load(options):
    import torch

    class Masked(torch.nn.Module):
        def forward(self, scores):
            return scores.masked_fill(torch.triu(scores > 0, diagonal=1), 0.0)

    torch.manual_seed(options["seed"])
    return Masked().eval()


def cases(model):
    import torch

    for length in (3, 5):
        scores = torch.randn(length, length)
        yield Case(f"length {length}", {"scores": scores.numpy()}, {"masked": model(scores).numpy()})


def graphs(model):
    import torch

    axes = {0: "length", 1: "width"}
    yield GraphRequest(
        role="mask",
        module=model,
        inputs={"scores": torch.randn(4, 6)},
        outputs=("masked",),
        input_axes={"scores": axes},
        output_axes={"masked": axes},
    )
