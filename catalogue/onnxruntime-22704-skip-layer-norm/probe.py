"""Two RMS norms behind residual additions, as onnxruntime-genai and optimizers of onnxruntime write them: one node each."""

from harness_probe.protocol import Case

TOLERANCE = {"absolute": 0.01, "relative": 0.01}
WIDTH = 8
OPERATOR = "SkipSimplifiedLayerNormalization"
LAYERS = ("model/layers.0/post_attention_layernorm", "model/layers.1/input_layernorm")


def weight(place):
    import numpy

    return numpy.linspace(0.5, 1.5, WIDTH).astype(numpy.float16) + numpy.float16(place)


def cases(model):
    import torch

    torch.manual_seed(0)
    x, skip = torch.rand(1, 3, WIDTH).half(), torch.rand(1, 3, WIDTH).half()
    total, y = skip, x
    for place in range(len(LAYERS)):
        total = y.float() + total.float()
        normed = total * torch.rsqrt(total.square().mean(-1, keepdim=True) + 1e-5)
        y = normed * torch.from_numpy(weight(place)).float()
    yield Case("3 tokens", {"x": x.numpy(), "skip": skip.numpy()}, {"y": y.half().numpy()})


def export(model, variant, folder):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    half = TensorProto.FLOAT16
    wide = variant.exporter == "fused-float32"
    inside = TensorProto.FLOAT if wide else half
    nodes, weights = [], []
    y, total = "x", "skip"
    if wide:
        nodes = [helper.make_node("Cast", [name], [f"{name}_wide"], to=inside) for name in ("x", "skip")]
        y, total = "x_wide", "skip_wide"
    for place, layer in enumerate(LAYERS):
        own = weight(place)
        weights.append(numpy_helper.from_array(own.astype("float32") if wide else own, layer.replace("/", ".") + ".weight"))
        outputs = [f"/{layer}/output_0", "", "", f"/{layer}/output_3"]
        nodes.append(
            helper.make_node(
                OPERATOR, [y, total, weights[-1].name], outputs, name=f"/{layer}/SkipLayerNorm", domain="com.microsoft", epsilon=1e-5
            )
        )
        y, total = outputs[0], outputs[3]
    nodes.append(helper.make_node("Cast", [y], ["y"], to=half))
    values = [helper.make_tensor_value_info(name, half, [1, "tokens", WIDTH]) for name in ("x", "skip", "y")]
    graph = helper.make_graph(nodes, "norms", values[:2], values[2:], weights)
    imports = [helper.make_opsetid("", variant.opset), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), str(folder / "net.onnx"))
