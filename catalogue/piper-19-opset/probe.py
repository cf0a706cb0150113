"""A script that asks torch.onnx.export for an opset, with the TorchScript exporter."""

from harness_probe.protocol import Case


def load(options):
    import torch

    torch.manual_seed(options["seed"])
    return torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.ReLU(), torch.nn.Linear(12, 3)).eval()


def cases(model):
    import torch

    for batch in (1, 4):
        x = torch.rand(batch, 6)
        with torch.no_grad():
            yield Case(f"{batch} rows", {"x": x.numpy()}, {"y": model(x).numpy()})


def export(model, variant, folder):
    import torch

    torch.onnx.export(model, (torch.rand(1, 6),), str(folder / "net.onnx"), input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}}, opset_version=variant.opset)
