"""A spectrogram, from complex numbers or, with the layout `real`, from pairs of real ones."""

from harness_probe.protocol import Case, NotRun

SAMPLES = 64


def load(options):
    import torch

    class Spectrogram(torch.nn.Module):
        def __init__(self, layout):
            super().__init__()
            self.layout = layout
            self.register_buffer("window", torch.hann_window(16))

        def forward(self, x):
            is_complex = self.layout == "complex"
            z = torch.stft(x, 16, hop_length=4, window=self.window, return_complex=is_complex)
            return z.abs() if is_complex else z.pow(2).sum(-1).sqrt()

    return {layout: Spectrogram(layout).eval() for layout in ("complex", "real")}


def cases(model):
    import torch

    for batch in (1, 3):
        x = torch.randn(batch, SAMPLES)
        yield Case(f"{batch} signals", {"x": x.numpy()}, {"y": model["complex"](x).numpy()})


def export(model, variant, folder):
    import inspect

    import torch

    parameters = inspect.signature(torch.onnx.export).parameters
    options = {"dynamic_axes": {"x": {0: "batch"}, "y": {0: "batch"}}}
    if "dynamo" in parameters:
        options["dynamo"] = False
    if variant.exporter == "dynamo":
        if "dynamic_shapes" not in parameters:
            raise NotRun(f"torch {torch.__version__}: torch.onnx.export has no dynamo=True with dynamic_shapes")
        shapes = {"x": {0: torch.export.Dim("batch", min=2, max=1024)}}
        options = {"dynamic_shapes": shapes, "dynamo": True, "external_data": False}
        if "fallback" in parameters:
            options["fallback"] = False
    torch.onnx.export(model[variant.layout], (torch.randn(2, SAMPLES),), str(folder / "net.onnx"), input_names=["x"],
                      output_names=["y"], opset_version=variant.opset, **options)
