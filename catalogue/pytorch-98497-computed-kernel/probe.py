"""A blur whose kernel is repeated for as many channels as the padded image has."""

from harness_probe.protocol import Case, GraphRequest


def load(options):
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("kernel", torch.full((4, 4), 1 / 16))

        def forward(self, x):
            x = torch.nn.functional.pad(x, [1, 1, 1, 1])
            channels = x.shape[1]
            return torch.nn.functional.conv2d(x, self.kernel[None, None].repeat([channels, 1, 1, 1]), groups=channels)

    return Net().eval()


def _input(batch):
    import torch

    return torch.rand(batch, 3, 8, 8)


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
