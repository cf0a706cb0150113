"""grid_sample of a volume: five dimensions."""

from harness_probe.protocol import Case, GraphRequest


def load(options):
    import torch

    class Net(torch.nn.Module):
        def forward(self, x, grid):
            return torch.nn.functional.grid_sample(x, grid, align_corners=True)

    return Net().eval()


def _inputs(batch):
    import torch

    return torch.randn(batch, 2, 4, 4, 4), torch.rand(batch, 3, 3, 3, 3) * 2 - 1


def cases(model):
    import torch

    for batch in (1, 3):
        x, grid = _inputs(batch)
        with torch.no_grad():
            yield Case(f"{batch} volumes", {"x": x.numpy(), "grid": grid.numpy()}, {"y": model(x, grid).numpy()})


def graphs(model):
    x, grid = _inputs(2)
    axis = {0: "batch"}
    yield GraphRequest(
        role="net", module=model, inputs={"x": x, "grid": grid}, outputs=("y",),
        input_axes={"x": axis, "grid": axis}, output_axes={"y": axis},
    )
