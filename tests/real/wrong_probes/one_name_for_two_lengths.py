"""The built-in probe, promising that the cache after a step is as long as the one before."""

from dataclasses import replace

from harness_probe.decoders.probe import IMPORTS, about, cases, export, measure, run, starts
from harness_probe.decoders.probe import load as load_right

__all__ = ["IMPORTS", "about", "cases", "export", "load", "measure", "run", "starts"]

PAST, PRESENT = "past_decoder_sequence_length", "present_decoder_sequence_length"


def load(options):
    models = load_right({"family": "marian", "profile": "tiny", **options})
    right = models.requests

    def wrong(attention):
        requests = dict(right(attention))
        request = requests["decoder_with_past"]
        axes = {
            name: {axis: PAST if dim == PRESENT else dim for axis, dim in dims.items()}
            for name, dims in request.output_axes.items()
        }
        requests["decoder_with_past"] = replace(request, output_axes=axes)
        return requests

    models.requests = wrong
    return models
