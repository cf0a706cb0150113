"""A script without a word of dynamo or external data, that ships the .onnx file alone, as it did with any torch before 2.9."""

from harness_probe.protocol import Case


def load(options):
    import torch

    torch.manual_seed(options["seed"])
    return torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 8)).eval()


def cases(model):
    import torch

    x = torch.rand(1, 64)
    with torch.no_grad():
        yield Case("one row", {"x": x.numpy()}, {"y": model(x).numpy()})


def export(model, variant, folder):
    import shutil
    import tempfile
    from pathlib import Path

    import torch

    options = {"external_data": False} if variant.exporter == "script-one-file" else {}
    with tempfile.TemporaryDirectory() as place:
        written = Path(place, "net.onnx")
        torch.onnx.export(model, (torch.rand(1, 64),), str(written), input_names=["x"], output_names=["y"],
                          opset_version=variant.opset, **options)
        shutil.copy(written, folder / written.name)
