"""An encoder layer, whose fast path is one operator."""

from harness_probe.protocol import Case, GraphRequest


def load(options):
    import torch

    torch.manual_seed(options["seed"])

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

        def forward(self, x):
            return self.layer(x)

    return Net().eval()


def _input(batch):
    import torch

    return torch.randn(batch, 4, 8)


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
