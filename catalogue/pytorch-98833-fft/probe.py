"""One operator of PyTorch, named in the options, between an input and an output that are real numbers."""

from harness_probe.protocol import Case, GraphRequest


def load(options):
    import torch

    operators = {
        "fft2": lambda x: torch.fft.fft2(x).real,
        "bicubic-aa": lambda x: torch.nn.functional.interpolate(x, size=(4, 4), mode="bicubic", antialias=True),
    }
    operator = operators[options["operator"]]

    class Net(torch.nn.Module):
        def forward(self, x):
            return operator(x)

    return Net().eval()


def _input(batch):
    import torch

    return torch.randn(batch, 3, 8, 8)


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
