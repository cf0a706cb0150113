"""The built-in probe, exporting a decoder that takes a past and looks at another one."""

from dataclasses import replace

from harness_probe.decoders.probe import IMPORTS, about, cases, export, measure, run, starts
from harness_probe.decoders.probe import load as load_right

__all__ = ["IMPORTS", "about", "cases", "export", "load", "measure", "run", "starts"]


def load(options):
    import torch

    class Forgetful(torch.nn.Module):
        def __init__(self, decoder, past):
            super().__init__()
            self.decoder, self.past = decoder, past

        def forward(self, ids, mask, hidden, *_):
            return self.decoder(ids, mask, hidden, *self.past)

    models = load_right({"family": "marian", "profile": "tiny", **options})
    right = models.requests

    def wrong(attention):
        requests = dict(right(attention))
        request = requests["decoder_with_past"]
        # Cloned, because a tracer knows its inputs again wherever they turn up.
        past = [tensor.clone() for name, tensor in request.inputs.items() if name.startswith("past_key_values")]
        requests["decoder_with_past"] = replace(request, module=Forgetful(request.module, past))
        return requests

    models.requests = wrong
    return models
