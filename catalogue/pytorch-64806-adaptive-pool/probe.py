"""Adaptive pooling of 6 rows to 4, as in pyramids: 6 is no multiple of 4."""

from harness_probe.protocol import Case, GraphRequest


def load(options):
    import torch

    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(4)).eval()


def _input(batch):
    import torch

    return torch.randn(batch, 3, 6, 6)


def cases(model):
    import torch

    for batch in (1, 3):
        x = _input(batch)
        with torch.no_grad():
            yield Case(f"{batch} images", {"x": x.numpy()}, {"y": model(x).numpy()})


def graphs(model):
    yield GraphRequest(
        role="net", module=model, inputs={"x": _input(2)}, outputs=("y",),
        input_axes={"x": {0: "batch"}}, output_axes={"y": {0: "batch"}},
    )
