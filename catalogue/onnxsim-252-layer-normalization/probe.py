"""A layer normalisation, which is one operator from opset 17 on."""

from harness_probe.protocol import Case, GraphRequest


def load(options):
    import torch

    torch.manual_seed(options["seed"])
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.LayerNorm(8)).eval()


def _input(batch):
    import torch

    return torch.randn(batch, 6)


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
