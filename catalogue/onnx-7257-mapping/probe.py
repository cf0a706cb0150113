"""A script that exports a small network and stores it in half precision, its inputs and outputs kept, with onnxconverter-common."""

from harness_probe.protocol import Case

IMPORTS = ("torch", "onnx", "onnxconverter_common")
TOLERANCE = {"absolute": 1e-2, "relative": 1e-2}


def load(options):
    import torch

    torch.manual_seed(options["seed"])
    return torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval()


def cases(model):
    import torch

    for batch in (1, 3):
        x = torch.rand(batch, 8)
        with torch.no_grad():
            yield Case(f"{batch} rows", {"x": x.numpy()}, {"y": model(x).numpy()})


def export(model, variant, folder):
    import onnx
    import torch
    from onnxconverter_common import float16

    path = str(folder / "net.onnx")
    torch.onnx.export(model, (torch.rand(2, 8),), path, input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}}, opset_version=variant.opset)
    onnx.save(float16.convert_float_to_float16(onnx.load(path), keep_io_types=True), path)
