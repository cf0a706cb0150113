"""Layers with a norm, in float16. Norms are a dozen operators each, and their constants are initializers, as optimizers leave them."""

from harness_probe.protocol import Case

TOLERANCE = {"absolute": 0.05, "relative": 0.05}
WIDTH, LAYERS = 8, 2


def load(options):
    import torch

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embeddings = torch.nn.LayerNorm(WIDTH)
            self.layers = torch.nn.ModuleList(torch.nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS))
            self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(WIDTH) for _ in range(LAYERS))

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


class Writer:
    """Nodes and initializers of a graph in float16."""

    def __init__(self):
        self.nodes, self.initializers = [], []

    def tensor(self, name, value):
        from onnx import numpy_helper

        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def node(self, operator, inputs, name, **attributes):
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [f"{name}_output_0"], name=name, **attributes))
        return f"{name}_output_0"

    def norm(self, x, place, weights):
        import numpy

        two = self.tensor(f"{place}/Constant_output_0", numpy.float16(2).reshape(()))
        epsilon = self.tensor(f"{place}/Constant_1_output_0", numpy.float16(weights.eps).reshape(()))
        mean = self.node("ReduceMean", [x], f"{place}/ReduceMean", axes=[-1])
        apart = self.node("Sub", [x, mean], f"{place}/Sub")
        square = self.node("Pow", [apart, two], f"{place}/Pow")
        variance = self.node("ReduceMean", [square], f"{place}/ReduceMean_1", axes=[-1])
        moved = self.node("Add", [variance, epsilon], f"{place}/Add")
        normed = self.node("Div", [apart, self.node("Sqrt", [moved], f"{place}/Sqrt")], f"{place}/Div")
        scale = self.tensor(f"{place[1:]}.weight", weights.weight.detach().numpy())
        bias = self.tensor(f"{place[1:]}.bias", weights.bias.detach().numpy())
        return self.node("Add", [self.node("Mul", [normed, scale], f"{place}/Mul"), bias], f"{place}/Add_1")


def export(model, variant, folder):
    import onnx
    from onnx import TensorProto, helper

    graph = Writer()
    y = graph.norm("x", "/embeddings/LayerNorm", model.embeddings)
    for place, (layer, norm) in enumerate(zip(model.layers, model.norms)):
        name = f"/encoder/layer.{place}"
        weight = graph.tensor(f"{name[1:]}.weight", layer.weight.detach().numpy().T.copy())
        through = graph.node("MatMul", [y, weight], f"{name}/MatMul")
        y = graph.norm(graph.node("Add", [through, y], f"{name}/Add"), f"{name}/output/LayerNorm", norm)
    graph.nodes.append(helper.make_node("Identity", [y], ["y"]))
    x, result = (helper.make_tensor_value_info(name, TensorProto.FLOAT16, [1, "tokens", WIDTH]) for name in ("x", "y"))
    made = helper.make_graph(graph.nodes, "norms", [x], [result], graph.initializers)
    imports = [helper.make_opsetid("", variant.opset)]
    onnx.save(helper.make_model(made, opset_imports=imports, ir_version=8), str(folder / "net.onnx"))
