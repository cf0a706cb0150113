"""A detector whose output is an object of a class of its own."""

from dataclasses import dataclass
from typing import Any

from harness_probe.protocol import Case


@dataclass
class Detections:
    boxes: Any
    scores: Any


@dataclass
class RegisteredDetections:
    """The same; torch.export is told of it."""

    boxes: Any
    scores: Any


def load(options):
    import torch

    torch.manual_seed(options["seed"])

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.boxes, self.scores, self.output = torch.nn.Linear(8, 4), torch.nn.Linear(8, 2), Detections

        def forward(self, x):
            return self.output(self.boxes(x), self.scores(x))

    return Net().eval()


def cases(model):
    import torch

    for batch in (1, 3):
        x = torch.rand(batch, 8)
        with torch.no_grad():
            y = model(x)
        yield Case(f"{batch} rows", {"x": x.numpy()}, {"boxes": y.boxes.numpy(), "scores": y.scores.numpy()})


def export(model, variant, folder):
    import copy
    import inspect

    import torch

    model = copy.copy(model)
    exporter, _, output = variant.exporter.partition("-")
    if output == "tuple":
        model.output = lambda *tensors: tensors
    elif output == "registered":
        torch.export.register_dataclass(RegisteredDetections)
        model.output = RegisteredDetections
    options = {"dynamic_axes": {name: {0: "batch"} for name in ("x", "boxes", "scores")}, "dynamo": False}
    if exporter == "dynamo":
        options = {"dynamic_shapes": ({0: torch.export.Dim("batch")},), "dynamo": True, "external_data": False}
        if "fallback" in inspect.signature(torch.onnx.export).parameters:  # to TorchScript, another exporter
            options["fallback"] = False
    torch.onnx.export(model, (torch.rand(2, 8),), str(folder / "net.onnx"), input_names=["x"],
                      output_names=["boxes", "scores"], opset_version=variant.opset, **options)
