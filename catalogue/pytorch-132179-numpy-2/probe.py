"""A product whose example comes from a DataLoader, which makes tensors of numpy's arrays."""

from harness_probe.protocol import Case, GraphRequest


def load(options):
    import numpy
    import torch
    from torch.utils.data import DataLoader

    class Net(torch.nn.Module):
        def __init__(self, example):
            super().__init__()
            self.example = example

        def forward(self, x):
            return x @ x.transpose(1, 2)

    rows = numpy.arange(18, dtype=numpy.float32).reshape(2, 3, 3) / 18
    return Net(next(iter(DataLoader(list(rows), batch_size=2)))).eval()


def cases(model):
    import torch

    for batch in (1, 3):
        x = torch.rand(batch, 3, 3)
        yield Case(f"{batch} rows", {"x": x.numpy()}, {"y": model(x).numpy()})


def graphs(model):
    yield GraphRequest(
        role="net", module=model, inputs={"x": model.example}, outputs=("y",),
        input_axes={"x": {0: "batch"}}, output_axes={"y": {0: "batch"}},
    )
