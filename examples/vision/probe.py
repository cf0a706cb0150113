"""A convolutional network that bends its input before it looks, for images of any size.

It bends with grid_sample, which ONNX has from opset 16 on.
"""

from harness_probe.protocol import Case, GraphRequest


def load(options):
    """Return the network with random weights, statistics of its normalisation included."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.bend = torch.nn.Conv2d(3, 2, 3, padding=1)
            self.look = torch.nn.Sequential(
                torch.nn.Conv2d(3, width, 3, padding=1), torch.nn.BatchNorm2d(width), torch.nn.ReLU(), torch.nn.MaxPool2d(2)
            )
            self.name = torch.nn.Linear(width, 10)

        def forward(self, image):
            places = self.bend(image).tanh().permute(0, 2, 3, 1)
            bent = torch.nn.functional.grid_sample(image, places, align_corners=False)
            return self.name(self.look(bent).mean(dim=(2, 3)))

    torch.manual_seed(options["seed"])
    network = Network(options["width"])
    normalisation = network.look[1]
    torch.nn.init.normal_(normalisation.running_mean)
    torch.nn.init.uniform_(normalisation.running_var, 0.5, 2)
    return network.eval()


def cases(network):
    """Two batches of images of different sizes, neither that of the export's example."""
    import torch

    for batch, height, width in ((1, 32, 32), (3, 40, 24)):
        image = torch.rand(batch, 3, height, width)
        with torch.no_grad():
            scores = network(image)
        yield Case(f"{batch} of {height}x{width}", {"image": image.numpy()}, {"scores": scores.numpy()})


def graphs(network):
    """One graph, whose batch, height and width may change."""
    import torch

    yield GraphRequest(
        role="network",
        module=network,
        inputs={"image": torch.rand(2, 3, 28, 36)},
        outputs=("scores",),
        input_axes={"image": {0: "batch", 2: "height", 3: "width"}},
        output_axes={"scores": {0: "batch"}},
    )
