"""A triangle of booleans, as causal masks are made."""

from harness_probe.protocol import Case, GraphRequest


def load(options):
    import torch

    class Net(torch.nn.Module):
        def forward(self, x):
            return torch.tril(x > 0)

    return Net().eval()


def _input(batch):
    import torch

    return torch.randn(batch, 4, 4)


def cases(model):
    import torch

    for batch in (1, 3):
        x = _input(batch)
        with torch.no_grad():
            yield Case(f"{batch} rows", {"x": x.numpy()}, {"y": model(x).numpy()})


def graphs(model):
    yield GraphRequest(
        role="net", module=model, inputs={"x": _input(2)}, outputs=("y",),
        input_axes={"x": {0: "batch"}}, output_axes={"y": {0: "batch"}},
    )
