"""An export script as people have it: it knows nothing of the harness, and stays as it is."""

import argparse

import torch


class Classifier(torch.nn.Module):
    """Token ids (batch, length) → probabilities (batch, 4)."""

    def __init__(self, vocabulary=50, width=16):
        super().__init__()
        self.embed = torch.nn.Embedding(vocabulary, width)
        self.read = torch.nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.decide = torch.nn.Linear(2 * width, 4)

    def forward(self, ids):
        _, last = self.read(self.embed(ids))
        return self.decide(torch.cat([last[0], last[1]], dim=1)).softmax(dim=1)


def build():
    torch.manual_seed(0)
    return Classifier().eval()


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", required=True)
    parser.add_argument("--opset", type=int, default=17)
    options = parser.parse_args(argv)
    torch.onnx.export(
        build(),
        (torch.zeros(2, 7, dtype=torch.int64),),
        options.output,
        input_names=["ids"],
        output_names=["probabilities"],
        dynamic_axes={"ids": {0: "batch", 1: "length"}, "probabilities": {0: "batch"}},
        opset_version=options.opset,
        dynamo=False,
    )


if __name__ == "__main__":
    main()
