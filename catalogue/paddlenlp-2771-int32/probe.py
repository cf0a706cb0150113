"""A model of token ids, which the graph takes as int64; the program of the report feeds int32."""

from harness_probe.protocol import Case, GraphRequest


def load(options):
    import torch

    torch.manual_seed(options["seed"])
    return torch.nn.Sequential(torch.nn.Embedding(20, 8), torch.nn.Linear(8, 4)).eval()


def _input(batch):
    import torch

    return torch.randint(0, 20, (batch, 5))


def cases(model):
    import torch

    for batch in (1, 3):
        ids = _input(batch)
        with torch.no_grad():
            yield Case(f"{batch} rows", {"input_ids": ids.numpy()}, {"logits": model(ids).numpy()})


def graphs(model):
    yield GraphRequest(
        role="net", module=model, inputs={"input_ids": _input(2)}, outputs=("logits",),
        input_axes={"input_ids": {0: "batch"}}, output_axes={"logits": {0: "batch"}},
    )


def run(graphs, case, variant, start):
    ids = case.inputs["input_ids"]
    yield graphs["net"].run({"input_ids": ids.astype("int32") if variant.feedback == "other-type" else ids})
