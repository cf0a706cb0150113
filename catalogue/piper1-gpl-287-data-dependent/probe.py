"""A flow of a text-to-speech model that looks at its values before it transforms them, and a script that exports it."""

from harness_probe.protocol import Case


def load(options):
    import torch

    class Net(torch.nn.Module):
        def forward(self, x):
            if torch.min(x) < 0 or torch.max(x) > 1:
                raise ValueError("the input of a transform is not within its domain")
            return torch.log(x + 1) * 2

    return Net().eval()


def cases(model):
    import torch

    for length in (3, 5):
        x = torch.rand(1, length)
        with torch.no_grad():
            yield Case(f"{length} values", {"x": x.numpy()}, {"y": model(x).numpy()})


def export(model, variant, folder):
    import torch

    options = {"dynamo": False} if variant.exporter == "script-torchscript" else {}
    torch.onnx.export(model, (torch.rand(1, 4),), str(folder / "net.onnx"), input_names=["x"], output_names=["y"],
                      opset_version=variant.opset, dynamic_axes={"x": {1: "length"}, "y": {1: "length"}}, **options)
