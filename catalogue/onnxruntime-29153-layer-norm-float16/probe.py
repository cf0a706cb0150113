"""Layers with a norm, in float16: below opset 17 the exporter writes a norm as a dozen operators."""

from harness_probe.protocol import Case

TOLERANCE = {"absolute": 0.02, "relative": 0.02}
WIDTH = 8


def load(options):
    import torch

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embeddings = torch.nn.LayerNorm(WIDTH)
            self.layers = torch.nn.ModuleList(torch.nn.Linear(WIDTH, WIDTH) for _ in range(2))
            self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(WIDTH) for _ in range(2))

        def forward(self, x):
            y = self.embeddings(x)
            for layer, norm in zip(self.layers, self.norms):
                y = norm(layer(y) + y)
            return y

    torch.manual_seed(options["seed"])
    return Encoder().half().eval()


def cases(model):
    import torch

    x = torch.rand(1, 3, WIDTH).half()
    with torch.no_grad():
        yield Case("3 tokens", {"x": x.numpy()}, {"y": model(x).numpy()})


def export(model, variant, folder):
    import onnx
    import torch
    from onnx import numpy_helper

    path = str(folder / "net.onnx")
    torch.onnx.export(
        model, (torch.rand(1, 3, WIDTH).half(),), path, input_names=["x"], output_names=["y"],
        dynamic_axes={"x": {1: "tokens"}, "y": {1: "tokens"}}, opset_version=variant.opset, dynamo=False,
    )
    # As converters to float16 and optimizers leave them: constants are initializers.
    graph = onnx.load(path)
    constants = [node for node in graph.graph.node if node.op_type == "Constant"]
    for node in constants:
        tensor = numpy_helper.from_array(numpy_helper.to_array(node.attribute[0].t), node.output[0])
        graph.graph.initializer.append(tensor)
        graph.graph.node.remove(node)
    onnx.save(graph, path)
