"""export_classifier.py, probed: its own export, three batches, and PyTorch's answer to each."""

from harness_probe.protocol import Case


def cases(_):
    import torch
    from export_classifier import build

    for batch, length in ((1, 1), (2, 9), (5, 30)):
        ids = torch.randint(0, 50, (batch, length))
        yield Case(f"{batch} of {length}", {"ids": ids.numpy()}, {"probabilities": build()(ids).detach().numpy()})


def export(_, variant, folder):
    import export_classifier

    export_classifier.main(["--output", str(folder / "classifier.onnx"), "--opset", str(variant.opset)])
