"""scaled_dot_product_attention with fewer heads of keys than of queries."""

from harness_probe.protocol import Case, GraphRequest


def load(options):
    import torch

    class Attend(torch.nn.Module):
        def forward(self, q, k, v):
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    return Attend().eval()


def _inputs(batch, length):
    import torch

    return {"q": torch.randn(batch, 4, length, 8), "k": torch.randn(batch, 2, length, 8), "v": torch.randn(batch, 2, length, 8)}


def cases(model):
    for batch, length in ((1, 3), (3, 6)):
        given = _inputs(batch, length)
        yield Case(f"{batch}x{length}", {name: x.numpy() for name, x in given.items()}, {"y": model(**given).numpy()})


def graphs(model):
    axes = {0: "batch", 2: "length"}
    given = _inputs(2, 5)
    yield GraphRequest(role="attend", module=model, inputs=given, outputs=("y",), input_axes=dict.fromkeys(given, axes),
                       output_axes={"y": axes})
